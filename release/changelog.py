"""The notes of a release: its section of CHANGELOG.md."""

import re

from release.errors import ReleaseError

_TARGET = re.compile(
    r"""
    (?P<code> ^```.*?^``` | (?P<ticks>`+)(?:(?!\n\n).)*?(?P=ticks)(?!`) )
    | (?P<before> (?P<image>!)\[[^\]]*\]\( | \]\( )
      (?![a-z][a-z0-9+.-]*: | \# | /) (?:\./)?
      (?P<path>[^\s()]+)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
"""Code, in which nothing is a link, or the target of a link or an image that is no URL, no heading and no path of a server."""


def notes(changelog: str, version: str) -> str:
    """Return the section of a version, without its heading.

    Raises:
        ReleaseError: there is none, or nothing is in it.
    """
    found = re.search(rf"^## {re.escape(version)}(?=\s)[^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise ReleaseError(f"CHANGELOG.md has no section for {version}: add `## {version}` with what changes for users")
    return found[1].strip() + "\n"


def with_links(text: str, repository: str, tag: str) -> str:
    """Return Markdown whose relative links lead to the files of a tag: the page of a release is not beside them.

    `repository` is its page at the forge. Images are taken from where the forge serves a file itself, not a page about it.
    """

    def absolute(found: re.Match[str]) -> str:
        if found["code"]:
            return found[0]
        return f"{found['before']}{repository}/{'raw' if found['image'] else 'blob'}/{tag}/{found['path']}"

    return _TARGET.sub(absolute, text)
