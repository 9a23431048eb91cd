"""The steps of the release workflow, run on this machine as they are written, with a stand-in for the program of the forge."""

import os
import re
import subprocess

import pytest
import yaml

from e2e.cluster.places import REPOSITORY
from release.bundle import Bundle
from release.checksums import write_checksums
from release.signing import Key

WORKFLOW = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "release.yaml").read_text())
STEPS = WORKFLOW["jobs"]["release"]["steps"]
GH = """#!/bin/sh
printf '%s\\n' "$@" > "$LOG"
"""


def run(name, folder, **variables):
    """The result of a step in a folder, by the shell that a runner takes."""
    (script,) = (step["run"] for step in STEPS if step.get("name") == name)
    environment = {**os.environ, "GITHUB_REF_NAME": "v0.2.0", **variables}
    return subprocess.run(
        ["/bin/bash", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_every_file_with_a_checksum_is_published(tmp_path):
    dist, programs = tmp_path / "dist", tmp_path / "bin"
    for folder in (dist, dist / "images", programs):
        folder.mkdir()
    for name in ("VERSION", "release-notes.md", "release.pub", "workspace-ctrl-0.2.0.tgz"):
        (dist / name).write_text(name)
    write_checksums(dist, Bundle(dist).files(), Key.create(tmp_path / "key"))
    (dist / "digests.txt").write_text("")
    (programs / "gh").write_text(GH)
    (programs / "gh").chmod(0o755)
    published = run("Publish the files", tmp_path, PATH=f"{programs}:{os.environ['PATH']}", LOG=str(tmp_path / "log"))
    assert not published.returncode, published.stderr
    arguments = (tmp_path / "log").read_text().splitlines()
    given = {argument.removeprefix("dist/") for argument in arguments[arguments.index("--notes-file") + 2 :]}
    listed = {line.split()[1] for line in (dist / "SHA256SUMS").read_text().splitlines()}
    assert given == listed | {f"{name}.sig" for name in listed} | {"SHA256SUMS", "SHA256SUMS.sig"}
    assert "release-notes.md" in listed


@pytest.mark.parametrize(
    ("heading", "accepted"),
    [
        ("## 0.2.0 (2026-12-01)", True),
        ("## 0.2.0 (unreleased)", False),
        ("## 0.2.0", False),
        ("## 0.2.1 (2026-12-01)", False),
    ],
)
def test_a_version_without_a_date_in_the_changelog_is_refused(tmp_path, heading, accepted):
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n\n- a\n\n## 0.1.0\n\n- b\n")
    result = run("The changelog has the date of this version", tmp_path)
    assert (result.returncode == 0) is accepted
    assert ("CHANGELOG.md has no date for 0.2.0: write it" in result.stdout) is not accepted


def test_the_changelog_is_looked_at_before_anything_is_built():
    names = [step.get("name") for step in STEPS]
    built = names.index("Build, sign with the project's key, and push")
    assert names.index("The tag is the version") < names.index("The changelog has the date of this version") < built


def test_the_registry_s_name_is_in_lower_case(tmp_path):
    result = run("Where to push", tmp_path, GITHUB_REPOSITORY_OWNER="Some-Owner", GITHUB_ENV=str(tmp_path / "variables"))
    assert not result.returncode, result.stderr
    assert (tmp_path / "variables").read_text() == "REGISTRY=ghcr.io/some-owner\n"
    assert "REGISTRY" not in WORKFLOW["jobs"]["release"]["env"]


def test_the_workflow_s_signatures_are_under_the_tag_of_the_key_s_signatures():
    (script,) = (step["run"] for step in STEPS if step.get("name") == "Sign as this workflow")
    (options,) = re.findall(r"cosign sign (.*) \"\$reference\"", script)
    assert {"--new-bundle-format=false", "--use-signing-config=false"} <= set(options.split())


def test_the_documents_say_how_to_check_a_part_of_the_files():
    assert "sha256sum --check --ignore-missing SHA256SUMS" in (REPOSITORY / "docs" / "install.md").read_text()
