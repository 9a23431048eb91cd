"""Versions of what this controller works with: the tested ones, and the oldest ones that have what it needs."""

from collections.abc import Mapping
from functools import cache

from workspace_ctrl.catalog.data_files import Row, load


class PartVersion(Row):
    """A part of a cluster or of its tools, in one version."""

    part: str
    tested: str
    """The version that all tests run with."""
    since: str = ""
    """The oldest version with the fields in use; empty where that is not known."""
    note: str = ""
    """What depends on the version, as Markdown."""


class PodChange(Row):
    """How a version of this controller changes the pods of Workspaces that were made by an older one."""

    version: str
    model_server: str
    """What is new in the pods of models; empty if nothing is."""
    endpoint_picker: str


@cache
def pod_changes() -> tuple[PodChange, ...]:
    """Return the versions that change pods, the oldest first."""
    return load("versions.yaml", "podChanges", PodChange)


@cache
def part_versions() -> Mapping[str, PartVersion]:
    """Return all versions by part."""
    return {version.part: version for version in load("versions.yaml", "versions", PartVersion)}


def known_good(part: str) -> str:
    """Return the version of a part that all tests run with.

    Raises:
        KeyError: there is no such part.
    """
    return part_versions()[part].tested


def numbers(version: str) -> tuple[int, ...]:
    """Return major and minor number of a version, with or without its v; empty if `version` is none."""
    parts = version.removeprefix("v").split(".")[:2]
    return tuple(map(int, parts)) if len(parts) > 1 and all(part.isdecimal() for part in parts) else ()
