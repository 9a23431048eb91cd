"""The controller's image, built without Docker but with the content of the Dockerfile.

Three layers, each made once per content: Debian's Python, the packages of requirements/runtime.txt, and our own files.
"""

import functools
import hashlib
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

from e2e.cluster.debian import PYTHON_VERSION, python_layer
from e2e.cluster.errors import ClusterError
from e2e.cluster.oci import FileEntry, Image
from e2e.cluster.places import PYTHON, REPOSITORY, cache_dir, locked

REPOSITORY_NAME = "localhost/workspace-ctrl"
FOLDER = "/opt/workspace-ctrl"
REQUIREMENTS = REPOSITORY / "requirements" / "runtime.txt"
PROGRAM = "/usr/local/bin/workspace-ctrl"
USER = "65532:65532"
ENVIRONMENT = (f"PYTHONPATH={FOLDER}", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1")


@functools.cache
def version() -> str:
    """Return the controller's version."""
    value: str = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    return value


def controller(tag: str = "") -> Image:
    """Return the image of the controller as it is in the repository now; without `tag`, its content names it."""
    files = _own_files()
    layers = (python_layer(), _packages_layer())
    return Image(
        name=f"{REPOSITORY_NAME}:{tag or _content_name(files, layers)}",
        files=files,
        layers=layers,
        entrypoint=(PROGRAM,),
        user=USER,
        env=("PATH=/usr/local/bin:/usr/bin:/bin", *ENVIRONMENT),
        labels=labels(),
    )


def labels() -> tuple[tuple[str, str], ...]:
    """Return what the image says of itself."""
    return (("org.opencontainers.image.title", "workspace-ctrl"), ("org.opencontainers.image.version", version()))


def _own_files() -> tuple[FileEntry, ...]:
    package = REPOSITORY / "workspace_ctrl"
    sources = sorted(path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    about = f"Metadata-Version: 2.1\nName: workspace-ctrl\nVersion: {version()}\n"
    return (
        FileEntry(PROGRAM, REPOSITORY / "image" / "workspace-ctrl"),
        FileEntry(f"{FOLDER}/workspace_ctrl-{version()}.dist-info/METADATA", about),
        *(FileEntry(f"{FOLDER}/{path.relative_to(REPOSITORY)}", path) for path in sources),
    )


def _content_name(files: tuple[FileEntry, ...], layers: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = file.source.encode() if isinstance(file.source, str) else file.source.read_bytes()
        digest.update(f"{file.path}:{len(content)}:".encode() + content)
    digest.update("\n".join(layer.name for layer in layers).encode())
    return f"{version()}-{digest.hexdigest()[:12]}"


def _packages_layer() -> Path:
    """Return the layer with the packages that the controller runs on, made now if it is not in the cache."""
    base = python_layer()
    name = hashlib.sha256(f"{base.name}\n{REQUIREMENTS.read_text()}".encode()).hexdigest()[:16]
    final = cache_dir() / "layers" / f"packages-{name}.tar"
    with locked("packages"):
        if not final.exists():
            print("installing the packages of the controller's image", flush=True)
            with tempfile.TemporaryDirectory(dir=final.parent) as scratch:
                layer = Path(scratch) / "layer.tar"
                _install_packages(base, Path(scratch) / "root", layer)
                layer.rename(final)
    return final


def _install_packages(base: Path, root: Path, layer: Path) -> None:
    target = root / FOLDER[1:]
    target.mkdir(parents=True)
    _run("tar", "--extract", f"--file={base}", f"--directory={root}")
    kind = ["--python-version", PYTHON_VERSION, "--implementation", "cp", "--only-binary=:all:"]
    _run(
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--no-compile",
        *kind,
        "--target",
        str(target),
        "-r",
        str(REQUIREMENTS),
    )
    shutil.rmtree(target / "bin", ignore_errors=True)
    # Run once, so that what the program imports is compiled; all of the packages compiled would be 50 MB more.
    shutil.copytree(REPOSITORY / "workspace_ctrl", root / "src" / "workspace_ctrl")
    inside = ["chroot", str(root), "/usr/bin/python3"]
    _run("env", "-u", "PYTHONDONTWRITEBYTECODE", f"PYTHONPATH={FOLDER}:/src", *inside, "-m", "workspace_ctrl", "run", "--help")
    (target / "sbom.cdx.json").write_text(_run(str(PYTHON), str(REPOSITORY / "image" / "sbom.py"), str(target)))
    owners = ["--owner=0", "--group=0", "--numeric-owner", "--sort=name"]
    _run("tar", "--create", f"--file={layer}", *owners, f"--directory={root}", FOLDER[1:])


def _run(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.stdout
