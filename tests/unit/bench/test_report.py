"""The table of figures, on the terminal and in Markdown."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from e2e.bench import report
from e2e.bench.errors import BenchmarkError
from e2e.bench.figures import Broken, Figures, Restart, rows
from e2e.bench.statistics import Spread

FIGURES = Figures(
    workspaces=200,
    namespaces=10,
    date="2026-11-21",
    machine="2 cores",
    bare_seconds=2.0,
    flux_seconds=50.0,
    create_seconds=1.0,
    first_wave_seconds=4.0,
    first_wave=Spread(1.0, 2.0, 3.0),
    ready_seconds=60.0,
    ready=Spread(30.0, 55.0, 60.0),
    calls={"patch deployments": 1.0, "patch workspaces/status": 2.5, "patch events": 1.25},
    cpu_ms=57.0,
    rss_mib=90.4,
    peak_mib=95.0,
    lag_p99_ms=None,
    idle_calls={},
    restart=Restart(synced_seconds=1.0, quiet_seconds=2.0, calls={"list pods": 1, "get /apis": 5}, writes=0, rss_mib=80.0),
)
EMPTY = f"before\n{report.BEGIN}\n{report.END}\nafter\n"


def test_rows_of_a_run():
    table = dict(rows(FIGURES))
    assert table["ratio to Flux alone"] == "1.20"
    assert table["API calls per Workspace, create to ready"] == "3.50 (patch 3.50)"
    assert table["Events per Workspace, most of them written once it is ready"] == "1.25"
    assert table["calls a minute when all are ready"] == "0"
    assert table["restart: calls"] == "6 (list 1, get 5)"
    assert table["event-loop lag, p99 at most"] == "-"
    assert table["memory, all ready (RSS / peak)"] == "90 / 95 MiB"


def test_what_was_measured_only_on_request_has_a_row_then():
    more = replace(FIGURES, lag_p99_ms=25.0, broken=Broken(50, 1.25, 1.5))
    added = set(rows(more)) - set(rows(FIGURES))
    assert added == {
        ("event-loop lag, p99 at most", "25 ms"),
        ("one good Workspace to ready: alone / beside 50 broken ones", "1.25 / 1.50 s"),
    }


def test_the_table_fits_a_hundred_columns_and_loses_nothing():
    console = Console(file=io.StringIO(), width=100)
    console.print(report.table("200 Workspaces", list(rows(FIGURES))))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text


def test_columns_are_kept_replaced_and_ordered_by_number():
    text = report.with_column(EMPTY, 1000, [("CPU", "3"), ("only here", "yes")])
    text = report.with_column(text, 50, [("CPU", "1")])
    text = report.with_column(text, 1000, [("CPU", "4"), ("only here", "yes")])
    assert text == (
        f"before\n{report.BEGIN}\n"
        "| Workspaces at once | 50 | 1,000 |\n"
        "| --- | --- | --- |\n"
        "| CPU | 1 | 4 |\n"
        "| only here |  | yes |\n"
        f"{report.END}\nafter\n"
    )


def test_a_written_table_is_read_as_it_was():
    columns = {50: dict(rows(FIGURES)), 200: {"CPU": "a / b"}}
    assert report.parse(report.markdown(columns)) == columns


def test_a_file_without_markers_is_not_touched(tmp_path):
    path = tmp_path / "performance.md"
    path.write_text("text\n")
    with pytest.raises(BenchmarkError, match="put the lines"):
        report.write(path, 50, [])
    assert path.read_text() == "text\n"
