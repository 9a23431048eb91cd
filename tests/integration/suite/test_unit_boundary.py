"""A unit test that starts a program or opens a connection fails, whatever it asserts."""

import pytest

from e2e.cluster.places import REPOSITORY

OUTSIDE = {
    "a program": "import subprocess; subprocess.run(['true'], check=True)",
    "a process": "import os; pid = os.fork() or os._exit(0); os.waitpid(pid, 0)",
    "a server": "import socket; socket.create_server(('127.0.0.1', 0)).close()",
    "in a thread": "import subprocess, threading; one = threading.Thread(target=subprocess.run, args=(['true'],)); one.start(); one.join()",
    "swallowed": """
    import contextlib, socket
    with contextlib.suppress(OSError):
        socket.create_connection(('127.0.0.1', 1))
""",
}


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))


def outcomes(pytester, body):
    """What becomes of a unit test with this body."""
    pytester.makeconftest("from tests.unit.conftest import fixtures_stay_in_their_process, stays_in_its_process\n")
    pytester.makepyfile(f"def test_one():\n    {body}\n")
    result = pytester.runpytest_subprocess("-p", "no:randomly")
    return result.parseoutcomes(), result.stdout.str()


@pytest.mark.parametrize("body", [pytest.param(body, id=what) for what, body in OUTSIDE.items()])
def test_what_leaves_the_process_is_an_error_that_says_where_it_belongs(pytester, body):
    found, text = outcomes(pytester, body)
    assert found.get("errors") == 1
    assert "a unit test starts no program and opens no connection; tests/integration is for those" in text


def test_what_stays_passes(pytester):
    assert outcomes(pytester, "import asyncio; asyncio.run(asyncio.sleep(0)); open(__file__).close()")[0] == {"passed": 1}


def test_what_tests_share_stays_as_well(pytester):
    pytester.makeconftest("from tests.unit.conftest import fixtures_stay_in_their_process, stays_in_its_process\n")
    pytester.makepyfile("import subprocess\n\ndef setup_module():\n    subprocess.run(['true'])\n\ndef test_one():\n    pass\n")
    assert pytester.runpytest_subprocess("-p", "no:randomly").parseoutcomes() == {"passed": 1, "errors": 1}
