"""`python -m e2e.bench`: raise a cluster, measure, print, remove the cluster."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from e2e.bench import report
from e2e.bench.errors import BenchmarkError
from e2e.bench.figures import Figures, rows
from e2e.bench.profiled import exclusive, inclusive, parse_collapsed
from e2e.bench.run import Options, benchmark
from e2e.cluster import Cluster, ClusterError, Form, down, up

_NAME = "bench"
_DOCUMENT = Path("docs/performance.md")
_INTERRUPTED = 130
_FUNCTIONS_SHOWN = 25


@click.command()
@click.option("--workspaces", "-n", type=click.IntRange(1, 5000), default=200, show_default=True, help="How many, at once.")
@click.option("--broken", type=click.IntRange(0, 500), default=0, help="Also: one good Workspace beside this many broken ones.")
@click.option("--hostile", type=click.IntRange(0, 500), default=0, help="Also: good Workspaces beside this many hostile ones.")
@click.option("--output", "-o", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Format.")
@click.option("--write", is_flag=True, help=f"Put the figures into {_DOCUMENT}.")
@click.option("--profile", type=click.Path(path_type=Path), help="Sample the controller's CPU time into this file.")
@click.option("--policies/--no-policies", default=True, show_default=True, help="Enforce the chart's admission policies.")
def main(*, workspaces: int, broken: int, hostile: int, output: str, write: bool, profile: Path | None, policies: bool) -> None:
    """Measure the controller on a control plane of its own with real Flux; pods are played."""
    figures: Figures | None = None
    failure: str | int = _INTERRUPTED
    try:
        if write:
            report.check(_DOCUMENT)
        with redirect_stdout(sys.stderr), _cluster() as cluster:
            figures = benchmark(cluster, Options(workspaces, broken, hostile, profile, policies))
    except* (BenchmarkError, ClusterError) as group:
        failure = f"the benchmark failed: {_first(group)}"
    except* KeyboardInterrupt:
        failure = _INTERRUPTED
    if figures is None:
        sys.exit(failure)
    _show(figures, output)
    if profile is not None:
        _show_profile(profile)
    if write:
        report.write(_DOCUMENT, figures.workspaces, [("machine", figures.machine), *rows(figures)])


def _first(error: BaseException) -> BaseException:
    """Return the first error of a group that may hold groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@contextmanager
def _cluster() -> Iterator[Cluster]:
    """Raise the benchmark's own cluster, and remove it whatever happens."""
    down(_NAME)
    try:
        yield up(_NAME, Form.PLANE)
    finally:
        down(_NAME)


def _show(figures: Figures, output: str) -> None:
    if output == "json":
        print(json.dumps(asdict(figures), indent=2))
        return
    title = f"{figures.workspaces} Workspaces at once in {figures.namespaces} namespaces · {figures.machine}"
    console = Console(width=report.WIDTH)
    console.print(report.table(title, list(rows(figures))))
    for call, count in figures.calls.items():
        console.print(f"  {count:6.2f}  {call}", highlight=False)


def _show_profile(path: Path) -> None:
    stacks = parse_collapsed(path.read_text())
    total = stacks.total()
    for title, counts in (("with all that they call", inclusive(stacks)), ("themselves", exclusive(stacks))):
        print(f"\nshare of the controller's CPU time, {title}:")
        for function, count in counts.most_common(_FUNCTIONS_SHOWN):
            print(f"  {100 * count / total:5.1f} %  {function}")


if __name__ == "__main__":
    main()
