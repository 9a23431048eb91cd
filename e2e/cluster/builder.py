"""Builds the Go programs of a folder once per content, showing how far it is.

A build is named by the hash of everything that decides its bytes, so a finished one is never built again, and an
interrupted one goes on where it was: Go's own cache keeps every compiled package.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import cache
from e2e.cluster.catalog import FOLDERS, Asset, GoFolder
from e2e.cluster.errors import ClusterError
from e2e.cluster.places import cache_dir, locked
from e2e.cluster.progress import BuildDisplay
from e2e.cluster.time_left import TimeLeft
from e2e.cluster.toolchain import go, go_version

GO_SETTINGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", "GOGC": "400", "GOWORK": "off"}
NO_DWARF = "-gcflags=all=-dwarf=false"
"""What debuggers read is not made, as the linker would leave it out: a tenth of the compilers' time.

The programs are the same, so it is no part of the name of a build.
"""
ERROR_LINES = 40
AT_ONCE = 2


@dataclass(frozen=True)
class Build:
    """The finished output of a folder."""

    root: Path

    def binary(self, name: str) -> Path:
        """Return the path of a program."""
        return self.root / "bin" / name

    def asset(self, name: str) -> Path:
        """Return the path of a copied folder of a module."""
        return self.root / "share" / name


def fingerprint(
    go_mod: str, go_sum: str, version: str, ldflags: str, assets: Iterable[Asset] = (), *, sources: Iterable[str] = ()
) -> str:
    """Return the name of a build: the hash of all that its output depends on."""
    digest = hashlib.sha256()
    for part in (go_mod, go_sum, version, ldflags, *map(repr, assets), *sources):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:16]


def build(folder: GoFolder, left: TimeLeft | None = None) -> Build:
    """Return the folder's build, made now if it is not in the cache. A second caller waits for the first.

    `left` is the time left of all that are being built, where this is not the only one.
    """
    finished = output_of(folder)
    if cache.take(finished.root):
        return finished
    left = left or TimeLeft({folder.name: folder.usual})
    with locked(f"build-{folder.name}", busy=f"build {folder.name}: another process builds it, waiting"):
        if not cache.take(finished.root):
            _build_into(folder, finished.root, left)
            cache.trim("programs")
    left.finished(folder.name)
    return finished


def build_all(folders: Iterable[GoFolder]) -> None:
    """Build what is not in the cache, two folders at once, in the order of the catalog.

    One alone keeps two cores busy for two thirds of its time: downloading and linking take one, or none.
    """
    wanted = set(folders)
    in_order = [folder for folder in FOLDERS.values() if folder in wanted]
    missing = [folder for folder in in_order if folder.has_programs and not output_of(folder).root.exists()]
    left = TimeLeft({folder.name: folder.usual for folder in missing})
    with ThreadPoolExecutor(AT_ONCE) as threads:
        builds = [threads.submit(build, folder, left) for folder in in_order]
        try:
            for each in as_completed(builds):
                each.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)  # what is being built is waited for at the end of the block
            raise


def output_of(folder: GoFolder) -> Build:
    """Return where the folder's build lies or will lie."""
    flags = " ".join((folder.ldflags, *_tags(folder)))
    name = fingerprint(
        folder.go_mod, (folder.path / "go.sum").read_text(), go_version(), flags, folder.assets, sources=folder.sources
    )
    return Build(cache_dir() / "programs" / f"{folder.name}-{name}")


def follow(
    name: str, command: list[str], show: Callable[[str], None], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    """Run the command that builds `name`, and pass each line of its output to `show`.

    Raises:
        ClusterError: it failed; the message has the end of its output.
    """
    output: list[str] = []
    with subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            for line in process.stdout or ():
                output.append(line.rstrip())
                show(line.strip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise ClusterError(f"building {name} failed:\n" + "\n".join(output[-ERROR_LINES:]))


def _build_into(folder: GoFolder, final: Path, left: TimeLeft) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=f".{folder.name}-") as scratch:
        output = Build(Path(scratch) / "build")
        output.binary("x").parent.mkdir(parents=True)
        if folder.has_programs:
            print(f"build {folder.name}: downloading modules", file=sys.stderr, flush=True)
            total = len(_go(folder, "list", *_tags(folder), "-deps", "tool").splitlines())
            left.at_most(folder.name, total)
            with BuildDisplay(folder.name, total, left) as display:
                _compile(folder, output, display)
        for asset in folder.assets:
            _go(folder, "mod", "download", asset.module)
            module = _go(folder, "list", "-m", "-f", "{{.Dir}}", asset.module)
            shutil.copytree(Path(module) / asset.path, output.asset(asset.name), copy_function=shutil.copyfile)
        _make_writable(output.root)
        output.root.rename(final)


def _compile(folder: GoFolder, output: Build, display: BuildDisplay) -> None:
    command = [str(go()), "build", "-v", "-mod=readonly", "-trimpath", NO_DWARF, *_tags(folder), "-ldflags", folder.ldflags]
    command += ["-o", f"{output.binary('x').parent}/", "tool"]
    follow(folder.name, command, display.line, cwd=folder.path, env=_environment())


def _tags(folder: GoFolder) -> tuple[str, ...]:
    return (f"-tags={','.join(folder.tags)}",) if folder.tags else ()


def _go(folder: GoFolder, *arguments: str) -> str:
    result = subprocess.run(
        [str(go()), *arguments], cwd=folder.path, env=_environment(), capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise ClusterError(f"go {' '.join(arguments)} in {folder.name} failed:\n{result.stderr.strip()}")
    return result.stdout.strip()


def _environment() -> dict[str, str]:
    return {**os.environ, **GO_SETTINGS}


def _make_writable(root: Path) -> None:
    """Lift the module cache's write protection, which copied folders keep and which deleting would stumble over."""
    for path in (root, *root.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
