"""Each chart is looked at once for all who wait for it, and again only where it was not right."""

import asyncio

import pytest
from pyhelm3.errors import Error as HelmError

from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.helm import chart_verifier
from workspace_ctrl.helm.chart_layout_checks import Check
from workspace_ctrl.helm.chart_rendering import ChartReport, ChartUnreadableError
from workspace_ctrl.helm.chart_verifier import ChartVerifier, verdict_of
from workspace_ctrl.kube.backoff import BackoffPolicy
from workspace_ctrl.model.chart_verdicts import ChartId, ChartVerdict

CHART = ChartId("oci://registry.example/charts/inferencepool", "v1.5.0")
OTHER = ChartId("oci://registry.example/charts/inferencepool", "v1.4.0")
ONE, TWO = ("a", "one"), ("a", "two")
AT_ONCE = BackoffPolicy(first=0.0, longest=0.0)

PODS, PORT = "InferencePool: selects the pods of the model server", "InferencePool: has the port of the model server"


def report(*broken):
    checks = [Check(PODS, holds=True), *(Check(name, holds=False, found=found) for name, found in broken)]
    return ChartReport("inferencepool", "v1.5.0", "", checks)


class Looker:
    """Answers looks in turn, and keeps what was asked and who was told."""

    def __init__(self, *query_results):
        self.query_results, self.asked = list(query_results), []
        self.told = asyncio.Queue()
        self.looks = ChartVerifier("helm", self.told.put_nowait, self.verify)

    async def verify(self, program, chart):
        self.asked.append((program, chart))
        answer = self.query_results.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def wait_told(self, *keys):
        """Wait until these are told next, in any order."""
        async with asyncio.timeout(5):
            assert sorted([await self.told.get() for _ in keys]) == sorted(keys)


async def test_a_chart_is_looked_at_once_and_all_who_wait_hear_of_it():
    looker = Looker(report())
    for key in (ONE, TWO, ONE):
        looker.looks.verify(CHART, key)
    assert looker.looks.verdicts == {}
    await looker.wait_told(ONE, TWO)
    looker.looks.verify(CHART, ONE)
    assert looker.asked == [("helm", CHART)]
    assert looker.looks.verdicts == {CHART: ChartVerdict()}
    await looker.looks.close()


async def test_charts_are_told_apart():
    looker = Looker(report(), report((PORT, "found 1, not 2")))
    looker.looks.verify(CHART, ONE)
    looker.looks.verify(OTHER, TWO)
    await looker.wait_told(ONE, TWO)
    assert [looker.looks.verdicts[chart].holds for chart in (CHART, OTHER)] == [True, False]
    await looker.looks.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(HelmError(1, b"", b"no such host"), "Helm failed: no such host", id="not fetched"),
        pytest.param(OSError("no room"), "Helm failed: no room", id="no room"),
        pytest.param(report((PORT, "found 1, not 2")), f'"{PORT}": found 1, not 2', id="not right"),
        pytest.param(
            UnknownChartError("the values of chart x are not known"), "the values of chart x are not known", id="another chart"
        ),
    ],
)
async def test_a_chart_that_is_not_right_is_looked_at_again_for_those_who_still_wait(monkeypatch, caplog, answer, words):
    monkeypatch.setattr(chart_verifier, "_POLICY", AT_ONCE)
    looker = Looker(answer, report())
    looker.looks.verify(CHART, ONE)
    with caplog.at_level("WARNING"):
        await looker.wait_told(ONE)
    assert words in caplog.text
    looker.looks.verify(CHART, ONE)
    await looker.wait_told(ONE)  # that it is worth asking again
    assert len(looker.asked) == 1
    looker.looks.verify(CHART, ONE)
    await looker.wait_told(ONE)
    assert looker.looks.verdicts == {CHART: ChartVerdict()}
    await looker.looks.close()


async def test_a_chart_that_is_never_right_is_looked_at_again_however_often_it_was(monkeypatch):
    monkeypatch.setattr(chart_verifier, "_POLICY", AT_ONCE)
    often = 1100  # so many doublings are more than a float can hold
    looker = Looker(*[OSError("no room")] * often, report())
    for _ in range(often):
        looker.looks.verify(CHART, ONE)
        await looker.wait_told(ONE)
        looker.looks.verify(CHART, ONE)
        await looker.wait_told(ONE)
    looker.looks.verify(CHART, ONE)
    await looker.wait_told(ONE)
    assert looker.looks.verdicts == {CHART: ChartVerdict()}
    await looker.looks.close()


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        pytest.param(
            ChartUnreadableError("values.yaml has \x1b[31m"),
            ChartVerdict(
                "ChartCheckFailed",
                "chart inferencepool v1.5.0 cannot be used: values.yaml has \ufffd[31m; choose another version",
                terminal=True,
            ),
            id="what no chart has",
        ),
        pytest.param(
            KeyError("x"),
            ChartVerdict(
                "ChartNotChecked",
                "chart inferencepool v1.5.0 cannot be checked (KeyError; see the controller's log); retrying",
            ),
            id="what nobody thought of",
        ),
    ],
)
async def test_a_chart_that_does_harm_is_a_finding(answer, found):
    looker = Looker(answer)
    looker.looks.verify(CHART, ONE)
    await looker.wait_told(ONE)
    assert looker.looks.verdicts == {CHART: found}
    await looker.looks.close()


async def test_what_waits_to_be_looked_at_again_ends_with_the_process():
    looker = Looker(HelmError(1, b"", b"no such host"))
    looker.looks.verify(CHART, ONE)
    await looker.wait_told(ONE)
    assert looker.looks.verdicts[CHART] == ChartVerdict(
        "ChartNotChecked",
        "chart inferencepool v1.5.0 cannot be checked: Helm failed: no such host; check that the controller can reach the registry; "
        "retrying",
    )
    await looker.looks.close()
    assert looker.told.empty()


def test_the_first_difference_is_told_with_a_way_to_see_all():
    assert verdict_of(CHART, report()) == ChartVerdict()
    port = (PORT, "found [], not [{'number': 5000}]")
    names = ("endpoint picker: its Service has the expected name", "found 'x', not 'y'")
    see = "use another version; see workspace-ctrl chart check oci://registry.example/charts/inferencepool --version v1.5.0"
    said = f"chart inferencepool v1.5.0 does not match its layout: \"{PORT}\": found [], not [{{'number': 5000}}]"
    assert verdict_of(CHART, report(port)) == ChartVerdict("ChartCheckFailed", f"{said}; {see}", terminal=True)
    assert verdict_of(CHART, report(port, names)).message == f"{said}, and 1 more differs; {see}"
    assert verdict_of(CHART, report(port, names, names)).message == f"{said}, and 2 more differ; {see}"
