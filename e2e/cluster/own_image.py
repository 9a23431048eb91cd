"""The controller's image, built without Docker but with the content of the Dockerfile.

Layers that are made once per content: Debian's Python, the packages of requirements/runtime.txt, and our own modules, compiled; then the
program that starts them. Made anew, a layer has the same bytes: no time and no order of this machine is in it.
"""

import ast
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from e2e.cluster.cache import take, trim
from e2e.cluster.debian import PYTHON_VERSION, python_layer
from e2e.cluster.errors import ClusterError
from e2e.cluster.oci import FileEntry, Image
from e2e.cluster.places import PYTHON, REPOSITORY, cache_dir, locked

REPOSITORY_NAME = "localhost/workspace-ctrl"
FOLDER = "/opt/workspace-ctrl"
REQUIREMENTS = REPOSITORY / "requirements" / "runtime.txt"
HELM_PATH = "/usr/local/bin/helm"
BILL = f"{FOLDER}/sbom.cdx.json"
PROGRAM = "/usr/local/bin/workspace-ctrl"
USER = "65532:65532"
_STANDARD_LIBRARY = f"/usr/lib/python{PYTHON_VERSION}"
ENVIRONMENT = (f"PYTHONPATH={FOLDER}", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1")


def version(source: Path = REPOSITORY) -> str:
    """Return the controller's version."""
    value: str = tomllib.loads((source / "pyproject.toml").read_text())["project"]["version"]
    return value


def controller(tag: str = "", source: Path = REPOSITORY) -> Image:
    """Return the image of the controller as it is in `source` now; without `tag`, its content names it."""
    files = _own_files(source)
    layers = (python_layer(), packages_layer(source), modules_layer(source))
    return Image(
        name=f"{REPOSITORY_NAME}:{tag or _content_name(version(source), files, layers)}",
        files=files,
        layers=layers,
        entrypoint=(PROGRAM,),
        user=USER,
        env=("PATH=/usr/local/bin:/usr/bin:/bin", *ENVIRONMENT),
        labels=labels(source),
    )


def below(source: Path = REPOSITORY) -> Image:
    """Return an image of what stays the same when the controller's modules change: the layers below them."""
    layers = (python_layer(), packages_layer(source))
    return Image(f"{REPOSITORY_NAME}-below:1", files=(), layers=layers, entrypoint=("/usr/bin/python3",), user=USER)


def with_helm(image: Image, helm: Path, helm_version: str) -> Image:
    """Return the image with helm in it, and in its bill of materials: what the Dockerfile calls `with-helm`."""
    bill = json.loads(_run("tar", "--extract", "--to-stdout", f"--file={image.layers[1]}", BILL[1:]))
    with tempfile.TemporaryDirectory() as nothing:
        (entry,) = json.loads(_sbom(nothing, "--program", f"helm@{helm_version}={helm}"))["components"]
    bill["components"] = sorted([*bill["components"], entry], key=lambda each: (each["name"], each["version"]))
    files = (*image.files, FileEntry(HELM_PATH, helm), FileEntry(BILL, json.dumps(bill, indent=1) + "\n"))
    return dataclasses.replace(image, name=f"{image.name}-with-helm", files=files)


def labels(source: Path = REPOSITORY) -> tuple[tuple[str, str], ...]:
    """Return what the image says of itself."""
    return (("org.opencontainers.image.title", "workspace-ctrl"), ("org.opencontainers.image.version", version(source)))


def _own_files(source: Path) -> tuple[FileEntry, ...]:
    about = f"Metadata-Version: 2.1\nName: workspace-ctrl\nVersion: {version(source)}\n"
    return (
        FileEntry(PROGRAM, source / "image" / "workspace-ctrl"),
        FileEntry(f"{FOLDER}/workspace_ctrl-{version(source)}.dist-info/METADATA", about),
    )


def _content_name(number: str, files: tuple[FileEntry, ...], layers: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = file.source.encode() if isinstance(file.source, str) else file.source.read_bytes()
        digest.update(f"{file.path}:{len(content)}:".encode() + content)
    digest.update("\n".join(layer.name for layer in layers).encode())
    return f"{number}-{digest.hexdigest()[:12]}"


def packages_layer(source: Path = REPOSITORY) -> Path:
    """Return the layer with the packages that the controller runs on, made now if it is not in the cache."""
    base, requirements = python_layer(), source / REQUIREMENTS.relative_to(REPOSITORY)
    parts = (_FORM, base.name, requirements.read_text(), _imports(source))
    digest = hashlib.sha256("\n".join(parts).encode())

    def write(root: Path, layer: Path) -> None:
        print("installing the packages of the controller's image", flush=True)
        write_packages_layer(base, source, root, layer)

    return _kept("packages", digest.hexdigest(), write)


def modules_layer(source: Path = REPOSITORY) -> Path:
    """Return the layer with the controller's modules and what their Python makes of them, made now if it is not in the cache.

    A controller whose modules are not compiled needs half a second more of CPU time at each start: nobody may write in its image.
    """
    base, package = python_layer(), source / "workspace_ctrl"
    digest = hashlib.sha256(f"{_MODULES_FORM}\n{base.name}\n".encode())
    for path in sorted(path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package)}:{len(content)}:".encode() + content)
    return _kept("modules", digest.hexdigest(), lambda root, layer: write_modules_layer(base, package, root, layer))


def _kept(name: str, digest: str, write: Callable[[Path, Path], None]) -> Path:
    """Return a layer of the cache, which `write` makes where it is not there, with a folder for a file system."""
    final = cache_dir() / "layers" / f"{name}-{digest[:16]}.tar"
    with locked(name):
        if not take(final):
            with tempfile.TemporaryDirectory(dir=final.parent, prefix=".") as scratch:
                layer = Path(scratch) / "layer.tar"
                write(Path(scratch) / "root", layer)
                layer.rename(final)
            trim("layers")
    return final


_MODULES_FORM = "times of 0, all compiled"
"""What else the layer of the modules is like: part of the name under which it is kept."""


def write_modules_layer(base: Path, package: Path, root: Path, layer: Path) -> None:
    """Write the layer on `base`, in the folder `root`, which becomes a file system with that Python.

    Raises:
        ClusterError: a module does not compile.
    """
    target = root / FOLDER[1:] / package.name
    root.mkdir()
    _run("tar", "--extract", f"--file={base}", f"--directory={root}")
    shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))
    for path in target.rglob("*"):
        os.utime(path, (0, 0))  # compiled files have the times of their sources in them
    command = ["/usr/bin/python3", "-m", "compileall", "-q", "--invalidation-mode=timestamp", f"{FOLDER}/{package.name}"]
    _run("env", "PYTHONHASHSEED=0", "chroot", str(root), *command)
    _run("tar", "--create", f"--file={layer}", *_SAME, "--mode=go=u-w", f"--directory={root}", FOLDER[1:])


@cache
def _imports(source: Path) -> str:
    """Return a program with all imports of packages in the controller's modules: what these import is compiled, and nothing else."""
    found = set()
    for path in (source / "workspace_ctrl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [entry.name for entry in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] not in {"workspace_ctrl", *sys.stdlib_module_names} for name in names):
                found.add(ast.unparse(node))
    return "\n".join(sorted(found))


_FORM = "times of 0, compiled one by one, no scripts, with what is imported of the standard library"
"""What else a packages layer is like: part of the name under which it is kept."""
_COMPILE = """
import pathlib, py_compile, sys
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.pyc")):
    path.unlink()
    py_compile.compile(str(path.parent.parent / f"{path.name.partition('.')[0]}.py"), cfile=str(path), doraise=True)
"""
"""Compiles anew what has been compiled: what an import writes depends on which objects other modules have in memory."""


def write_packages_layer(base: Path, source: Path, root: Path, layer: Path) -> None:
    """Write the layer on `base`, in the folder `root`, which becomes a file system that the controller can start in.

    Raises:
        ClusterError: a package is not to be had, or the controller does not start.
    """
    target = root / FOLDER[1:]
    target.mkdir(parents=True)
    _run("tar", "--extract", f"--file={base}", f"--directory={root}")
    kind = ["--python-version", PYTHON_VERSION, "--implementation", "cp", "--only-binary=:all:", "--require-hashes", "--no-compile"]
    requirements = source / REQUIREMENTS.relative_to(REPOSITORY)
    _run(str(PYTHON), "-m", "pip", "install", "--quiet", *kind, "--target", str(target), "-r", str(requirements))
    _remove_scripts(target)
    shutil.copytree(source / "workspace_ctrl", root / "src" / "workspace_ctrl")
    for path in target.rglob("*"):
        os.utime(path, (0, 0))  # compiled files have the times of their sources in them
    # What the program imports is compiled; all of the packages compiled would be 50 MB more. So is what these import of Python itself, of
    # which Debian's packages have only sources: half a second of CPU time for each start.
    inside = ["chroot", str(root), "/usr/bin/python3"]
    settings = [f"PYTHONPATH={FOLDER}:/src", "PYTHONHASHSEED=0"]
    _run("env", "-u", "PYTHONDONTWRITEBYTECODE", *settings, *inside, "-c", _imports(source))
    _run("env", *settings, "PYTHONDONTWRITEBYTECODE=1", *inside, "-m", "workspace_ctrl", "run", "--help")
    for folder in (FOLDER, _STANDARD_LIBRARY):
        _run("env", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", *inside, "-c", _COMPILE, folder)
    (target / "sbom.cdx.json").write_text(_sbom(str(target)))
    compiled = sorted(str(path.relative_to(root)) for path in (root / _STANDARD_LIBRARY[1:]).rglob("__pycache__"))
    _run("tar", "--create", f"--file={layer}", *_SAME, f"--directory={root}", FOLDER[1:], *compiled)


_SAME = ("--owner=0", "--group=0", "--numeric-owner", "--sort=name", "--mtime=@0", "--format=gnu")
"""Has tar write the same bytes for the same files."""


def _remove_scripts(target: Path) -> None:
    """Remove what packages install as commands, also from their records: they name the Python of this machine in their first lines."""
    shutil.rmtree(target / "bin", ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        lines = record.read_text().splitlines(keepends=True)
        record.write_text("".join(line for line in lines if not line.startswith("../../bin/")))


def _sbom(*arguments: str) -> str:
    return _run(str(PYTHON), str(REPOSITORY / "image" / "sbom.py"), *arguments)


def _run(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.stdout
