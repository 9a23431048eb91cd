"""Compares a chart with its layout by rendering it with Helm. Nothing is installed, and no cluster is contacted."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pyhelm3 import Command
from pyhelm3.errors import Error as HelmError

from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.api.yaml.documents import CHARTS, YamlError, parse_documents
from workspace_ctrl.catalog.charts import chart_version, find_layout, known_layout
from workspace_ctrl.helm.chart_layout_checks import Check, Rendered, checks, probe_values, renderings
from workspace_ctrl.model.chart_verdicts import ChartId

if sys.platform == "linux":
    import resource

_PATIENCE_SECONDS: Final = 60.0
"""Timeout of one command; the longest one fetches a chart of some kilobytes."""
_MOST_PRINTED: Final = CHARTS.size or 0
"""Largest output of a command, in bytes; a command that prints more is killed."""
_MOST_MEMORY: Final = 256 << 20
"""Memory limit of a command, in bytes; Helm needs about 80 MiB, but a template such as {{ repeat 1000000000 "a" }} uses any amount."""
_LARGEST_FILE: Final = 64 << 20
_PIECE: Final = 64 << 10
_LONGEST_WORDS: Final = 1000
_LONGEST_NAME: Final = 128
"""Name or version of a chart, in characters."""
_PRINTER: Final = "workspace-ctrl-values.yaml"
"""Template that prints a chart's values."""
_DIGEST: Final = "0123456789ab"
"""Stands for the beginning of a chart's digest."""


class ChartUnreadableError(Exception):
    """Helm's output for a chart is too large, or not as expected."""


@dataclass(frozen=True)
class ChartReport:
    """The results of the checks of a chart."""

    chart: str
    version: str
    refused: str
    """Why this version is not supported; empty if it is."""
    checks: Sequence[Check]

    @property
    def holds(self) -> bool:
        """Whether all checks pass."""
        return all(check.holds for check in self.checks)


class Helm(Command):  # type: ignore[misc] # the package has no types
    """Helm without a shell, which the image does not have, and without files outside of `folder`.

    Charts are untrusted, so the output is limited and parsed outside the event loop.
    """

    def __init__(self, program: str, folder: Path) -> None:
        super().__init__(executable=program)
        self._program = program
        folders = {"HELM_CACHE_HOME": folder / "cache", "HELM_DATA_HOME": folder / "data", "TMPDIR": folder}
        self._environment = {**os.environ, **{name: str(path) for name, path in folders.items()}}

    async def run(self, command: list[str], input: bytes | None = None) -> bytes:  # noqa: A002 - the base class's name
        """Run a command and return its output.

        Raises:
            HelmError: the command failed or timed out.
            ChartUnreadableError: the output is too large.
        """
        pipe = asyncio.subprocess.PIPE
        stdin = pipe if input is not None else asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            self._program, *map(str, command), env=self._environment, stdin=stdin, stdout=pipe, stderr=pipe
        )
        _bound(process.pid)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                out, said, _ = await asyncio.gather(
                    _printed(process, process.stdout), _printed(process, process.stderr), _give(process.stdin, input)
                )
                await process.wait()
        except TimeoutError:
            raise HelmError(-1, b"", f"helm {command[0]} timed out after {_PATIENCE_SECONDS:.0f} s".encode()) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if max(len(out), len(said)) > _MOST_PRINTED:
            raise ChartUnreadableError(f"helm {command[0]} printed more than {_MOST_PRINTED} bytes")
        if process.returncode:
            raise HelmError(process.returncode, out, said)
        return out

    async def show_chart(self, chart_ref: str) -> Mapping[str, Any]:
        """Return a chart's Chart.yaml; errors as for `run`, and ChartUnreadableError if it is not a mapping."""
        return _mapping("Chart.yaml", await self._documents("Chart.yaml", ["show", "chart", chart_ref]))

    async def default_values(self, folder: Path, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the values that the chart in `folder` uses with the `given` ones; errors as for `show_chart`.

        They include the defaults of subcharts, which are not in the chart's own values.yaml, so the chart prints them itself.
        """
        printer = folder / "templates" / _PRINTER
        await asyncio.to_thread(_write, printer, "{{ toJson .Values }}\n")
        command = ["template", "defaults", str(folder), "--show-only", f"templates/{_PRINTER}", "--values", "-"]
        printed = await self._documents("values.yaml", command, json.dumps(given).encode())
        await asyncio.to_thread(printer.unlink)
        return _mapping("values.yaml", [document for document in printed if document is not None])

    async def template(
        self, release_name: str, chart_ref: str, values: Mapping[str, Any], *, namespace: str
    ) -> list[dict[str, Any]]:
        """Return the objects of a release; errors as for `run`, and ChartUnreadableError if one is not an object."""
        command = ["template", release_name, chart_ref, "--skip-crds", "--values", "-", "--namespace", namespace]
        made = await self._documents("its rendered output", command, json.dumps(values).encode())
        objects = [document for document in made if document]
        if not all(isinstance(document, dict) for document in objects):
            raise ChartUnreadableError("its rendered output contains a document that is not an object")
        return objects

    async def _documents(self, what: str, command: list[str], given: bytes | None = None) -> list[Any]:
        text = (await self.run(command, given)).decode(errors="replace")
        try:
            return await asyncio.to_thread(parse_documents, text, CHARTS)
        except YamlError as error:
            raise ChartUnreadableError(f"{what} {error}") from None


def _bound(pid: int) -> None:
    """Limit the resources of a process; it shares the container's memory with the controller."""
    if sys.platform == "linux":
        with contextlib.suppress(ProcessLookupError):  # it may have ended already
            resource.prlimit(pid, resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))


async def _printed(process: asyncio.subprocess.Process, stream: asyncio.StreamReader | None) -> bytes:
    """Return the output of a process; a process that prints too much is killed."""
    printed = bytearray()
    while stream is not None and (piece := await stream.read(_PIECE)):
        if len(printed) <= _MOST_PRINTED:
            printed += piece
        else:
            with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
                process.kill()
    return bytes(printed)


async def _give(stream: asyncio.StreamWriter | None, given: bytes | None) -> None:
    if stream is None:
        return
    with contextlib.suppress(ConnectionError):  # the command may exit without reading its input
        stream.write(given or b"")
        await stream.drain()
    stream.close()


async def render_and_check(program: str, chart: ChartId) -> ChartReport:
    """Fetch a chart and compare it with its layout.

    Raises:
        HelmError: Helm cannot fetch or render it; `words` returns the reason.
        ChartUnreadableError: its content is too large, or invalid.
        UnknownChartError: no layout is known for it.
    """
    with tempfile.TemporaryDirectory(prefix="workspace-ctrl-") as name:
        helm = Helm(program, Path(name))
        return await _compare(helm, await fetched(helm, chart, Path(name) / "chart"), chart.version, chart.layout)


async def fetched(helm: Helm, chart: ChartId, target: Path) -> Path:
    """Fetch a chart from its registry into the new folder `target`, and return its own folder; errors as for `render_and_check`."""
    await asyncio.to_thread(target.mkdir)
    which = (
        [f"{chart.url}@{chart.digest}"]
        if chart.digest
        else [chart.url, *(["--version", chart_version(chart.version)] if chart.version else [])]
    )
    plain = ["--plain-http"] if chart.insecure else []
    await helm.run(["pull", *which, *plain, "--untar", "--untardir", str(target)])
    return await asyncio.to_thread(_only_chart, target)


async def look_at_file(program: str, path: str, version: str = "", layout: str = "") -> ChartReport:
    """Compare a chart in a folder or a file with its layout; errors as for `render_and_check`."""
    with tempfile.TemporaryDirectory(prefix="workspace-ctrl-") as name:
        helm = Helm(program, Path(name))
        await helm.show_chart(path)  # Helm limits the size of what is unpacked
        return await _compare(helm, await asyncio.to_thread(_copied, Path(path), Path(name) / "chart"), version, layout)


def words(error: Exception) -> str:
    """Return the message of Helm, or why Helm could not be run."""
    said = (error.stderr or b"").decode(errors="replace") if isinstance(error, HelmError) else str(error)
    return excerpt(said, _LONGEST_WORDS)


async def _compare(helm: Helm, folder: Path, version: str, layout: str) -> ChartReport:
    """Compare the chart in `folder`, which is changed, with its layout."""
    about = await helm.show_chart(str(folder))
    name, number = _name(about, "name"), version or _name(about, "version")
    row = known_layout(layout or name, number) or find_layout(layout or name, number)
    as_with_flux = {**about, "version": _flux_version(_name(about, "version"))}
    await asyncio.to_thread(_write, folder / "Chart.yaml", json.dumps(as_with_flux))
    defaults = await helm.default_values(folder, probe_values(row))
    rendered = [
        Rendered(entry, await helm.template(entry.names.release, str(folder), entry.values, namespace=entry.namespace))
        for entry in renderings(row)
    ]
    return ChartReport(name, number, row.refusal(number), await asyncio.to_thread(checks, row, defaults, rendered))


def _flux_version(version: str) -> str:
    """Return the version that Flux gives to a chart: its build metadata is the beginning of the digest."""
    return f"{version.removeprefix('v').partition('+')[0]}+{_DIGEST}"


def _only_chart(folder: Path) -> Path:
    """Return the folder of the chart in `folder`; Helm leaves an empty one beside it if it has pulled by digest."""
    found = [path for path in folder.iterdir() if (path / "Chart.yaml").is_file()]
    if len(found) != 1:
        raise ChartUnreadableError("it does not contain exactly one chart")
    return found[0]


def _copied(source: Path, target: Path) -> Path:
    """Return a copy of a chart in a folder or a file."""
    if source.is_dir():
        return shutil.copytree(source, target, ignore_dangling_symlinks=True)
    try:
        with tarfile.open(source) as archive:
            archive.extractall(target, filter="data")
    except tarfile.TarError as error:
        raise ChartUnreadableError(f"it cannot be unpacked: {error}") from None
    return _only_chart(target)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def _mapping(what: str, documents: Sequence[Any]) -> Mapping[str, Any]:
    found = documents[0] if documents and documents[0] is not None else {}
    if len(documents) > 1 or not isinstance(found, Mapping):
        raise ChartUnreadableError(f"{what} is not a mapping")
    return found


def _name(about: Mapping[str, Any], key: str) -> str:
    value = about.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME or not value.isprintable():
        raise ChartUnreadableError(f"Chart.yaml has no {key} of at most {_LONGEST_NAME} printable characters")
    return value
