"""The Dockerfile, read as a program: what it installs is pinned, what it leaves in the image is little, and nobody is root there.

The local cluster runs the same image, built without Docker; what it is like inside is looked at there.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field

import pytest

from e2e.cluster.debian import PYTHON_VERSION, SUITE
from e2e.cluster.own_image import ENVIRONMENT, FOLDER, PROGRAM, REQUIREMENTS, USER, labels
from e2e.cluster.places import REPOSITORY
from tests.chart.helm import find, render

DEBIAN_OF_SUITE = {"bookworm": "debian12", "trixie": "debian13"}
WITHOUT_A_SHELL = {"ARG", "LABEL", "COPY", "ENV", "USER", "ENTRYPOINT", "CMD"}
"""Instructions that take no program in the image."""


@dataclass
class Stage:
    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, kind):
        return [rest for each, rest in self.instructions if each == kind]


def read(text):
    """The stages, and the arguments that are given before the first."""
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    words = [line.split(maxsplit=1) for line in lines if line.strip()]
    first = next(place for place, (kind, _) in enumerate(words) if kind == "FROM")
    before, instructions = words[:first], words[first:]
    stages: list[Stage] = []
    for kind, rest in instructions:
        if kind == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name))
        else:
            stages[-1].instructions.append((kind, " ".join(rest.split())))
    return stages, dict(each[1].split("=", 1) for each in before)


STAGES, ARGUMENTS = read((REPOSITORY / "Dockerfile").read_text())
BY_NAME = {stage.name: stage for stage in STAGES}
RUNTIME = BY_NAME["controller"]
PIP = [
    shlex.split(command) for stage in STAGES for run in stage.all("RUN") for command in run.split("&&") if "pip install" in command
]


def image_of(stage):
    """The image on which a stage is built."""
    return re.sub(r"\$\{(\w+)\}", lambda found: ARGUMENTS[found[1]], stage.base)


def own_sources(stage):
    """What a stage copies from the repository."""
    return [word for copy in stage.all("COPY") if not copy.startswith("--from") for word in copy.split()[:-1]]


def test_everything_that_comes_from_an_index_is_pinned_with_its_hash():
    assert PIP
    for command in PIP:
        if "--no-index" in command:
            assert {"--no-deps", "--no-build-isolation"} <= set(command)
            continue
        assert {"--require-hashes", "--only-binary=:all:"} <= set(command)
        assert command[-2] == "-r"
        pinned = re.split(r"\n(?=\S)", (REPOSITORY / command[-1]).read_text())
        assert all("==" in entry and "--hash=sha256:" in entry for entry in pinned if entry.strip() and not entry.startswith("#"))


def test_the_image_holds_what_is_pinned_for_it_and_our_package_and_nothing_to_build_with():
    placed = [command[-1] for command in PIP if f"--target {FOLDER}" in " ".join(command)]
    assert placed == [str(REQUIREMENTS.relative_to(REPOSITORY)), "."]
    assert [copy.split()[-1] for copy in RUNTIME.all("COPY")] == [FOLDER, PROGRAM]
    assert all("--from=build" in copy for copy in RUNTIME.all("COPY"))


@pytest.mark.parametrize(
    "stage", [stage for stage in STAGES if stage.name not in {"build", "helm", "helm-bill"}], ids=lambda stage: stage.name
)
def test_images_without_a_shell_are_made_without_one(stage):
    assert {kind for kind, _ in stage.instructions} <= WITHOUT_A_SHELL


def test_the_program_is_started_as_the_user_of_the_chart_by_a_file_that_can_be_executed():
    security = find(render(), "Deployment", "workspace-ctrl")["spec"]["template"]["spec"]["securityContext"]
    assert RUNTIME.all("USER") == [USER] == [f"{security['runAsUser']}:{security['runAsGroup']}"]
    assert security["runAsUser"]
    assert RUNTIME.all("ENTRYPOINT") == [f'["{PROGRAM}"]']
    assert any("--chmod=0755" in copy and copy.endswith(PROGRAM) for copy in RUNTIME.all("COPY"))
    # Whatever is built on it keeps the user.
    assert not any(stage.all("USER") for stage in STAGES if stage is not RUNTIME)


def test_helm_is_in_a_target_of_its_own_and_not_in_the_last():
    helm = BY_NAME["with-helm"]
    assert helm.base == STAGES[-1].base == "controller"
    assert [copy.partition(" ")[0] for copy in helm.all("COPY")] == ["--from=helm", "--from=helm-bill"]
    assert STAGES[-1].instructions == []


def test_images_of_others_have_a_registry_and_a_version():
    known = set(BY_NAME)
    for stage in STAGES:
        base = image_of(stage)
        assert base in known or re.fullmatch(r"[a-z.]+\.[a-z]+/[a-z0-9/-]+:(?!latest)[\w.-]+(@sha256:[0-9a-f]{64})?", base)
        for copy in stage.all("COPY"):
            named = re.match(r"--from=(\S+)", copy)
            assert named is None or named[1] in known


def test_only_tags_that_move_are_without_a_digest_and_a_release_resolves_them():
    without = {name for name, image in ARGUMENTS.items() if "@" not in image}
    assert without == {"PYTHON", "BASE"}
    release = (REPOSITORY / ".github" / "workflows" / "release.yaml").read_text()
    assert 'RELEASE="--images docker --pin-images"' in release


def test_pinning_writes_the_digest_of_each_image_and_nothing_else(tmp_path, monkeypatch):
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\nprintf "sha256:%064d\\n" "${#4}"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    copied = tmp_path / "Dockerfile"
    before = (REPOSITORY / "Dockerfile").read_text()
    copied.write_text(before)
    for _ in range(2):  # what is pinned is pinned anew
        subprocess.run([sys.executable, REPOSITORY / "image" / "pin.py", copied], check=True)
        stages, arguments = read(copied.read_text())
        assert {name: image.partition("@")[0] for name, image in arguments.items()} == {
            name: image.partition("@")[0] for name, image in ARGUMENTS.items()
        }
        assert all(re.fullmatch(r".+@sha256:\d{64}", image) for image in arguments.values())
        assert stages == STAGES
    docker.write_text("#!/bin/sh\necho no such image >&2; exit 1\n")
    failed = subprocess.run([sys.executable, REPOSITORY / "image" / "pin.py", copied], capture_output=True, text=True, check=False)
    assert failed.returncode
    assert "no digest: no such image" in failed.stderr


def test_what_is_copied_is_there_and_is_let_into_the_build():
    copied = {source for stage in STAGES for source in own_sources(stage)}
    assert all((REPOSITORY / source).exists() for source in copied)
    admitted = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == admitted


def test_the_local_cluster_s_image_is_the_same():
    assert image_of(BY_NAME["build"]).partition("@")[0] == f"docker.io/library/python:{PYTHON_VERSION}-slim-{SUITE}"
    assert image_of(BY_NAME["base"]).partition("@")[0] == f"gcr.io/distroless/python3-{DEBIAN_OF_SUITE[SUITE]}:nonroot"
    assert RUNTIME.base == "base"
    assert RUNTIME.all("ENV") == [" ".join(ENVIRONMENT)]
    assert f"{FOLDER}/sbom.cdx.json" in " ".join(BY_NAME["build"].all("RUN"))
    assert {key for key, _ in labels()} <= set(written_labels())


def written_labels():
    return dict(re.findall(r'([\w.]+)="([^"]*)"', " ".join(RUNTIME.all("LABEL"))))


def test_labels_say_what_it_is_and_make_gives_what_they_need():
    said = written_labels()
    wanted = {"title", "description", "licenses", "version", "revision"}
    assert {key.rpartition(".")[2] for key in said} == wanted
    assert all(said.values())
    needed = {name for value in said.values() for name in re.findall(r"\$\{(\w+)\}", value)}
    assert needed == {argument.partition("=")[0] for rest in RUNTIME.all("ARG") for argument in rest.split()}
    makefile = (REPOSITORY / "Makefile").read_text()
    assert needed == set(re.findall(r"--build-arg (\w+)=", makefile))


def test_the_package_is_made_of_what_is_copied_and_has_every_file_of_the_source(tmp_path):
    """The other way to build copies the folder; this one goes by what pyproject.toml lists."""
    sources = [source for source in own_sources(BY_NAME["build"]) if not source.startswith(("requirements", "image"))]
    for source in sources:
        path = REPOSITORY / source
        (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--wheel-dir",
        tmp_path,
        tmp_path,
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not made.returncode, made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = REPOSITORY / "workspace_ctrl"
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert packed == {str(path.relative_to(REPOSITORY)) for path in files}
