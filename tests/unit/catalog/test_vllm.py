"""Versions of vLLM: read from images, and what they know."""

import pytest

from workspace_ctrl.catalog.data_files import load
from workspace_ctrl.catalog.presets import presets
from workspace_ctrl.catalog.vllm import (
    AUTOMATIC_CONTEXT,
    NODES_WITHOUT_RAY,
    Feature,
    Knowledge,
    flag_in,
    flags,
    has_mode,
    newest_version,
    obsolete_flags,
    version_of,
)
from workspace_ctrl.planning.plan_settings import DEFAULT_MODEL_SERVER_IMAGE

DEFAULT = version_of(DEFAULT_MODEL_SERVER_IMAGE)


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("docker.io/vllm/vllm-openai:v0.33.0", (0, 33, 0)),
        ("registry.example:5000/mirror/vllm:0.20.2", (0, 20, 2)),
        ("a/vllm-openai:v0.20.0-cu130@sha256:abc", (0, 20, 0)),
        ("a/vllm-openai:v0.8.5.post1", (0, 8, 5)),
        ("a/vllm-openai:latest", None),
        ("a/vllm-openai@sha256:abc", None),
        ("a/vllm:5000/other:v1.0.0", None),
        ("mcr.example/kaito-base:0.0.9", None),
    ],
)
def test_the_version_is_read_from_the_tag_of_images_of_vllm(image, version):
    assert version_of(image) == version


@pytest.mark.parametrize(
    ("flag", "version", "known"),
    [
        pytest.param("max-model-len", (0, 11, 2), Knowledge.KNOWN, id="always"),
        pytest.param("no-enable-prefix-caching", (0, 33, 0), Knowledge.KNOWN, id="a switch"),
        pytest.param("swap-space", (0, 11, 2), Knowledge.KNOWN, id="then"),
        pytest.param("swap-space", (0, 17, 0), Knowledge.KNOWN, id="between two recorded versions of which one has it"),
        pytest.param("swap-space", (0, 33, 0), Knowledge.REMOVED, id="no longer"),
        pytest.param("shutdown-timeout", (0, 11, 2), Knowledge.LATER, id="not yet"),
        pytest.param("shutdown-timeout", (0, 40, 0), Knowledge.KNOWN, id="newer than all recorded versions"),
        pytest.param("max-model-length", (0, 33, 0), Knowledge.NEVER, id="misspelt"),
    ],
)
def test_what_a_version_knows(flag, version, known):
    assert flag_in(flag, version) is known


def test_the_default_image_knows_the_flags_and_parsers_of_every_preset():
    words = [flag.removeprefix("--").partition("=") for preset in presets().values() for flag in preset.flags]
    assert {name for name, _, _ in words if flag_in(name, DEFAULT) is not Knowledge.KNOWN} == set()
    parsers = {value for name, _, value in words if name.endswith("-parser")}
    assert parsers - {row.name for row in load("vllm.yaml", "parsers", Feature) if row.until is None} == set()


def test_the_default_image_serves_every_preset():
    assert newest_version() == DEFAULT
    assert [
        preset.name for preset in presets().values() if preset.min_vllm and tuple(map(int, preset.min_vllm.split("."))) > DEFAULT
    ] == []


@pytest.mark.parametrize(
    ("mode", "version", "has"),
    [
        (NODES_WITHOUT_RAY, (0, 10, 2), False),
        (NODES_WITHOUT_RAY, (0, 11, 2), True),
        (NODES_WITHOUT_RAY, None, True),
        (AUTOMATIC_CONTEXT, (0, 12, 0), False),
        (AUTOMATIC_CONTEXT, (0, 33, 0), True),
        ("Ray", (0, 16, 0), True),
        ("Ray", (0, 19, 1), False),
    ],
)
def test_modes(mode, version, has):
    assert has_mode(mode, version) is has


def test_an_obsolete_flag_is_in_no_recorded_version_and_what_replaces_it_is():
    assert obsolete_flags().keys() & flags().keys() == set()
    assert {entry.instead for entry in obsolete_flags().values() if entry.instead} <= flags().keys()
