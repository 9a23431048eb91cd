"""Helm, asked whether a chart is as its layout says. Nothing is installed, and no cluster is asked."""

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pyhelm3 import Command
from pyhelm3.errors import Error as HelmError

from workspace_ctrl.catalog.charts import find_layout, known_layout
from workspace_ctrl.planning.chart_check import Check, Rendered, checks, renderings
from workspace_ctrl.records.charts import ChartId

_PATIENCE_SECONDS: Final = 60.0
"""For one command; the longest one fetches a chart of some kilobytes."""


@dataclass(frozen=True)
class Report:
    """A chart and what was found."""

    chart: str
    version: str
    refused: str
    """Why this version is not installed; empty where it is."""
    checks: Sequence[Check]

    @property
    def holds(self) -> bool:
        """Whether all is as we count on."""
        return all(check.holds for check in self.checks)


class Helm(Command):  # type: ignore[misc] # the package has no types
    """Helm without a shell in between, which images without one lack, and without files outside of `folder`."""

    def __init__(self, program: str, folder: Path) -> None:
        super().__init__(executable=program)
        self._program = program
        self._environment = {**os.environ, "HELM_CACHE_HOME": str(folder / "cache"), "HELM_DATA_HOME": str(folder / "data")}

    async def run(self, command: list[str], input: bytes | None = None) -> bytes:  # noqa: A002 - the base class's name
        """Run a command and return what it printed.

        Raises:
            HelmError: Helm refuses, or does not end in time.
        """
        pipe = asyncio.subprocess.PIPE
        stdin = pipe if input is not None else asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            self._program, *map(str, command), env=self._environment, stdin=stdin, stdout=pipe, stderr=pipe
        )
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                out, said = await process.communicate(input)
        except TimeoutError:
            raise HelmError(-1, b"", f"helm {command[0]} timed out after {_PATIENCE_SECONDS:.0f} s".encode()) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise HelmError(process.returncode, out, said)
        return out


async def look_at(program: str, chart: ChartId) -> Report:
    """Fetch a chart and compare it with its layout.

    Raises:
        HelmError: Helm cannot fetch or render it; `words` returns why.
        UnknownChartError: no layout covers it.
    """
    with tempfile.TemporaryDirectory(prefix="workspace-ctrl-") as name:
        folder = Path(name)
        helm, target = Helm(program, folder), folder / "chart"
        target.mkdir()
        which = (
            [f"{chart.url}@{chart.digest}"]
            if chart.digest
            else [chart.url, *(["--version", chart.version] if chart.version else [])]
        )
        await helm.run(["pull", *which, *(["--plain-http"] if chart.insecure else []), "--destination", str(target)])
        (packed,) = await asyncio.to_thread(lambda: list(target.iterdir()))
        return await _compare(helm, str(packed), chart.version, chart.layout)


async def look_at_file(program: str, path: str, version: str = "", layout: str = "") -> Report:
    """Compare a chart in a folder or a file with its layout; errors as for `look_at`."""
    with tempfile.TemporaryDirectory(prefix="workspace-ctrl-") as name:
        return await _compare(Helm(program, Path(name)), path, version, layout)


def words(error: Exception) -> str:
    """Return what Helm said, or why it could not be asked."""
    return (error.stderr or b"").decode(errors="replace").strip() if isinstance(error, HelmError) else str(error)


async def _compare(helm: Helm, path: str, version: str, layout: str) -> Report:
    about = await helm.show_chart(path)
    name, number = str(about["name"]), version or str(about["version"])
    row = known_layout(layout or name, number) or find_layout(layout or name, number)
    defaults: Mapping[str, Any] = await helm.show_values(path) or {}
    rendered = [
        Rendered(
            entry,
            [made for made in await helm.template(entry.names.release, path, entry.values, namespace=entry.namespace) if made],
        )
        for entry in renderings(row)
    ]
    return Report(name, number, row.refused, checks(row, defaults, rendered))
