"""What kubectl users type, in a shell and against an API server: formats, lists that are watched, pipes, closed outputs."""

import ast
import asyncio
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from e2e.cluster.places import REPOSITORY
from e2e.waiting import WAIT_SECONDS
from tests.integration.cli import program
from tests.integration.cli.api_server import ended, ready
from tests.unit.cli.test_kubectl_habits import URL
from workspace_ctrl.cli.main import main

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


def test_completion_knows_commands_and_formats():
    def variables(words, index):
        return {"_WORKSPACE_CTRL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(index)}

    def values(printed):
        return {line.partition(",")[2] for line in printed.splitlines()}

    asked = variables("workspace-ctrl st", 1)
    assert values(program.printed(environment={**os.environ, **asked})) == {"status"}
    asked = variables("workspace-ctrl status -o js", 3)
    assert values(CliRunner().invoke(main, [], prog_name="workspace-ctrl", env=asked).stdout) == {"json", "jsonpath"}


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
    await asyncio.wait_for(server.watches.get(), WAIT_SECONDS)
    server.put("psi", ready())
    server.put("phi", ready())
    result = await ended(task)
    rows = [line.split()[:2] for line in result.stdout.splitlines()]
    assert (result.exit_code, rows[:2]) == (0, [["NAME", "READY"], ["phi", "False"]])
    assert rows[-1] == ["phi", "True"]
    assert ["psi", "True"] in rows


@pytest.mark.parametrize("moment", ["make_context", "parse_args", "resolve_command", "invoke"])
def test_ctrl_c_before_the_command_begins_and_in_it_is_no_wish_to_abort(moment):
    """Click takes it for one, with a word and the exit code of a failure, wherever it comes in between."""
    interrupted = f"""
import os, signal
from workspace_ctrl.__main__ import run
from workspace_ctrl.cli.main import main
main.{moment} = lambda *given, **named: os.kill(os.getpid(), signal.SIGINT) or type(main).{moment}(main, *given, **named)
run()
"""
    done = subprocess.run([sys.executable, "-c", interrupted, "version", "--client"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) in {(-signal.SIGINT, "", ""), (130, "", "")}


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
