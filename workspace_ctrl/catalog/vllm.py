"""Which flags and modes of operation a version of vLLM has, and which version an image has."""

import re
from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from functools import cache
from typing import Final

from workspace_ctrl.catalog.data_files import Row, load

_FILE: Final = "vllm.yaml"
_IMAGE: Final = re.compile(r"vllm[^/:@]*:v?(\d+(?:\.\d+)+)(?:[-.+][\w.+-]*)?(?:@.*)?$")
AUTOMATIC_CONTEXT: Final = "automatic context length"
NODES_WITHOUT_RAY: Final = "several nodes without Ray"

Version = tuple[int, ...]


class Form(StrEnum):
    """How a flag takes its values on the command line, where that is not one value or a switch with a `--no-` form."""

    ARGUMENTS = "arguments"
    """`--name a b`."""
    JSON = "JSON"
    """`--name=["a", "b"]`."""
    REPEATED = "repeated"
    """`--name=a --name=b`."""
    COMMAS = "commas"
    """`--name=a,b`."""
    PRESENCE = "presence"
    """`--name`, or nothing: a switch without a `--no-` form."""


class Feature(Row):
    """A flag or mode, with the recorded versions between which vLLM has it."""

    name: str
    since: str | None = None
    """First recorded version that has it; None for the oldest one."""
    until: str | None = None
    """Last recorded version that has it; None for the newest one."""
    short: str | None = None
    """Short form of a flag, without its dash; only for command lines."""
    form: Form | None = None
    """How a flag takes its values; None if it takes one, or is a switch with a `--no-` form."""


class RefusedFlags(Row):
    """Flags that a user cannot set, for one reason."""

    flags: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    """Those that can be turned off, as they are by default."""
    because: str
    """Completes the sentence "it cannot be set: ..."."""
    way_out: str


class SecretFlag(Row):
    """A flag whose value is a secret."""

    flag: str
    note: str
    """What follows, and what to do instead."""


class ObsoleteFlag(Row):
    """A flag that only versions before the oldest recorded one had."""

    name: str
    instead: str | None = None
    """The flag that has the same effect now; None if nothing is lost without it."""


class Knowledge(Enum):
    """What is known of a feature in one version."""

    KNOWN = auto()
    LATER = auto()
    """Only newer versions have it."""
    REMOVED = auto()
    """Only older versions have it."""
    NEVER = auto()
    """No recorded version has it."""


def parse_version(text: str) -> Version:
    """Return the numbers of a version such as 0.33.0."""
    return tuple(int(part) for part in text.split("."))


def format_version(version: Version) -> str:
    """Return a version as text, such as 0.33.0."""
    return ".".join(map(str, version))


def version_of(image: str) -> Version | None:
    """Return the version in the tag of an image of vLLM; None for other images, and tags without one, such as latest."""
    found = _IMAGE.search(image)
    return parse_version(found[1]) if found else None


def has_mode(name: str, version: Version | None) -> bool:
    """Whether `version` has the mode; an unknown version counts as current."""
    return version is None or _knowledge(_modes()[name], version) is Knowledge.KNOWN


def mode(name: str) -> Feature:
    """Return the mode called `name`."""
    return _modes()[name]


def flag_in(name: str, version: Version) -> Knowledge:
    """Return whether `version` has the flag `name`, given without dashes; a `no-` before the name counts as the same flag."""
    feature = flag(name)
    return Knowledge.NEVER if feature is None else _knowledge(feature, version)


def flag(name: str) -> Feature | None:
    """Return the flag `name`, given without dashes, with or without `no-` before it; None if no recorded version has it."""
    return flags().get(name) or flags().get(name.removeprefix("no-"))


@cache
def obsolete_flags() -> Mapping[str, ObsoleteFlag]:
    """Return the flags that only versions before the oldest recorded one had, by name."""
    return {row.name: row for row in load(_FILE, "obsolete", ObsoleteFlag)}


@cache
def refused_flags() -> Mapping[str, RefusedFlags]:
    """Return the flags that a user cannot set, by name."""
    return {name: row for row in load(_FILE, "refused", RefusedFlags) for name in (*row.flags, *row.switches)}


@cache
def secret_flags() -> Mapping[str, SecretFlag]:
    """Return the flags whose value is a secret, by name."""
    return {row.flag: row for row in load(_FILE, "secrets", SecretFlag)}


@cache
def short_forms() -> Mapping[str, str]:
    """Return the flags by their short forms, such as tp, without dashes."""
    return {row.short: name for name, row in flags().items() if row.short is not None}


def flags() -> Mapping[str, Feature]:
    """Return all flags of recorded versions by name."""
    return _features("flags")


@cache
def recorded_versions() -> tuple[str, ...]:
    """Return the versions whose packages were read, the oldest first."""
    return tuple(row.name for row in load(_FILE, "versions", Feature))


def newest_version() -> Version:
    """Return the newest version whose package was read."""
    return parse_version(recorded_versions()[-1])


@cache
def _features(kind: str) -> Mapping[str, Feature]:
    return {row.name: row for row in load(_FILE, kind, Feature)}


def _modes() -> Mapping[str, Feature]:
    return _features("modes")


def _knowledge(feature: Feature, version: Version) -> Knowledge:
    """Return what is known; of versions between two recorded ones of which one has the feature, that they have it."""
    recorded = [parse_version(text) for text in recorded_versions()]
    if feature.since is not None and version < parse_version(feature.since):
        before = max((entry for entry in recorded if entry < parse_version(feature.since)), default=None)
        return Knowledge.LATER if before is None or version <= before else Knowledge.KNOWN
    if feature.until is not None and version > parse_version(feature.until):
        after = min(entry for entry in recorded if entry > parse_version(feature.until))
        return Knowledge.REMOVED if version >= after else Knowledge.KNOWN
    return Knowledge.KNOWN
