"""What kubectl users type: namespaces of contexts, formats, kinds with names, lists that are watched, pipes."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

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


def test_no_color_is_respected(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    result = CliRunner().invoke(main, ["plan", "-f", "-"], input="kind: Workspace\nmetadata: {name: x}\n", color=True)
    assert "\x1b" not in result.output
    monkeypatch.delenv("NO_COLOR")
    assert (
        "\x1b" in CliRunner().invoke(main, ["plan", "-f", "-"], input="kind: Workspace\nmetadata: {name: x}\n", color=True).output
    )


def test_a_condition_is_explained_with_its_reasons():
    result = CliRunner().invoke(main, ["explain", "GatewayReady"])
    assert (result.exit_code, "ProbeFailed" in result.output) == (0, True)
    assert "BodyRouterNotReady, and those of the conditions before it" in result.output
    assert "and those of" not in CliRunner().invoke(main, ["explain", "RouteReady"]).output
    result = CliRunner().invoke(main, ["explain", "GatewayRead"])
    assert (result.exit_code, "did you mean GatewayReady?" in result.output) == (2, True)
