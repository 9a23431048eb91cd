"""Nothing that others have written controls the terminal or forges a line, in any command and in the log."""

import io
import json
import logging
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from tests.examples import examples
from tests.fuzz.inputs import mutated, text
from tests.fuzz.samples import INFERENCE_SETS, WORKSPACES
from workspace_ctrl.cli.main import main
from workspace_ctrl.cli.output import to_json, to_yaml
from workspace_ctrl.cli.printing.tables import print_table
from workspace_ctrl.cli.status_view import chain_view, print_url, row_of
from workspace_ctrl.helm.chart_layout_checks import Check
from workspace_ctrl.helm.chart_rendering import ChartReport
from workspace_ctrl.process.log_format import JsonFormatter, TextFormatter

NOW = datetime(2026, 11, 27, tzinfo=UTC)
HOSTILE = ["\x1b[2J", "\x1b]0;title\x07", "\u202egnp.exe", "\u2066x", "a\r\nINFO forged", "\x7f", "\x9b2J", "\u2028", "\ud800"]
few = settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))


def assert_harmless(output):
    for line in output.split("\n"):
        assert line.isprintable(), ascii(line[:300])


def rendered(*parts):
    file = io.StringIO()
    console = Console(file=file, width=10_000, force_terminal=False)
    for part in parts:
        console.print(part)
    return file.getvalue()


@few
@given(document=mutated([*WORKSPACES, *INFERENCE_SETS]))
def test_a_plan_of_any_workspace(document):
    for output in ("tree", "yaml"):
        result = CliRunner().invoke(main, ["plan", "-o", output, "-f", "-"], input=json.dumps(document))
        assert isinstance(result.exception, SystemExit | None)
        assert_harmless(result.output)


@pytest.mark.parametrize("word", HOSTILE[:-1], ids=ascii)
def test_a_file_with_a_workspace_of_a_hostile_name(word, tmp_path):
    file = tmp_path / "workspace.yaml"
    file.write_text(json.dumps({**WORKSPACES[0], "metadata": {"name": word, "namespace": word}}))
    assert_harmless(CliRunner().invoke(main, ["plan", "-f", str(file)]).output)
    file.write_text(f"a: {word} !!python/object\n b")
    assert_harmless(CliRunner().invoke(main, ["plan", "-f", str(file)]).output)


def of_status(word):
    condition = {"type": "GatewayReady", "status": word, "reason": word, "message": word}
    return {
        "metadata": {"name": word, "namespace": word, "generation": 1},
        "status": {
            "gateway": {"url": word, "group": {"name": word, "url": word}},
            "conditions": [condition, {**condition, "type": "Ready"}, {**condition, "type": "GroupReady"}],
        },
    }


@given(word=st.sampled_from(HOSTILE) | text)
def test_a_status_of_any_text(word):
    item = of_status(word)
    file = io.StringIO()
    print_url(Console(file=file, width=10_000, force_terminal=False), item)
    with redirect_stdout(file):
        print_table(["A"] * 7, [row_of(item, NOW, with_namespace=True, wide=True)])
    assert_harmless(file.getvalue() + rendered(chain_view(item)))
    assert_harmless(to_json(item))
    if not any("\ud800" <= character <= "\udfff" for character in word):
        assert_harmless(to_yaml(item))


@pytest.mark.parametrize("url", ["http://[fd00::1]/ns/phi", "http://x/[bold]y[/bold]", "http://x/:smile:"])
def test_a_url_is_shown_as_it_is(url):
    file = io.StringIO()
    print_url(Console(file=file, width=20, force_terminal=False), of_status(url))
    assert file.getvalue() == f"URL {url}\nURL of group {url} {url}\n"
    assert row_of(of_status(url), NOW, with_namespace=False, wide=True)[-1] == url


@pytest.mark.parametrize("word", HOSTILE, ids=ascii)
def test_a_chart_with_hostile_content(word, monkeypatch, tmp_path):
    async def look(*_arguments):
        return ChartReport(word, word, word, [Check(word, holds=False, found=word), Check(word, holds=True)])

    monkeypatch.setattr("workspace_ctrl.cli.chart.look_at_file", look)
    for output in ("text", "json"):
        result = CliRunner().invoke(main, ["chart", "check", str(tmp_path), "--helm", sys.executable, "-o", output])
        assert result.exit_code == 1
        assert_harmless(result.output)


@pytest.mark.parametrize("form", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
@given(word=st.sampled_from(HOSTILE) | text)
def test_a_record_of_the_log_is_one_line(form, word):
    record = logging.LogRecord("workspace_ctrl.x", logging.WARNING, "x", 1, "chart %s: %s", (word, word), None)
    line = form.format(record)
    assert line.isprintable(), ascii(line)


@pytest.mark.parametrize("form", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
@pytest.mark.parametrize("word", HOSTILE, ids=ascii)
def test_a_traceback_forges_no_line(form, word):
    error = ValueError(word)
    record = logging.LogRecord("workspace_ctrl.x", logging.ERROR, "x", 1, "failed", (), (ValueError, error, None))
    assert_harmless(form.format(record))
    assert not any(line.startswith("INFO forged") for line in form.format(record).splitlines()[1:])
