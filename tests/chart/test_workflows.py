"""The workflows of GitHub: valid, with the fewest rights, and nothing of others that could be exchanged under them."""

import re
import subprocess

import pytest
import yaml

from e2e.cluster.builder import build
from e2e.cluster.catalog import ACTIONLINT
from e2e.cluster.places import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yaml"))
SECRETS = re.compile(r"secrets\.(\w+)")
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def test_actionlint_finds_nothing():
    program = build(ACTIONLINT).binary("actionlint")
    found = subprocess.run([program, "-no-color", "-shellcheck=", *WORKFLOWS], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


@each_workflow
def test_actions_of_others_are_pinned_by_hash_and_say_their_version(path):
    used = re.findall(r"uses: *(.*)", path.read_text())
    assert used
    for line in used:
        assert re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@each_workflow
def test_a_workflow_may_only_read_unless_a_job_says_more(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    writes = {name for name, job in workflow["jobs"].items() if "write" in job.get("permissions", {}).values()}
    is_release = path.stem == "release"
    assert writes == ({"release"} if is_release else set())
    keys = {"RELEASE_KEY", "RELEASE_KEY_PASSWORD"} if is_release else set()
    assert set(SECRETS.findall(path.read_text())) <= {"GITHUB_TOKEN"} | keys
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


@each_workflow
def test_nothing_that_a_stranger_writes_becomes_part_of_a_command(path):
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_the_pinned_packages_of_every_file_are_scanned():
    """The scanner finds no file by itself whose name is not `requirements.txt`, and says nothing."""
    scanned = re.findall(r"--lockfile=requirements\.txt:(\S+)", (REPOSITORY / ".github" / "workflows" / "scan.yaml").read_text())
    pinned = [f"requirements/{path.name}" for path in (REPOSITORY / "requirements").glob("*.txt")]
    assert sorted(scanned) == sorted(pinned)


def test_ci_runs_what_every_submission_runs():
    assert ".ci/run" in (REPOSITORY / ".github" / "workflows" / "ci.yaml").read_text()


def test_a_release_is_what_make_release_builds_and_the_workflow_signs_it_as_well():
    text = (REPOSITORY / ".github" / "workflows" / "release.yaml").read_text()
    steps = (
        'test "$GITHUB_REF_NAME" = "v',
        "make release REGISTRY=",
        "cosign sign --yes",
        "actions/attest-build-provenance@",
        "gh release",
    )
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    assert 'rm "$RUNNER_TEMP/release.key"' in text
