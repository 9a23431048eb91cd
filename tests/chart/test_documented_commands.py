"""kubectl and helm know every command and option that the documents show."""

import subprocess

import pytest

from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX, KUBERNETES
from tests.unit.docs.documents import DOCUMENTS, commands

PROGRAMS = {"kubectl": (KUBERNETES, "kubectl"), "helm": (FLUX, "helm")}
SHOWN = sorted({words for text in DOCUMENTS.values() for words in commands(text) if words[0] in PROGRAMS})


def test_there_are_commands():
    assert len(SHOWN) > 60


@pytest.mark.parametrize("words", SHOWN, ids=lambda words: " ".join(words)[:80])
def test_the_command_is_known(words):
    folder, name = PROGRAMS[words[0]]
    # With --help at the end every option before it is read, and nothing is done.
    result = subprocess.run([build(folder).binary(name), *words[1:], "--help"], capture_output=True, text=True, check=False)
    assert not result.returncode, result.stderr
    assert "Usage:" in result.stdout
