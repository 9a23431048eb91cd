"""The version is in pyproject.toml; this writes it to where else it has to be: `make generate` does, and `make lint` compares."""

import re
import tomllib
from pathlib import Path

_NUMBER = r"\d+\.\d+\.\d+"
_PLACES = (
    ("charts/workspace-ctrl/Chart.yaml", rf"^((?:version|appVersion): ){_NUMBER}$"),
    ("flux/controller.yaml", rf"^(  ref: \{{tag: ){_NUMBER}(?=\}}$)"),
    ("**/*.md", rf"(workspace-ctrl[-:]v?){_NUMBER}(?![\w-])"),
)
"""File and what precedes the version in it; the documents name archives, images and tags."""
_HISTORY = {"CHANGELOG.md"}


def stale(root: Path) -> dict[Path, str]:
    """Return the files that have another version than pyproject.toml, each with the text that it should have."""
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    changed: dict[Path, str] = {}
    for pattern, place in _PLACES:
        for path in sorted(root.glob(pattern)):
            if path.name in _HISTORY or any(part.startswith(".") for part in path.relative_to(root).parts):
                continue
            text = path.read_text()
            wanted = re.sub(place, lambda found: found[1] + version, text, flags=re.MULTILINE)
            if wanted != text:
                changed[path] = wanted
    return changed
