"""llama.cpp's own server, compiled from the sources that the Python package `llama-cpp-python` carries.

The build is small on purpose: linked statically, for any CPU, without TLS, web page and OpenMP. It is made once, for those who ask for it.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from e2e.cluster import cache
from e2e.cluster.builder import follow
from e2e.cluster.errors import ClusterError
from e2e.cluster.places import PYTHON, REPOSITORY, cache_dir, locked
from e2e.cluster.progress import BuildDisplay

REQUIREMENTS = REPOSITORY / "requirements" / "llama-cpp.txt"
PROGRAM = "llama-server"

_FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_CXX_FLAGS=-O1",  # compiled in two thirds of the time; the model is tiny
    "-DCMAKE_EXE_LINKER_FLAGS=-static",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DGGML_NATIVE=OFF",
    "-DGGML_OPENMP=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
)
_STEP = re.compile(r"\[(\d+)/(\d+)\] (.*)")


def server() -> Path:
    """Return the program, built now if it is not in the cache.

    Raises:
        ClusterError: the sources cannot be fetched or compiled; the message has the end of what was printed.
    """
    name = hashlib.sha256("\n".join([REQUIREMENTS.read_text(), *_FLAGS]).encode()).hexdigest()[:16]
    final = cache_dir() / "programs" / f"llama.cpp-{name}"
    with locked("build-llama.cpp", busy="build llama.cpp: another process builds it, waiting"):
        if not cache.take(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=final.parent, prefix=".llama.cpp-") as scratch:
                built = _compile(_sources(Path(scratch)), Path(scratch) / "build")
                made = Path(scratch) / "made"
                made.mkdir()
                built.rename(made / PROGRAM)
                made.rename(final)
            cache.trim("programs")
    return final / PROGRAM


def _sources(scratch: Path) -> Path:
    """Fetch and unpack the package; return the folder of llama.cpp in it."""
    command = [str(PYTHON), "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps", "--no-binary=:all:"]
    _run([*command, "--dest", str(scratch), "-r", str(REQUIREMENTS)])
    (archive,) = scratch.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(scratch, filter="data")
    archive.unlink()
    (folder,) = scratch.glob("*/vendor/llama.cpp")
    return folder


def _compile(sources: Path, output: Path) -> Path:
    _run(["cmake", "-S", str(sources), "-B", str(output), "-G", "Ninja", *_FLAGS])
    with BuildDisplay("llama.cpp", _steps(output)) as display:

        def show(line: str) -> None:
            if step := _STEP.match(line):
                display.line(step[3].rpartition("/")[2])

        follow("llama.cpp", ["ninja", "-C", str(output), PROGRAM], show)
    return output / "bin" / PROGRAM


def _steps(output: Path) -> int:
    planned = _run(["ninja", "-C", str(output), "-n", PROGRAM]).splitlines()
    return sum(1 for line in planned if _STEP.match(line))


def _run(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        raise ClusterError(f"building llama.cpp needs {command[0]}")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        print(result.stdout, file=sys.stderr)
        raise ClusterError(f"{' '.join(command[:4])} ... failed:\n{result.stderr.strip()}")
    return result.stdout
