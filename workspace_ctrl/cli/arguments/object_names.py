"""Kinds and names as kubectl takes them: `NAME`, `workspace/NAME`, `workspace NAME`; and `NAMESPACE/NAME`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import click

from workspace_ctrl.api.labels import GROUP, KIND, OLDER_VERSIONS, PLURAL, SET_KIND, SET_PLURAL, STORAGE_VERSION
from workspace_ctrl.kube.resources import ApiResource


@dataclass(frozen=True, slots=True)
class ShownKind:
    """A kind that the commands show."""

    resource: ApiResource
    short_names: tuple[str, ...] = ()

    @property
    def words(self) -> frozenset[str]:
        """What users may call it."""
        single, plural = self.resource.kind.lower(), self.resource.plural
        return frozenset({single, plural, *self.short_names, f"{single}.{self.resource.group}", f"{plural}.{self.resource.group}"})


WORKSPACE_KIND: Final = ShownKind(ApiResource(GROUP, STORAGE_VERSION, PLURAL, KIND, older=OLDER_VERSIONS), ("wk", "wks"))
INFERENCE_SET_KIND: Final = ShownKind(
    ApiResource(GROUP, STORAGE_VERSION, SET_PLURAL, SET_KIND, older=OLDER_VERSIONS), ("is", "isets")
)
INSTALL_CRDS: Final = (
    "install the CRDs with: workspace-ctrl crd | kubectl apply --server-side -f - (beside KAITO, its chart has them, that of InferenceSets "
    "with the feature gate enableInferenceSetController)"
)
"""What to do where one of these kinds is not served."""
KINDS: Final = (WORKSPACE_KIND, INFERENCE_SET_KIND)
"""Where a name has no kind, that of the first one is meant that has an object of the name."""
_BY_WORD: Final[Mapping[str, ShownKind]] = {word: kind for kind in KINDS for word in kind.words}
KIND_WORDS: Final = frozenset(_BY_WORD)
"""What users may call a kind, in lower case."""


@dataclass(frozen=True, slots=True)
class ObjectName:
    """One object, or all of a kind and namespace."""

    kind: ShownKind = WORKSPACE_KIND
    name: str = ""
    """Empty for all."""
    namespace: str = ""
    """Empty where the option, or the context, decides."""
    is_kind_given: bool = True

    @property
    def kinds(self) -> tuple[ShownKind, ...]:
        """The kinds that may be meant, in that order."""
        return (self.kind,) if self.is_kind_given else KINDS


def parse_names(words: Sequence[str]) -> tuple[ObjectName, ...]:
    """Return what `words` name: nothing is all Workspaces and InferenceSets.

    A kind as the first word applies to all names after it. `KIND/NAME` takes precedence over `NAMESPACE/NAME`.

    Raises:
        click.UsageError: a word has more than one slash, or an empty part.
    """
    rest = list(words)
    kind = _BY_WORD[rest.pop(0).lower()] if rest and rest[0].lower() in _BY_WORD else None
    everything = ObjectName(kind or WORKSPACE_KIND, is_kind_given=kind is not None)
    return tuple(_parse(word, kind) for word in rest) or (everything,)


def _parse(word: str, kind: ShownKind | None) -> ObjectName:
    before, slash, name = word.partition("/")
    meant = kind or WORKSPACE_KIND
    if not slash:
        return ObjectName(meant, word, is_kind_given=kind is not None)
    if not before or not name or "/" in name:
        raise click.UsageError(f"{word!r} must be NAME, {meant.resource.kind.lower()}/NAME or NAMESPACE/NAME")
    found = _BY_WORD.get(before.lower())
    return ObjectName(found, name) if found is not None else ObjectName(meant, name, before, is_kind_given=kind is not None)
