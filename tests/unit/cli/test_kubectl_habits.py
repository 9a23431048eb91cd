"""What kubectl users type: namespaces of contexts, formats, kinds with names, lists that are watched, pipes."""

import ast
import asyncio
import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from tests.unit.cli import program
from tests.unit.cli.api_server import ended, ready
from workspace_ctrl.cli.arguments.durations import parse_duration
from workspace_ctrl.cli.arguments.object_names import parse_names
from workspace_ctrl.cli.main import COMMANDS, main
from workspace_ctrl.cli.printing.jsonpath import JsonPath, JsonPathError
from workspace_ctrl.cli.printing.tables import TablePrinter
from workspace_ctrl.cli.shell.completion import complete_for_kubectl
from workspace_ctrl.cli.shell.lazy_group import program_name
from workspace_ctrl.kube.access.access import ConnectionConfigError
from workspace_ctrl.kube.access.kubeconfig import load_access

REPOSITORY = Path(__file__).parents[3]
URL = {"gateway": {"url": "http://gateway/ns/phi", "modelNames": ["phi-4"]}}
HEAVY = ("aiohttp", "kopf", "kubernetes", "orjson", "prometheus_client", "pydantic", "pyhelm3", "rich", "tenacity", "yaml")
MOST_MODULES = 260
"""Of `--help`: Python and click have some 200 of them; each heavy package has hundreds."""


def modules_of(*arguments):
    """The modules that a call of the program imports."""
    code = "import sys\nfrom workspace_ctrl.cli.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(ast.literal_eval(done.stderr))


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("completion", "bash")], ids=" ".join)
def test_help_imports_only_what_it_needs(arguments):
    loaded = modules_of(*arguments)
    assert {name for name in loaded if name.split(".")[0] in HEAVY} == set()
    assert len(loaded) < MOST_MODULES


def test_commands_that_read_do_not_import_the_controller():
    loaded = modules_of("status", "--help")
    assert not {name for name in loaded if name.split(".")[0] in {"kopf", "pyhelm3", "prometheus_client"}}
    assert not {name for name in loaded if name.startswith(("workspace_ctrl.controller", "workspace_ctrl.process"))}


def test_the_table_of_commands_is_that_of_their_help():
    root = CliRunner().invoke(main, ["--help"]).output
    for name, (_, summary) in COMMANDS.items():
        command = main.get_command(None, name)
        assert command.name == name
        assert command.hidden == (not summary)
        if summary:
            assert f"  {name} " in root
            assert command.help.split("\n\n")[0].replace("\n", " ").startswith(summary)


def test_the_plugin_of_kubectl_is_the_same_program():
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["kubectl-workspace"] == scripts["workspace-ctrl"]
    assert program_name("/usr/bin/kubectl-workspace") == "kubectl workspace"
    assert program_name("/x/workspace_ctrl/__main__.py") == "workspace-ctrl"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_ask_the_program(shell):
    output = CliRunner().invoke(main, ["completion", shell]).output
    assert f"_WORKSPACE_CTRL_COMPLETE={shell}_complete" in output


def test_kubectl_gets_completions_of_its_plugin(capsys):
    complete_for_kubectl(["st"])
    assert capsys.readouterr().out.startswith("status\tShow the chain")
    complete_for_kubectl(["status", "-o", "js"])
    assert capsys.readouterr().out.splitlines() == ["json", "jsonpath", ":4"]
    complete_for_kubectl([])
    assert "doctor\t" in capsys.readouterr().out


def test_completion_knows_commands_and_formats():
    def variables(words, index):
        return {"_WORKSPACE_CTRL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(index)}

    def values(printed):
        return {line.partition(",")[2] for line in printed.splitlines()}

    asked = variables("workspace-ctrl st", 1)
    assert values(program.printed(environment={**os.environ, **asked})) == {"status"}
    asked = variables("workspace-ctrl status -o js", 3)
    assert values(CliRunner().invoke(main, [], prog_name="workspace-ctrl", env=asked).stdout) == {"json", "jsonpath"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), [("", "")]),
        (("phi",), [("", "phi")]),
        (("workspace/phi",), [("", "phi")]),
        (("wk/phi", "workspaces.kaito.sh/psi"), [("", "phi"), ("", "psi")]),
        (("ns/phi",), [("ns", "phi")]),
        (("workspace", "phi", "psi"), [("", "phi"), ("", "psi")]),
        (("Workspaces",), [("", "")]),
        (("workspace/workspace",), [("", "workspace")]),
    ],
)
def test_names(words, expected):
    assert [(found.namespace, found.name) for found in parse_names(words)] == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("500ms", 0.5), ("1.5h", 5400), ("0", 0)),
        *(("", None), ("5x", None), ("m", None), ("-5m", None), ("9" * 400 + "h", None), ("1e9", None)),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


DOCUMENT = {
    "items": [
        {"metadata": {"name": "a", "labels": {"a.b/c": "1"}}, "n": 3, "c": [{"type": "Ready", "reason": "X", "n": 1}]},
        {"metadata": {"name": "b"}, "n": 5, "c": [{"type": "Other", "reason": "Y"}], "flag": True, "none": None},
    ]
}


@pytest.mark.parametrize(
    ("template", "output"),
    [
        ("{.items[*].metadata.name}", "a b"),
        ("items[0].n", "3"),
        ("{.items[-1].n}", "5"),
        ("{.items[0:1].n}", "3"),
        ("{.items[7].n}", ""),
        ("{.nothing.here}", ""),
        ("{..name}", "a b"),
        ("{.items[0].metadata.labels['a.b/c']}", "1"),
        (r"{.items[0].metadata.labels.a\.b/c}", "1"),
        ('{.items[*].c[?(@.type=="Ready")].reason}', "X"),
        ("{.items[?(@.n>=5)].metadata.name}", "b"),
        ("{.items[?(@.flag)].metadata.name}", "b"),
        ("{.items[?(@.metadata.name>5)].n}", ""),
        ('{range .items[*]}{.metadata.name}={.n}{"\\n"}{end}', "a=3\nb=5\n"),
        ("{range .items[*]}{range .c[*]}{.reason}{end},{end}", "X,Y,"),
        ("{.items[1]['flag']}{.items[1].none}", "truenull"),
        ("{.items[0].c[0]}", '{"type":"Ready","reason":"X","n":1}'),
        ("name: {$.items[0].metadata.name}!", "name: a!"),
        ("{.items[0].*.name}", "a"),
        ("{@}", json.dumps(DOCUMENT, separators=(",", ":"))),
    ],
)
def test_jsonpath(template, output):
    assert JsonPath(template).render(DOCUMENT) == output


@pytest.mark.parametrize(
    "template",
    [
        "{.a",
        "{end}",
        "{range .a}",
        '{"x}',
        "{.a[}",
        "{.a[?(@.b==c)]}",
        "{'\\q'}",
        "{range .a}" * 40,
        "{.a b}",
        "{..}",
        f"{{.a[?(@.b=={'[' * 100_000})]}}",
    ],
)
def test_a_template_that_is_not_understood(template):
    with pytest.raises(JsonPathError):
        JsonPath(template)


def test_tables_are_padded_as_by_kubectl_and_never_cut(capsys):
    table = TablePrinter(["NAME", "URL"])
    table.print([("x" * 200, "http://y"), ("z", "")])
    table.print([("later", "w")])
    assert capsys.readouterr().out.splitlines() == [
        f"NAME{' ' * 199}URL",
        f"{'x' * 200}   http://y",
        "z",
        f"later{' ' * 198}w",
    ]


async def test_tables_have_urls_in_pipes_and_with_wide(server, run):
    server.put("phi", ready() | URL)
    plain = await ended(run("status", "-n", "ns"))
    assert plain.stdout.split() == [
        *["NAME", "READY", "REASON", "AGE", "MODEL", "URL"],
        *["phi", "True", "Because", "<unknown>", "phi-4"],
        "http://gateway/ns/phi",
    ]
    everywhere = await ended(run("status", "-A", "-o", "wide"))
    assert everywhere.stdout.split()[:2] == ["NAMESPACE", "NAME"]


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("-o", "name"), "workspace.kaito.sh/phi\n"),
        (("-o", "jsonpath={.metadata.name}"), "phi"),
        (("-o=jsonpath={.status.gateway.url}",), "http://gateway/ns/phi"),
    ],
)
async def test_formats_of_one(server, run, arguments, output):
    server.put("phi", ready() | URL)
    assert (await ended(run("status", "workspace/phi", "-n", "ns", *arguments))).stdout == output


async def test_formats_of_several(server, run):
    for name in ("phi", "psi"):
        server.put(name, ready("False") | URL)
    result = await ended(run("status", "ns/phi", "ns/psi", "-o", "jsonpath={.items[*].metadata.name}"))
    assert (result.exit_code, result.stdout) == (1, "phi psi")
    assert (await ended(run("status", "-n=ns", "-o", "name"))).stdout == "workspace.kaito.sh/phi\nworkspace.kaito.sh/psi\n"
    chains = await ended(run("status", "ns/phi", "ns/psi"))
    assert [line for line in chains.stdout.splitlines() if line.startswith("Workspace")] == ["Workspace ns/phi", "Workspace ns/psi"]


async def test_labels_are_sent(server, run):
    await ended(run("status", "-n", "ns", "-l", "app=x"))
    assert server.lists[-1]["labelSelector"] == "app=x"


async def test_a_misspelt_name_is_answered_with_the_nearest(server, run):
    server.put("workspace-phi-4")
    result = await ended(run("status", "ns/workspace-phi4"))
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: there is no Workspace ns/workspace-phi4; did you mean workspace-phi-4?\n",
    )


async def test_a_list_is_watched(server, run):
    server.put("phi", ready("False"))
    task = run("status", "-n", "ns", "-w", "--timeout", "3s")
    await asyncio.wait_for(server.watches.get(), 30)
    server.put("psi", ready())
    server.put("phi", ready())
    result = await ended(task)
    rows = [line.split()[:2] for line in result.stdout.splitlines()]
    assert (result.exit_code, rows[:2]) == (0, [["NAME", "READY"], ["phi", "False"]])
    assert rows[-1] == ["phi", "True"]
    assert ["psi", "True"] in rows


def kubeconfig(folder, **context):
    document = {
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [
            {"name": "it", "context": {"cluster": "it", "user": "it", **context}},
            {"name": "other", "context": {"cluster": "it"}},
        ],
        "users": [{"name": "it", "user": {"token": "secret"}}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_namespace_is_that_of_the_context(tmp_path):
    path = kubeconfig(tmp_path, namespace="mine")
    assert load_access(path, None).namespace() == "mine"
    assert load_access(path, "other").namespace() == "default"
    assert load_access(Path(f"/nowhere:{path}"), None).namespace() == "mine"


BROKEN = {
    "not YAML": b"a: [b",
    "a list": b"- a",
    "a word": b"word",
    "empty": b"",
    "binary": b"\xff\xfe\x00\x01",
    "no contexts": b"current-context: it",
    "contexts of another shape": b"current-context: it\ncontexts: 7\nclusters: {}\nusers: no\n",
    "cluster without an address": b"current-context: it\ncontexts: [{name: it, context: {cluster: it}}]\n"
    b"clusters: [{name: it, cluster: {}}]",
    "certificates that are none": b"current-context: it\ncontexts: [{name: it, context: {cluster: it}}]\n"
    b"clusters: [{name: it, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: bm9uZQ==}}]",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_kubeconfig_is_a_sentence(content, tmp_path):
    path = tmp_path / "config"
    path.write_bytes(content)
    result = CliRunner().invoke(main, ["status", "--kubeconfig", str(path)])
    assert result.exit_code == 1
    assert result.output.startswith("Error: cannot ")
    assert isinstance(result.exception, SystemExit)


def test_a_kubeconfig_that_is_gone_later_is_a_sentence(tmp_path):
    path = kubeconfig(tmp_path)
    access = load_access(path, None)
    path.unlink()
    with pytest.raises(ConnectionConfigError):
        access.namespace()


def test_a_full_disk_is_a_sentence():
    for arguments in (("crd",), ("--help",)):
        with Path("/dev/full").open("wb") as full:
            code, errors = program.run(*arguments, stdout=full.fileno())
        assert (code, errors) == (1, "Error: the output cannot be written: No space left on device\n")


def test_a_reader_that_has_read_enough_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    _, errors = program.run("crd", stdout=writing)
    os.close(writing)
    assert errors == ""


@pytest.mark.parametrize(
    ("closed", "arguments", "code", "printed", "errors"),
    [
        *(
            (">&-", arguments, 1, "", "Error: the output cannot be written: Bad file descriptor\n")
            for arguments in ("crd", "presets", "explain GatewayReady", "version --client", "--help", "plan -f examples/quickstart")
        ),
        (">&-", "explain No", 2, "", "the reason No is not known"),
        ("2>&-", "crd", 0, "kind: CustomResourceDefinition", ""),
        ("2>&-", "no-such-command", 2, "", ""),
        (">&- 2>&- <&-", "crd", 1, "", ""),
        ("<&-", "plan -f -", 2, "", "no Workspace or InferenceSet found in standard input"),
    ],
)
def test_a_closed_input_or_output_is_no_traceback(closed, arguments, code, printed, errors):
    command = f"exec {shlex.join(program.PROGRAM)} {arguments} {closed}"
    result = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert (result.returncode, printed in result.stdout, errors in result.stderr) == (code, True, True), result
    assert "Traceback" not in result.stderr


async def test_an_encoding_without_marks_is_no_error(server, served):
    server.put("phi", ready())
    arguments = ["status", "ns/phi", "--kubeconfig", str(served[1])]
    marked = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert "\N{HEAVY CHECK MARK}" in marked.stdout
    result = await asyncio.to_thread(CliRunner(charset="ascii").invoke, main, arguments)
    assert (result.exception, result.exit_code) == (None, 0)
    assert "\\u2714" in result.stdout


def test_no_color_is_respected(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    result = CliRunner().invoke(main, ["plan", "-f", "-"], input="kind: Workspace\nmetadata: {name: x}\n", color=True)
    assert "\x1b" not in result.output
    monkeypatch.delenv("NO_COLOR")
    assert (
        "\x1b" in CliRunner().invoke(main, ["plan", "-f", "-"], input="kind: Workspace\nmetadata: {name: x}\n", color=True).output
    )


def test_the_page_of_commands_is_current():
    # In a process of its own: click keeps the help option of a command that was used without its group.
    assert (REPOSITORY / "docs/cli.md").read_text() == program.printed("cli-reference")


def test_an_api_server_that_does_not_run_is_named_with_what_to_check(tmp_path, unused_tcp_port):
    cluster = {"name": "it", "cluster": {"server": f"http://127.0.0.1:{unused_tcp_port}"}}
    contexts = [{"name": "it", "context": {"cluster": "it"}}]
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump({"current-context": "it", "clusters": [cluster], "contexts": contexts}))
    result = CliRunner().invoke(main, ["version", "--kubeconfig", str(file)])
    assert result.exit_code == 1
    assert f"the API server http://127.0.0.1:{unused_tcp_port} does not respond: cannot connect to 127.0.0.1:" in result.output
    assert "Connection refused; does it run" in result.output


def test_a_condition_is_explained_with_its_reasons():
    result = CliRunner().invoke(main, ["explain", "GatewayReady"])
    assert (result.exit_code, "ProbeFailed" in result.output) == (0, True)
    assert "BodyRouterNotReady, and those of the conditions before it" in result.output
    assert "and those of" not in CliRunner().invoke(main, ["explain", "RouteReady"]).output
    result = CliRunner().invoke(main, ["explain", "GatewayRead"])
    assert (result.exit_code, "did you mean GatewayReady?" in result.output) == (2, True)
