"""The Dockerfile says what the image of the local cluster, which is built without Docker, really is."""

import re

import pytest

from e2e.cluster.debian import PYTHON_VERSION, SUITE
from e2e.cluster.own_image import ENVIRONMENT, FOLDER, PROGRAM, USER
from e2e.cluster.places import REPOSITORY

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
DEBIAN_OF_SUITE = {"bookworm": "debian12", "trixie": "debian13"}


@pytest.mark.parametrize(
    "words",
    [
        f"FROM docker.io/library/python:{PYTHON_VERSION}-slim-{SUITE} AS build",
        f"FROM gcr.io/distroless/python3-{DEBIAN_OF_SUITE[SUITE]}:nonroot AS controller",
        f"ENV {' '.join(ENVIRONMENT)}",
        f"USER {USER}",
        f'ENTRYPOINT ["{PROGRAM}"]',
        f"COPY --from=build {FOLDER} {FOLDER}",
        "--require-hashes --only-binary=:all:",
    ],
)
def test_both_ways_to_build_agree(words):
    assert words in DOCKERFILE


def test_what_is_copied_into_the_build_is_let_in():
    admitted = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()}
    assert copied == admitted


def test_helm_is_in_a_target_of_its_own_and_not_in_the_last():
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", DOCKERFILE, re.MULTILINE)
    assert ("controller", "with-helm") in stages
    assert stages[-1] == ("controller", "")
