"""Makes the clusters of e2e/cluster available to every test, and measures tests where that is asked for."""

import gc
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
# The tests start hundreds of interpreters. Where nothing compiled may be kept, as in many containers, each compiles all modules anew, and
# pytest rewrites the assertions of all tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Go programs collect garbage when their heap has grown to four times of what is in use, instead of twice: an API server takes 40 % less CPU
# time with that, for some hundred megabytes.
os.environ.setdefault("GOGC", "300")
# Programs of clusters are idle for most of the time and wake up for timers; to look for work on a second core each time takes a tenth of
# their CPU time, and makes nothing quicker where several parts run at once. Compilers are not concerned.
os.environ.setdefault("WORKSPACE_CTRL_GOMAXPROCS", "1")
# Modules and collected tests stay to the end. Looking for garbage among them, thousands of times, is a fifth of the CPU time of unit tests.
gc.disable()
gc.set_threshold(20_000, 20, 20)

pytest_plugins = ["e2e.cluster.fixtures", "e2e.costs", "pytester"]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
