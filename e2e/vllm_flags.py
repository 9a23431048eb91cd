"""The flags and parsers of published vLLM packages, read from their source without running it.

`python -m e2e.vllm_flags` downloads the versions of workspace_ctrl/catalog/data/vllm.yaml through pip's configured index, one after the
other (each about 350 MB, deleted once it is read), and prints the table for that file.
"""

import ast
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workspace_ctrl.catalog.vllm import recorded_versions

ENGINE: Final = "vllm/engine/arg_utils.py"
PARSERS: Final = ("_REASONING_PARSERS_TO_REGISTER", "_TOOL_PARSERS_TO_REGISTER")
_PLATFORMS: Final = ("manylinux_2_35_x86_64", "manylinux_2_31_x86_64", "manylinux_2_28_x86_64", "manylinux1_x86_64")
_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Names:
    """What one version of vLLM knows."""

    flags: frozenset[str]
    """Without dashes."""
    parsers: frozenset[str]
    """Of reasoning and of tool calls."""
    needs_ray: bool


def read_package(version: str) -> Names:
    """Download vLLM `version` and return its names.

    Raises:
        subprocess.CalledProcessError: the index is not reached, or does not have it.
    """
    with tempfile.TemporaryDirectory() as folder:
        platforms = [f"--platform={name}" for name in _PLATFORMS]
        python = ["--python-version=3.12", "--implementation=cp", "--abi=abi3", "--only-binary=:all:"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *python, *platforms, f"--dest={folder}"]
        subprocess.run([*command, f"vllm=={version}"], check=True, timeout=_SECONDS, capture_output=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as package:
            return names_in(_sources(package), _metadata(package))


def names_in(sources: Iterable[str], metadata: str) -> Names:
    """Return the names in the Python `sources` of a package, with its `metadata`."""
    trees = [ast.parse(source) for source in sources]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    flags = {*_arguments(nodes), *_front_end(nodes)}
    ray = any(line.startswith("Requires-Dist: ray") and "extra" not in line for line in metadata.splitlines())
    return Names(frozenset(flags), frozenset(_parsers(nodes)), ray)


def table(known: Mapping[str, Names]) -> str:
    """Return the table of `known`, by versions in ascending order, as YAML."""
    versions = list(known)
    lines = ["versions:", *(f"  - {{name: {_quoted(version)}}}" for version in versions)]
    for kind in ("flags", "parsers"):
        lines.append(f"{kind}:")
        names = sorted({name for entry in known.values() for name in getattr(entry, kind)})
        lines += [f"  - {{name: {name}{_range(name, kind, known)}}}" for name in names]
    return "\n".join(lines) + "\n"


def _range(name: str, kind: str, known: Mapping[str, Names]) -> str:
    versions = list(known)
    having = [version for version in versions if name in getattr(known[version], kind)]
    since = "" if having[0] == versions[0] else f", since: {_quoted(having[0])}"
    return since + ("" if having[-1] == versions[-1] else f", until: {_quoted(having[-1])}")


def _quoted(version: str) -> str:
    return f'"{version}"'


def _sources(package: zipfile.ZipFile) -> Iterator[str]:
    for name in package.namelist():
        is_parsers = name.endswith("__init__.py") and ("reasoning" in name or "tool_parsers" in name)
        if name == ENGINE or (name.startswith("vllm/entrypoints/") and name.endswith("cli_args.py")) or is_parsers:
            yield package.read(name).decode()


def _metadata(package: zipfile.ZipFile) -> str:
    (name,) = (name for name in package.namelist() if name.endswith(".dist-info/METADATA"))
    return package.read(name).decode()


def _arguments(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the flags in calls of `add_argument`."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            words = [entry.value for entry in node.args if isinstance(entry, ast.Constant) and isinstance(entry.value, str)]
            yield from (word.removeprefix("--") for word in words if word.startswith("--"))


def _front_end(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the fields of the dataclasses of front-end arguments, each of which becomes a flag."""
    for node in nodes:
        if isinstance(node, ast.ClassDef) and node.name.endswith("FrontendArgs"):
            fields = [entry.target for entry in node.body if isinstance(entry, ast.AnnAssign)]
            yield from (field.id.replace("_", "-") for field in fields if isinstance(field, ast.Name))


def _parsers(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id in PARSERS for target in targets):
                yield from (key.value for key in node.value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


if __name__ == "__main__":
    print(table({version: read_package(version) for version in recorded_versions()}), end="")
