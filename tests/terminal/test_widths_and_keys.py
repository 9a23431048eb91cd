"""In terminals of 80 and 120 columns nothing is cut; whatever ends a command, it ends with a sentence, and never with a traceback."""

import asyncio
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.integration.cli.api_server import ready
from tests.terminal.terminal import seen
from tests.unit.cli.test_cli import REPOSITORY

QUICKSTART = str(REPOSITORY / "examples/quickstart/workspace.yaml")
WIDTHS = (80, 120)
WITHOUT_CLUSTER = {
    "help of a command": ("run", "--help"),
    "plan": ("plan", "-f", QUICKSTART),
    "presets": ("presets",),
    "a reason": ("explain", "EndpointPickerScaledToZero"),
    "a misspelt command": ("statsu",),
    "no such file": ("plan", "-f", "/nowhere/at-all.yaml"),
}
LONG = "a-workspace-with-a-name-that-is-as-long-as-one-can-be"
WRITTEN = {"help of a command"}
"""Written for the width of the terminal, so lines are broken at other words."""
INTERRUPTED = 130
LAST_IMPORTED = {
    "while the command line is imported": "workspace_ctrl.cli.shell.lazy_group",
    "while the command is imported": "workspace_ctrl.kube.informer",
    "while the cluster is read": "workspace_ctrl.cli.workspace_watch",
}
"""What Python says to have imported when Ctrl-C is pressed: seconds would also hit the start of the interpreter, which is not ours."""


def letters(text):
    """A text without what a line break changes."""
    return re.sub(r"[\s│├└─]+", "", text)


def piped(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "workspace_ctrl", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
        check=False,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", WITHOUT_CLUSTER)
def test_nothing_is_cut(name):
    arguments = WITHOUT_CLUSTER[name]
    code, whole = piped(*arguments)
    for columns in WIDTHS:
        shown = seen(arguments, columns=columns)
        assert shown.code == code
        assert "Traceback" not in shown.screen
        assert "…" not in shown.screen
        assert (
            sorted(letters(shown.screen)) == sorted(letters(whole)) if name in WRITTEN else letters(shown.screen) == letters(whole)
        )


@pytest.mark.parametrize("columns", WIDTHS)
async def test_names_and_urls_are_not_cut(served, columns):
    server, kubeconfig = served
    url = f"http://gateway.example/{LONG}/{LONG}"
    server.put(LONG, {**ready("False"), "gateway": {"url": url}}, namespace=LONG)
    options = ("--kubeconfig", str(kubeconfig))
    table = await asyncio.to_thread(seen, ("status", "-A", "-o", "wide", *options), columns=columns)
    assert (table.code, table.lines[1].split()[:2]) == (0, [LONG, LONG])
    assert url in table.lines[1]
    one = await asyncio.to_thread(seen, ("status", f"{LONG}/{LONG}", *options), columns=columns)
    assert one.code == 1
    assert f"URL {url}" in one.lines
    assert letters(f"Workspace {LONG}/{LONG}") in letters(one.screen)


@pytest.mark.parametrize("moment", LAST_IMPORTED)
async def test_ctrl_c_at_any_time_is_no_error(served, moment):
    server, kubeconfig = served
    server.put("phi", ready("False"))
    arguments = ("status", "-A", "--watch", "--kubeconfig", str(kubeconfig))
    import_times = {"PYTHONPROFILEIMPORTTIME": "1"}
    shown = await asyncio.to_thread(seen, arguments, environment=import_times, interrupted_by=LAST_IMPORTED[moment])
    assert "Traceback" not in shown.screen, shown.screen
    assert shown.code in {INTERRUPTED, -signal.SIGINT}


async def test_ctrl_c_ends_what_is_shown(served):
    server, kubeconfig = served
    server.put("phi", ready("False"))
    arguments = ("status", "-A", "--watch", "--kubeconfig", str(kubeconfig))
    shown = await asyncio.to_thread(seen, arguments, interrupted_by="phi")
    assert (shown.code, "Traceback" in shown.screen) == (INTERRUPTED, False)


@pytest.mark.parametrize("arguments", [("presets",), ("plan", "-f", QUICKSTART, "-o", "yaml")], ids=lambda words: words[0])
def test_head_ends_a_command_without_a_word(arguments):
    command = f"{sys.executable} -m workspace_ctrl {' '.join(arguments)} | head -1"
    done = subprocess.run(["/bin/bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


@pytest.mark.parametrize("name", ["plan", "presets", "a reason"])
def test_a_full_disk_is_a_sentence(name):
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "workspace_ctrl", *WITHOUT_CLUSTER[name]],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "Traceback" not in done.stderr
    assert done.returncode in {1, 2}
    assert done.stderr


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"PYTHONIOENCODING": "ascii"}, id="ascii"),
        pytest.param({"PYTHONIOENCODING": "latin-1"}, id="latin-1"),
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="a terminal without UTF-8"),
    ],
)
def test_a_terminal_without_utf_8_gets_escapes(environment):
    shown = seen(("plan", "-f", QUICKSTART), columns=120, environment=environment)
    assert (shown.code, "Traceback" in shown.screen) == (0, False), shown.screen


@pytest.mark.parametrize(
    "arguments", [(b"explain", b"\xff\xfe"), (b"status", b"\xc3("), (b"plan", b"-f", b"/nowhere/\xff.yaml"), (b"\xff",)], ids=ascii
)
def test_words_that_are_no_utf_8_are_no_traceback(arguments, tmp_path):
    shown = seen(arguments, environment={"KUBECONFIG": str(tmp_path / "none")})
    assert (shown.code in {1, 2}, "Traceback" in shown.screen) == (True, False), shown.screen


def test_a_manifest_that_is_no_utf_8_is_a_sentence(tmp_path):
    file = tmp_path / "latin.yaml"
    file.write_bytes("kind: Workspace\nmetadata: {name: café}\n".encode("latin-1"))
    shown = seen(("plan", "-f", str(file)), columns=120)
    assert (shown.code, "Traceback" in shown.screen) == (2, False), shown.screen
