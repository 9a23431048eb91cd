"""The page on compatibility with KAITO, docs/reference/kaito.md, generated from the table of what KAITO has."""

from collections.abc import Iterator, Mapping
from typing import Final

from workspace_ctrl.catalog.kaito import KaitoEntry, kaito_annotations, kaito_fields, kaito_labels, kaito_status

_INTRODUCTION: Final = """\
# Compatibility with KAITO

Generated from `workspace_ctrl/catalog/data/kaito.yaml` by `make generate`.

KAITO's manifests are used as they are. These are all annotations, labels and fields that KAITO 0.7 to 0.12 has on a Workspace:

- **honoured**: it has the effect that is described here.
- **ignored**: it has none, and a warning says so and what to use instead: at admission, in `workspace-ctrl plan`, and in the condition
  `Warning` of the status.
- **rejected**: a Workspace that has it is rejected with the reason and what to use instead: at admission, in `workspace-ctrl plan`, and in
  the status (`InvalidSpec`).

An unknown annotation with `kaito.sh/` or `workspace-ctrl/` is a warning with the closest known one. The API server does not store unknown
fields: `kubectl` rejects them by default (`--validate=strict`), other clients get a warning of the API server, and `workspace-ctrl plan`
names them with the closest known one.
"""
_SECTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "Annotations": ("ANNOTATION", "Of the Workspace."),
    "Labels": ("LABEL", "Of the Workspace. Other labels with `kaito.sh/` are yours."),
    "Fields": ("FIELD", "Added by workspace-ctrl, and not in this table: see the [Workspace reference](workspace.md)."),
    "Status": ("FIELD OR CONDITION", "What KAITO's users read."),
}


def kaito_page() -> str:
    """Return the page as Markdown."""
    tables = (kaito_annotations(), kaito_labels(), kaito_fields(), kaito_status())
    sections = (
        f"## {title}\n\n{text}\n\n{_table(head, entries)}"
        for (title, (head, text)), entries in zip(_SECTIONS.items(), tables, strict=True)
    )
    return "\n".join((_INTRODUCTION, *sections))


def _table(head: str, entries: Mapping[str, KaitoEntry]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in _rows(head, entries))


def _rows(head: str, entries: Mapping[str, KaitoEntry]) -> Iterator[tuple[str, ...]]:
    yield head, "SINCE", "HERE", "MEANING"
    yield ("---",) * 4
    for entry in entries.values():
        but = f", except `{'`, `'.join(entry.satisfied)}`" if entry.satisfied else ""
        yield f"`{entry.name}`", entry.since, f"{entry.effect}{but}", entry.reason


if __name__ == "__main__":
    print(kaito_page(), end="")  # noqa: T201 - `make generate` writes the file
