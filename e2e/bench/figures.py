"""What a benchmark has found, as figures and as the rows of one table; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from e2e.bench.statistics import Spread, by_verb

Row = tuple[str, str]
EVENTS = "patch events"
"""Calls that tell people of what is done; all others do it."""


@dataclass(frozen=True, slots=True)
class Restart:
    """A controller that was started on a cluster where all is ready."""

    synced_seconds: float
    """From the start of the process until all caches are filled, the start of Python included."""
    quiet_seconds: float
    """From the start of the process until each Workspace was looked at."""
    calls: Mapping[str, int]
    writes: int
    rss_mib: float


@dataclass(frozen=True, slots=True)
class Broken:
    """A good Workspace alone, and beside others that never become ready; medians of seconds from apply to ready."""

    count: int
    alone_seconds: float
    beside_seconds: float


@dataclass(frozen=True, slots=True)
class Start:
    """One process of the controller beside hostile Workspaces."""

    good_seconds: float
    """Until all good Workspaces were ready, from their creation."""
    peak_mib: float
    lag_seconds: float
    """Which all but one in a thousand of the event loop's delays did not exceed, or hardly."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """Good Workspaces alone, and beside those that a tenant made to do harm."""

    count: int
    good: int
    alone_seconds: float
    meanwhile_seconds: float
    """While the hostile ones were created, which keeps the API server busy, too."""
    synced_seconds: float
    """From the start of the second process until all caches are filled."""
    first: Start
    second: Start
    """After a restart."""
    settled_seconds: float
    """In that process, once more."""
    unseen_seconds: float
    """Beside the same objects, by a controller that reconciles the namespace of the good ones alone: what the API server itself takes."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one run."""

    workspaces: int
    namespaces: int
    date: str
    machine: str
    bare_seconds: float
    flux_seconds: float
    create_seconds: float
    first_wave_seconds: float
    first_wave: Spread
    ready_seconds: float
    ready: Spread
    calls: Mapping[str, float]
    cpu_ms: float
    rss_mib: float
    peak_mib: float
    lag_p99_ms: float | None
    idle_calls: Mapping[str, int]
    restart: Restart
    broken: Broken | None = None
    hostile: Hostile | None = None


def rows(figures: Figures) -> Iterator[Row]:
    """Yield the table's rows: what was measured, and the figure with its unit."""
    yield "date", figures.date
    yield "first wave written, since the Workspace's creation (p50 / p95 / max)", _spread(figures.first_wave)
    yield "first wave of all written, since the first creation", _seconds(figures.first_wave_seconds)
    yield "first wave, bare client, 32 requests in flight", _seconds(figures.bare_seconds)
    yield "first wave, ratio to the bare client", f"{figures.first_wave_seconds / figures.bare_seconds:.2f}"
    yield "all Workspaces created", _seconds(figures.create_seconds)
    yield "GatewayReady, since the Workspace's creation (p50 / p95 / max)", _spread(figures.ready)
    yield "all GatewayReady, since the first creation", _seconds(figures.ready_seconds)
    yield "Flux alone: same objects, all HelmReleases Ready", _seconds(figures.flux_seconds)
    yield "ratio to Flux alone", f"{figures.ready_seconds / figures.flux_seconds:.2f}"
    events = figures.calls.get(EVENTS, 0.0)
    yield "API calls per Workspace, create to ready", _calls({title: n for title, n in figures.calls.items() if title != EVENTS})
    yield "Events per Workspace, most of them written once it is ready", f"{events:.2f}"
    yield "calls a minute when all are ready", _verbs(figures.idle_calls)
    yield (
        "restart: caches filled / all reconciled",
        f"{figures.restart.synced_seconds:.1f} / {_seconds(figures.restart.quiet_seconds)}",
    )
    yield "restart: calls", _verbs(figures.restart.calls)
    yield "restart: writes", str(figures.restart.writes)
    yield "memory, all ready (RSS / peak)", f"{figures.rss_mib:.0f} / {figures.peak_mib:.0f} MiB"
    yield "memory after the restart (RSS)", f"{figures.restart.rss_mib:.0f} MiB"
    yield "CPU per Workspace, create to ready", f"{figures.cpu_ms:.1f} ms"
    yield "event-loop lag, p99 at most", "-" if figures.lag_p99_ms is None else f"{figures.lag_p99_ms:.0f} ms"
    if figures.broken is not None:
        beside = f"{figures.broken.alone_seconds:.2f} / {_seconds(figures.broken.beside_seconds)}"
        yield f"one good Workspace to ready: alone / beside {figures.broken.count} broken ones", beside
    if figures.hostile is not None:
        yield from hostile_rows(figures.hostile)


def hostile_rows(figures: Hostile) -> Iterator[Row]:
    """Yield the rows about hostile Workspaces."""
    beside, first, second = f"beside {figures.count} hostile ones", figures.first, figures.second
    seconds = (figures.alone_seconds, figures.meanwhile_seconds, first.good_seconds, second.good_seconds)
    yield (
        f"{figures.good} good Workspaces to ready: alone / while {figures.count} hostile ones come / beside them / after a restart",
        " / ".join(map(_seconds, seconds)),
    )
    settled = f"{_seconds(figures.settled_seconds)} / {_seconds(figures.unseen_seconds)}"
    yield f"the same {beside}: later / with a controller that reconciles no other namespace", settled
    yield f"restart {beside}: caches filled", _seconds(figures.synced_seconds)
    yield f"memory {beside}: peak / after a restart", f"{first.peak_mib:.0f} / {second.peak_mib:.0f} MiB"
    lags = f"{1000 * first.lag_seconds:.0f} / {1000 * second.lag_seconds:.0f} ms"
    yield f"event-loop lag {beside}, p99.9 at most: first process / after a restart", lags


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"  # noqa: PLR2004 - three digits say enough


def _spread(value: Spread) -> str:
    return f"{value.p50:.2f} / {value.p95:.2f} / {value.max:.2f} s"


def _calls(calls: Mapping[str, float]) -> str:
    return f"{sum(calls.values()):.2f} ({_listed(by_verb(calls))})"


def _verbs(calls: Mapping[str, int]) -> str:
    total = sum(calls.values())
    return f"{total} ({_listed(by_verb(calls))})" if total else "0"


def _listed(verbs: Mapping[str, float]) -> str:
    return ", ".join(f"{verb} {count:g}" if count == int(count) else f"{verb} {count:.2f}" for verb, count in verbs.items())
