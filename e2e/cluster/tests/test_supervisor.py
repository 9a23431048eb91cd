"""The environment in which programs of a cluster run."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import pytest

from e2e.cluster.program import Program
from e2e.cluster.supervisor import CORES, environment


@pytest.mark.parametrize(
    ("outer", "own", "expected"),
    [
        pytest.param({}, {}, None, id="of nobody"),
        pytest.param({CORES: "1"}, {}, "1", id="of all programs"),
        pytest.param({CORES: "1", "GOMAXPROCS": "3"}, {}, "3", id="of the user"),
        pytest.param({CORES: "1", "GOMAXPROCS": "3"}, {"GOMAXPROCS": "2"}, "2", id="of the program"),
    ],
)
def test_go_programs_take_the_nearest_number_of_cores(monkeypatch, outer, own, expected):
    for name in (CORES, "GOMAXPROCS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in outer.items():
        monkeypatch.setenv(name, value)
    assert environment(Program.make("it", "it", env=own)).get("GOMAXPROCS") == expected
