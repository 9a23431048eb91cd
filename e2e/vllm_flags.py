"""The flags and parsers of published vLLM packages, read from their source without running it.

`python -m e2e.vllm_flags` downloads the versions of workspace_ctrl/catalog/data/vllm.yaml through pip's configured index, one after the
other (each about 350 MB, deleted once it is read), and prints the table for that file.
"""

import ast
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from workspace_ctrl.catalog.vllm import recorded_versions

ENGINE: Final = "vllm/engine/arg_utils.py"
PARSERS: Final = ("_REASONING_PARSERS_TO_REGISTER", "_TOOL_PARSERS_TO_REGISTER")
_PLATFORMS: Final = ("manylinux_2_35_x86_64", "manylinux_2_31_x86_64", "manylinux_2_28_x86_64", "manylinux1_x86_64")
_SECONDS: Final = 600
PRESENCE: Final = "presence"
_COMMAS: Final = "Comma-separated"
"""Begins the text on flags that take their values in one argument."""
_LISTS: Final = frozenset({"list", "set", "tuple"})
_SPECIAL_CASE: Final = re.compile(r"frontend_kwargs\['(?P<name>\w+)'\]\['(type|action)'\] = ((?P<json>json\.loads)|'append')")


@dataclass(frozen=True, slots=True)
class Names:
    """What one version of vLLM knows."""

    flags: frozenset[str]
    """Without dashes."""
    forms: Mapping[str, str]
    """By flag, how it takes its values, where that is not one value or a switch; as in the table."""
    short: Mapping[str, str]
    """Short form by flag, without its dash."""
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
    calls = list(_calls(nodes))
    flags = {*(name for names, _ in calls for name in _long(names)), *_front_end(nodes)}
    forms = {name: form for name, form in {**_forms_of_fields(nodes), **_forms_of_calls(calls)}.items() if name in flags}
    short = {name: word.removeprefix("-") for names, _ in calls for name in _long(names) for word in names if word[1:2] != "-"}
    ray = any(line.startswith("Requires-Dist: ray") and "extra" not in line for line in metadata.splitlines())
    return Names(frozenset(flags), forms, short, frozenset(_parsers(nodes)), ray)


def table(known: Mapping[str, Names]) -> str:
    """Return the table of `known`, by versions in ascending order, as YAML."""
    versions = list(known)
    lines = ["versions:", *(f"  - {{name: {_quoted(version)}}}" for version in versions)]
    for kind in ("flags", "parsers"):
        lines.append(f"{kind}:")
        names = sorted({name for entry in known.values() for name in getattr(entry, kind)})
        lines += [f"  - {{name: {name}{_range(name, kind, known)}{_further(name, kind, known)}}}" for name in names]
    return "\n".join(lines) + "\n"


def _further(name: str, kind: str, known: Mapping[str, Names]) -> str:
    """Return short form and form of the values of a flag in the newest version that has them."""
    found: dict[str, str] = {}
    for entry in known.values() if kind == "flags" else ():
        found |= {field: table[name] for field, table in (("short", entry.short), ("form", entry.forms)) if name in table}
    return "".join(f", {field}: {value}" for field, value in found.items())


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


def _calls(nodes: Iterable[ast.AST]) -> Iterator[tuple[list[str], Mapping[str, object]]]:
    """Yield the words of each call of `add_argument`, with its keywords that are constants."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            words = [entry.value for entry in node.args if isinstance(entry, ast.Constant) and isinstance(entry.value, str)]
            keywords = {
                entry.arg: entry.value.value for entry in node.keywords if entry.arg and isinstance(entry.value, ast.Constant)
            }
            yield [word for word in words if word.startswith("-")], keywords


def _long(words: Iterable[str]) -> Iterator[str]:
    yield from (word.removeprefix("--") for word in words if word.startswith("--"))


def _forms_of_calls(calls: Iterable[tuple[list[str], Mapping[str, object]]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for words, keywords in calls:
        is_listed = str(keywords.get("help")).startswith(_COMMAS)
        form = PRESENCE if keywords.get("action") == "store_true" else "commas" if is_listed else ""
        found |= dict.fromkeys(_long(words), form) if form else {}
    return found


def _forms_of_fields(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """Return the forms of the fields of dataclasses, each of which becomes a flag; front-end arguments have special cases in code."""
    listed, others = set[str](), dict[str, str]()
    for node in nodes:
        if isinstance(node, ast.ClassDef) and node.name.endswith("Args"):
            for entry, after in pairwise((*node.body, ast.Pass())):
                if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name):
                    listed |= {entry.target.id} if _is_list(entry.annotation) else set()
                    others |= {entry.target.id: "commas"} if _text_of(after).startswith(_COMMAS) else {}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            others |= _special_case(ast.unparse(node))
    forms = {name: others.get(name, "arguments") for name in listed} | {
        name: form for name, form in others.items() if form == "commas"
    }
    return {name.replace("_", "-"): form for name, form in forms.items()}


def _is_list(annotation: ast.AST) -> bool:
    if isinstance(annotation, ast.BinOp):
        return _is_list(annotation.left) or _is_list(annotation.right)
    return isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name) and annotation.value.id in _LISTS


def _text_of(node: ast.AST) -> str:
    value = node.value if isinstance(node, ast.Expr) else None
    return str(value.value).strip() if isinstance(value, ast.Constant) else ""


def _special_case(code: str) -> dict[str, str]:
    found = _SPECIAL_CASE.fullmatch(code)
    return {found["name"]: "JSON" if found["json"] else "repeated"} if found else {}


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
