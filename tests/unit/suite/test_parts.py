"""The parts of `make test`, `make test-unit` and `make test-integration`: every test file is in one of them, and in no other."""

import fnmatch

import pytest

from e2e.cluster.places import REPOSITORY
from e2e.test import INTEGRATION_PARTS, PARTS, UNIT_PARTS


def files_of(arguments):
    ignored = [argument.partition("=")[2] for argument in arguments if argument.startswith("--ignore-glob=")]
    for argument in arguments:
        path = REPOSITORY / argument
        if path.exists():
            found = path.rglob("test_*.py") if path.is_dir() else [path]
            names = (str(each.relative_to(REPOSITORY)) for each in found)
            yield from (name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored))


@pytest.mark.parametrize(
    ("parts", "folders"),
    [
        pytest.param(PARTS, ("tests", "e2e"), id="make test"),
        pytest.param(UNIT_PARTS, ("tests/unit",), id="make test-unit"),
        pytest.param(INTEGRATION_PARTS, ("tests/integration",), id="make test-integration"),
    ],
)
def test_every_test_file_is_in_exactly_one_part(parts, folders):
    run = sorted(name for arguments in parts for name in files_of(arguments))
    there = sorted(str(path.relative_to(REPOSITORY)) for folder in folders for path in (REPOSITORY / folder).rglob("test_*.py"))
    assert run == there
    assert all(list(files_of(arguments)) for arguments in parts)
