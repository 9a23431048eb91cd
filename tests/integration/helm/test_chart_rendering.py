"""What Helm prints of a chart that somebody made to do harm: a typed error, in little time and memory, beside the event loop."""

import asyncio
import resource
from pathlib import Path

import pytest
from pyhelm3.errors import Error as HelmError

from e2e.waiting import WAIT_SECONDS
from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.helm import chart_rendering as helm
from workspace_ctrl.helm.chart_rendering import ChartUnreadableError, Helm, look_at_file, words

CHART = "name: inferencepool\nversion: v1.5.0\n"
SCRIPT = """#!/bin/sh
folder=${0%/*}
case "$1 $2" in
"show chart") exec cat "$folder/chart" ;;
"template defaults") read -r _; exec cat "$folder/values" ;;
*) read -r _; exec cat "$folder/rendered" ;;
esac
"""
ALIASES = "a0: &a0 [x, x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))
MERGES = "a0: &a0 {x: 1}\n" + "\n".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12))


@pytest.fixture
def look(tmp_path):
    """Look at a chart of which Helm prints these texts."""
    program = _program(tmp_path, SCRIPT)

    def render_and_check(chart=CHART, values="", rendered=""):
        for name, text in {"chart": chart, "values": values, "rendered": rendered}.items():
            (tmp_path / name).write_text(text)
        return look_at_file(program, str(chart_folder(tmp_path)))

    return render_and_check


def chart_folder(folder: Path) -> Path:
    """Return a folder with a chart, whatever is in it: Helm is a script here."""
    made = folder / "a-chart"
    made.mkdir(exist_ok=True)
    return made


def _program(folder: Path, script: str) -> str:
    path = folder / "helm"
    path.write_text(script)
    path.chmod(0o755)
    return str(path)


async def test_what_helm_prints_is_read(look):
    report = await look(values="inferencePool: {replicas: 1}", rendered="kind: DaemonSet\nmetadata: {name: x}\n---\n")
    assert (report.chart, report.version, report.holds) == ("inferencepool", "v1.5.0", False)
    found = {check.name: check.found for check in report.checks}
    assert found["the chart creates no objects of unknown kinds"] == "found ['DaemonSet'], not []"


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        pytest.param({"chart": "- a"}, "Chart.yaml is not a mapping", id="a list for Chart.yaml"),
        pytest.param({"chart": ""}, "Chart.yaml has no name of at most 128 printable characters", id="no Chart.yaml"),
        pytest.param({"chart": "name: [a]"}, "Chart.yaml has no name of at most 128 printable characters", id="a list for a name"),
        pytest.param(
            {"chart": f"name: {'a' * 129}"}, "Chart.yaml has no name of at most 128 printable characters", id="a long name"
        ),
        pytest.param(
            {"chart": 'name: "a\\e[31m"'},
            "Chart.yaml has no name of at most 128 printable characters",
            id="a name that does not print",
        ),
        pytest.param(
            {"chart": f"name: a\nversion: v{'9' * 5000}.0.0"},
            "Chart.yaml has no version of at most 128 printable characters",
            id="a version of 5,000 digits",
        ),
        pytest.param({"values": "a: 1\n---\nb: 1"}, "values.yaml is not a mapping", id="two documents of values"),
        pytest.param(
            {"values": ALIASES},
            "values.yaml has more than 50000 keys and values; shorten it, or split it",
            id="aliases",
        ),
        pytest.param(
            {"values": MERGES},
            "values.yaml repeats too many values by merge keys in line 7; replace them with the keys and values",
            id="merge keys",
        ),
        pytest.param(
            {"values": "[" * 60_000}, "values.yaml is nested deeper than 64 levels in line 1; reduce the nesting", id="brackets"
        ),
        pytest.param(
            {"rendered": "- a"}, "its rendered output contains a document that is not an object", id="a list as an object"
        ),
        pytest.param(
            {"rendered": "- " * 60_000},
            "its rendered output is nested deeper than 64 levels in line 1; reduce the nesting",
            id="dashes",
        ),
        pytest.param(
            {"rendered": "a: !!bool b"},
            "its rendered output has a tag in line 1, which is not JSON; remove the tag",
            id="a tag",
        ),
        pytest.param({"rendered": "x" * 1_100_000}, "helm template printed more than 1048576 bytes", id="1.1 MB"),
    ],
)
async def test_what_no_chart_has_is_refused(look, printed, said):
    with pytest.raises(ChartUnreadableError) as caught:
        await look(**printed)
    assert str(caught.value) == said


STRANGE = ["1", "[1]", "{a: 1}", "[[a]]", "null", "text", "[{name: [a]}]"]


@pytest.mark.parametrize("strange", STRANGE)
async def test_objects_of_any_shape_are_judged(look, strange):
    kinds = ["InferencePool", "Deployment", "Service", "ConfigMap", "Secret", "DestinationRule", strange]
    texts = [f"kind: {kind}\nmetadata: {strange}\nspec: {strange}\ndata: {strange}" for kind in kinds]
    inside = [
        f"{{containers: {strange}}}",
        f"{{containers: [{{env: {strange}, args: {strange}, ports: {strange}, name: {strange}}}]}}",
    ]
    for pod in inside:
        deployment = f"kind: Deployment\nmetadata: {{namespace: {strange}}}\nspec: {{template: {{spec: {pod}}}}}"
        report = await look(values=f"inferencePool: {strange}", rendered="\n---\n".join([*texts[:1], *texts[2:], deployment]))
        assert not report.holds
        assert max(len(check.found) for check in report.checks) < 600


async def test_what_is_found_is_quoted_in_part_and_prints(look):
    names = "\n---\n".join(f'kind: "K{n}\\e[31m"' for n in range(500))
    report = await look(rendered=names)
    found = {check.name: check.found for check in report.checks}["the chart creates no objects of unknown kinds"]
    assert len(found) < 300
    assert found.isprintable()


async def test_a_program_that_prints_without_an_end_is_ended(tmp_path):
    program = _program(tmp_path, '#!/bin/sh\nexec yes "$1"\n')
    with pytest.raises(ChartUnreadableError, match="helm show printed more than 1048576 bytes"):
        async with asyncio.timeout(WAIT_SECONDS):
            await look_at_file(program, str(chart_folder(tmp_path)))


async def test_a_program_that_complains_without_an_end_is_ended(tmp_path):
    program = _program(tmp_path, "#!/bin/sh\nexec yes >&2\n")
    with pytest.raises(ChartUnreadableError, match="helm show printed more than 1048576 bytes"):
        async with asyncio.timeout(WAIT_SECONDS):
            await look_at_file(program, str(chart_folder(tmp_path)))


async def test_a_program_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(helm, "_PATIENCE_SECONDS", 0.2)
    program = _program(tmp_path, "#!/bin/sh\nexec sleep 100\n")
    with pytest.raises(HelmError) as caught:
        await look_at_file(program, str(chart_folder(tmp_path)))
    assert words(caught.value) == "helm show timed out after 0 s"


async def test_a_program_that_does_not_read_what_it_is_given_is_waited_for(tmp_path):
    program = _program(tmp_path, "#!/bin/sh\nexec <&-\necho 'kind: A'\n")
    assert await Helm(program, tmp_path).template("a", "chart", {"a": "x" * 1_000_000}, namespace="b") == [{"kind": "A"}]


async def test_a_program_s_memory_is_bounded(tmp_path):
    program = _program(tmp_path, "#!/bin/sh\nread _\ncat /proc/$$/limits\n")
    printed = (await Helm(program, tmp_path).run(["show"], b"go\n")).decode()
    limits = {line[:26].strip(): line[26:47].strip() for line in printed.splitlines()}
    assert (limits["Max data size"], limits["Max file size"]) == (str(256 << 20), str(64 << 20))
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] != 256 << 20


async def test_helm_s_words_print_and_are_bounded(tmp_path):
    program = _program(tmp_path, "#!/bin/sh\nprintf '\\033[31mno\\n such ' >&2; yes | head -c 100000 >&2; exit 1\n")
    with pytest.raises(HelmError) as caught:
        await look_at_file(program, str(chart_folder(tmp_path)))
    said = words(caught.value)
    assert said == ("\ufffd[31mno such " + "y " * 1000)[:1000]


async def test_a_chart_that_nobody_knows_is_no_error_of_another_kind(look):
    with pytest.raises(UnknownChartError):
        await look(chart="name: other\nversion: nonsense\n")


async def test_reading_does_not_hold_the_event_loop(look, monkeypatch):
    loop, ran_in = asyncio.get_running_loop(), []
    read = helm.parse_documents

    def parse(text, limits):
        try:
            ran_in.append(asyncio.get_running_loop() is loop)
        except RuntimeError:
            ran_in.append(False)
        return read(text, limits)

    monkeypatch.setattr(helm, "parse_documents", parse)
    await look()
    assert ran_in == [False] * 12
