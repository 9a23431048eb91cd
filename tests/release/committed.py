"""The working tree as it is now in a commit of its own, so that tests release what they are run on."""

import shutil
import subprocess
from pathlib import Path

from e2e.cluster.places import REPOSITORY

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "build", "*.egg-info")
DATE = "2026-01-02T03:04:05Z"


def git(repository: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE, "HOME": str(repository.parent), "PATH": "/usr/bin:/bin"}
    command = ["git", *who, *arguments]
    subprocess.run(command, cwd=repository, env=dates, check=True, capture_output=True)


def committed(root: Path) -> Path:
    """Make `root` a git repository with the files of this one in one commit, and return it."""
    shutil.copytree(REPOSITORY, root, ignore=NOT_COPIED, symlinks=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=everything")
    return root
