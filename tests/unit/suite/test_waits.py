"""The tests of clusters wait with one bound, which is far above what anything takes."""

import re

import pytest

from e2e.cluster.places import REPOSITORY
from e2e.waiting import WAIT_SECONDS, until

SHORT = re.compile(r'--timeout=(\d+)s"')
IN_VAIN = {"tests/api/test_crd.py": 1}
"""By file: how many waits must be in vain."""


def test_no_test_of_a_cluster_waits_with_a_shorter_bound_of_its_own():
    short = {}
    for path in (path for folder in ("tests", "e2e") for path in (REPOSITORY / folder).rglob("*.py")):
        name = str(path.relative_to(REPOSITORY))
        if not name.startswith(("tests/unit/", "e2e/cluster/")):
            found = [bound for bound in SHORT.findall(path.read_text()) if int(bound) < WAIT_SECONDS]
            short |= {name: len(found)} if found else {}
    assert short == IN_VAIN


def test_waiting_in_vain_says_for_what():
    with pytest.raises(AssertionError, match="waited in vain for rain"):
        until(lambda: False, "rain", seconds=0)
