"""The table of vLLM's flags against the packages themselves: each is downloaded, and its source is read without running it."""

import subprocess

import pytest

from e2e.vllm_flags import read_package, table
from workspace_ctrl.catalog.data_files import Row, load
from workspace_ctrl.catalog.presets import presets
from workspace_ctrl.catalog.vllm import NODES_WITHOUT_RAY, has_mode, parse_version, recorded_versions, version_of
from workspace_ctrl.planning.plan_settings import DEFAULT_MODEL_SERVER_IMAGE

pytestmark = pytest.mark.optional_addons

OURS = (
    "served-model-name",
    "port",
    "host",
    "download-dir",
    "gpu-memory-utilization",
    "tensor-parallel-size",
    "pipeline-parallel-size",
)
OURS_TOO = ("data-parallel-size", "max-model-len", "enable-lora", "lora-modules", "distributed-executor-backend")
SEVERAL_NODES = ("nnodes", "node-rank", "master-addr", "master-port", "headless")


class Recorded(Row):
    """A row of the table."""

    name: str
    since: str | None = None
    until: str | None = None
    short: str | None = None
    form: str | None = None


def rows(kind, version):
    """The rows of a kind that the table has for a version, by name, read here without the code under test."""
    at = parse_version(version)
    known = [row for row in load("vllm.yaml", kind, Recorded) if not row.since or parse_version(row.since) <= at]
    return {row.name: row for row in known if not row.until or at <= parse_version(row.until)}


def recorded(kind, version):
    """The names of a kind that the table has for a version."""
    return set(rows(kind, version))


@pytest.fixture(scope="module", params=[recorded_versions()[0], recorded_versions()[-1]])
def package(request):
    """The oldest and the newest recorded version."""
    try:
        return request.param, read_package(request.param)
    except subprocess.CalledProcessError as error:
        pytest.fail(f"the package index does not serve vllm {request.param}: {error.stderr.decode()[-500:]}")


def test_the_table_is_that_of_the_package(package):
    version, names = package
    assert recorded("flags", version) == set(names.flags)
    assert recorded("parsers", version) == set(names.parsers)


def test_the_flags_take_their_values_in_the_recorded_form(package):
    version, names = package
    assert {name: row.form for name, row in rows("flags", version).items() if row.form} == dict(names.forms)


def test_the_recorded_short_forms_are_those_of_the_newest_version(package):
    version, names = package
    short = {name: row.short for name, row in rows("flags", version).items() if row.short}
    newest = version == recorded_versions()[-1]
    assert short == dict(names.short) if newest else names.short.items() - {("compilation-config", "O")} <= short.items()


def test_the_package_knows_all_flags_that_we_give(package):
    version, names = package
    several = SEVERAL_NODES if has_mode(NODES_WITHOUT_RAY, parse_version(version)) else ()
    assert [flag for flag in (*OURS, *OURS_TOO, *several) if flag not in names.flags] == []


def test_the_default_image_knows_the_flags_and_parsers_of_every_preset(package):
    version, names = package
    if parse_version(version) != version_of(DEFAULT_MODEL_SERVER_IMAGE):
        assert version == recorded_versions()[0]
        return
    words = [flag.removeprefix("--").partition("=") for preset in presets().values() for flag in preset.flags]
    assert {name for name, _, _ in words} <= names.flags
    assert {value for name, _, value in words if name.endswith("-parser")} <= names.parsers


def test_versions_that_require_ray_have_that_mode(package):
    version, names = package
    assert has_mode("Ray", parse_version(version)) is names.needs_ray


def test_the_printed_table_is_the_recorded_one(package):
    version, names = package
    assert f"- {{name: {min(names.flags)}}}" in table({version: names})
