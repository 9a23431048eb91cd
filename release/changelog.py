"""The notes of a release: its section of CHANGELOG.md."""

import re

from release.errors import ReleaseError


def notes(changelog: str, version: str) -> str:
    """Return the section of a version, without its heading.

    Raises:
        ReleaseError: there is none, or nothing is in it.
    """
    found = re.search(rf"^## {re.escape(version)}(?=\s)[^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise ReleaseError(f"CHANGELOG.md has no section for {version}: add `## {version}` with what changes for users")
    return found[1].strip() + "\n"
