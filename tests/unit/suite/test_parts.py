"""The parts of `make test`: every test file is in one of them, and in no other."""

import fnmatch

from e2e.cluster.places import REPOSITORY
from e2e.test import LANES

PARTS = [arguments for lane in LANES for arguments in lane]


def files_of(arguments):
    ignored = [argument.partition("=")[2] for argument in arguments if argument.startswith("--ignore-glob=")]
    for argument in arguments:
        path = REPOSITORY / argument
        if path.exists():
            found = path.rglob("test_*.py") if path.is_dir() else [path]
            names = (str(each.relative_to(REPOSITORY)) for each in found)
            yield from (name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored))


def test_every_test_file_is_in_exactly_one_part():
    run = sorted(name for arguments in PARTS for name in files_of(arguments))
    there = sorted(
        str(path.relative_to(REPOSITORY)) for folder in ("tests", "e2e") for path in (REPOSITORY / folder).rglob("test_*.py")
    )
    assert run == there
    assert all(list(files_of(arguments)) for arguments in PARTS)
