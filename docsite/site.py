"""The documentation as a site that loads nothing of other servers: pages with their folders as in the repository, made by MkDocs."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from docsite.navigation import NAVIGATION

REPOSITORY: Final = Path(__file__).parents[1]
_LINK: Final = re.compile(r"\]\(([^)\s#]+)")
_FENCED: Final = re.compile(r"(^ *```.*?^ *```)", re.MULTILINE | re.DOTALL)
LOADED: Final = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:|//)"""
    r"""|<link\b[^>]*\brel=["']?(?:stylesheet|preload|preconnect)[^>]*\bhref=["']?(?:https?:|//)"""
    r"""|url\(["']?https?:"""
)
"""What makes a browser load something of another server."""
ICON: Final = "docs/icon.svg"
_QUIET: Final = {"NO_MKDOCS_2_WARNING": "1"}
_LIST: Final = re.compile(r"^((?![-*|#>\s]|\d+\. ).+)\n(?=(?:- |\d+\. ))", re.MULTILINE)
"""A line of a paragraph that a list follows at once, which is a list for GitHub, and for MkDocs only after an empty line."""


class SiteError(Exception):
    """The site cannot be made; the message has the reasons."""


def build(mkdocs: str, target: Path, scratch: Path) -> int:
    """Make the site in `target`, by way of the folder `scratch`; return the number of its pages.

    Raises:
        SiteError: MkDocs has something to complain about, such as a broken link, or a page would load something of another server.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    for source in sources():
        _copy(source, scratch / "pages")
    configuration = scratch / "mkdocs.yaml"
    configuration.write_text(yaml.safe_dump(_configuration(scratch / "pages", target), sort_keys=False))
    command = [mkdocs, "build", "--strict", "--quiet", "--clean", "--config-file", str(configuration)]
    result = subprocess.run(command, env={**os.environ, **_QUIET}, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SiteError(result.stdout + result.stderr)
    pages = sorted(target.rglob("*.html"))
    loading = [str(page.relative_to(target)) for page in pages if LOADED.search(page.read_text())]
    if loading:
        raise SiteError(f"pages that load something of another server: {', '.join(loading)}")
    return len(pages)


def sources() -> list[Path]:
    """Return the pages of the site, and the files that they link to, relative to the repository."""
    pages = [Path(page) for page in _pages(NAVIGATION)]
    linked = {
        (REPOSITORY / page.parent / link).resolve().relative_to(REPOSITORY)
        for page in pages
        for link in _LINK.findall((REPOSITORY / page).read_text())
        if not re.match(r"https?:|mailto:", link) and (REPOSITORY / page.parent / link).is_file()
    }
    return sorted({*pages, *linked, Path(ICON)})


def _pages(entries: object) -> Iterator[str]:
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, dict):
        for entry in entries.values():
            yield from _pages(entry)
    elif isinstance(entries, list):
        for entry in entries:
            yield from _pages(entry)


def _copy(source: Path, target: Path) -> None:
    place = target / source
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".md":
        place.write_text(for_mkdocs((REPOSITORY / source).read_text()))
    else:
        shutil.copyfile(REPOSITORY / source, place)


def for_mkdocs(text: str) -> str:
    """Return a page as MkDocs reads it: with an empty line between a paragraph and a list."""
    parts = _FENCED.split(text)
    return "".join(part if number % 2 else _LIST.sub(r"\1\n\n", part) for number, part in enumerate(parts))


def _configuration(pages: Path, target: Path) -> dict[str, object]:
    return {
        "site_name": "workspace-ctrl",
        "site_description": "A Kubernetes controller that serves open models behind one Gateway",
        "docs_dir": str(pages.resolve()),
        "site_dir": str(target.resolve()),
        "nav": NAVIGATION,
        "theme": {
            "name": "material",
            "font": False,
            "logo": ICON,
            "favicon": ICON,
            "features": ["navigation.sections", "navigation.top", "toc.follow", "content.code.copy", "search.highlight"],
            "palette": [
                {"media": "(prefers-color-scheme: light)", "scheme": "default", "primary": "indigo"},
                {"media": "(prefers-color-scheme: dark)", "scheme": "slate", "primary": "indigo"},
            ],
        },
        "use_directory_urls": False,
        "plugins": ["search"],
        "extra": {"generator": False},
        "markdown_extensions": [
            "tables",
            "attr_list",
            "sane_lists",
            {"toc": {"permalink": True}},
            "pymdownx.superfences",
            "pymdownx.highlight",
        ],
        "validation": {
            "nav": {"omitted_files": "warn", "not_found": "warn", "absolute_links": "warn"},
            "links": {"not_found": "warn", "anchors": "warn", "absolute_links": "warn", "unrecognized_links": "warn"},
        },
    }
