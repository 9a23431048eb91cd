"""The examples: every one is planned without a cluster, and its README shows what is really printed."""

import re

import pytest
from click.testing import CliRunner

from tests.unit.cli.test_cli import REPOSITORY
from workspace_ctrl.catalog.presets import presets
from workspace_ctrl.cli.main import main

EXAMPLES = REPOSITORY / "examples"
KINDS = ("workspace", "inferenceset")
STORIES = sorted(path.parent.name for kind in KINDS for path in EXAMPLES.glob(f"*/{kind}.yaml"))
SHOWN = re.compile(r"```console\n\$ workspace-ctrl (plan [^\n]*)\n(.*?)```", re.DOTALL)


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def test_every_story_is_named_in_the_readme():
    readme = (REPOSITORY / "README.md").read_text()
    assert len(STORIES) == 13
    assert [story for story in STORIES if f"(examples/{story}/" not in readme] == []


def test_the_readme_counts_the_presets():
    assert f"a model of the catalog ({len(presets())} of them)" in (REPOSITORY / "README.md").read_text()


@pytest.mark.parametrize("story", STORIES)
def test_every_manifest_is_planned(story):
    files = sorted((EXAMPLES / story).rglob("*.yaml"))
    result = CliRunner().invoke(main, ["plan", *(argument for file in files for argument in ("-f", str(file)))])
    assert (result.exit_code, result.stderr.startswith("assumed ")) == (0, True), result.output


@pytest.mark.parametrize("story", [story for story in STORIES if story != "quickstart"])
def test_the_readme_shows_what_is_printed(story):
    (shown,) = SHOWN.findall((EXAMPLES / story / "README.md").read_text())
    command, output = shown
    assert CliRunner().invoke(main, command.split()).stdout == output
