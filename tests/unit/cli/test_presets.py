"""`workspace-ctrl presets`: lists, filters, details, formats."""

import json

import pytest
import yaml
from click.testing import CliRunner

from workspace_ctrl.catalog.instance_types import instance_types
from workspace_ctrl.catalog.presets import presets
from workspace_ctrl.cli.main import main


def run(*arguments):
    return CliRunner().invoke(main, ("presets", *arguments), env={"COLUMNS": "80"})


@pytest.mark.parametrize(
    ("arguments", "known", "last"),
    [((), presets(), "model"), (("--instance-types",), instance_types(), "gpu")],
    ids=["models", "nodes"],
)
def test_the_table_has_every_entry_in_full_whatever_the_width(arguments, known, last):
    lines = run(*arguments).output.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(known)
    assert all(line.endswith(getattr(entry, last)) for line, entry in zip(lines[1:], known.values(), strict=True))


def test_a_row_has_the_figures_of_the_model():
    row = next(line for line in run().output.splitlines() if line.startswith("llama-3.3-70b-instruct"))
    assert row.split()[:5] == ["llama-3.3-70b-instruct", "71B", "131.4", "131072", "yes"]


def test_figures_that_are_not_confirmed_are_marked():
    sizes = {line.split()[0]: line.split()[2] for line in run().output.splitlines()[1:]}
    assert {name for name, size in sizes.items() if size.startswith("~")} == {
        name for name, preset in presets().items() if preset.unconfirmed
    }
    assert (sizes["phi-4"], sizes["kimi-k2.6"]) == ("27.3", "~555.0")
    assert "unconfirmed: true" in run("kimi-k2.6").output


def test_a_part_of_a_name_lists_those_that_have_it():
    lines = run("QWEN3").output.splitlines()
    assert lines[0].split()[:2] == ["NAME", "PARAMS"]
    assert {line.split()[0] for line in lines[1:]} == {name for name in presets() if "qwen3" in name}


@pytest.mark.parametrize("name", ["phi-4", "microsoft/phi-4"])
def test_a_whole_name_shows_all_that_is_known(name):
    shown = yaml.safe_load(run(name).output)
    assert (shown["name"], shown["model"], shown["kv_bytes_per_token"]) == ("phi-4", "microsoft/phi-4", 204800)
    assert shown["flags"] == ["--dtype=float16"]


def test_instance_types_are_found_by_gpu_and_provider():
    assert yaml.safe_load(run("--instance-types", "p5.48xlarge").output)["memory_gib"] == 637.2
    listed = {line.split()[0] for line in run("--instance-types", "h200").output.splitlines()[1:]}
    assert listed == {"Standard_ND96isr_H200_v5", "p5e.48xlarge", "p5en.48xlarge", "a3-ultragpu-8g"}
    assert len(run("--instance-types", "gcp").output.splitlines()) > 20


@pytest.mark.parametrize("arguments", [(), ("phi-4",), ("--instance-types", "h200")], ids=["all", "one", "nodes"])
def test_json_and_yaml_say_the_same(arguments):
    as_json = json.loads(run(*arguments, "-o", "json").output)
    assert as_json == list(yaml.safe_load_all(run(*arguments, "-o", "yaml").output))
    assert as_json[0]["name"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("phi4",), "did you mean phi-4?"),
        (("zzzz",), "`workspace-ctrl presets` lists the models"),
        (("some-lab/zzzz",), "'some-lab/zzzz' is not in the catalog"),
        (("--instance-types", "Standard_NC24_A100_v4"), "did you mean Standard_NC24ads_A100_v4"),
    ],
)
def test_nothing_of_that_name_is_answered_with_a_way_out(arguments, words):
    result = run(*arguments)
    assert (result.exit_code, words in " ".join(result.output.split())) == (2, True), result.output
