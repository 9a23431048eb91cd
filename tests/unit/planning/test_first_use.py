"""Charts are looked at before their first use, where the installation asks for it; what is in use is left alone."""

from dataclasses import replace

from tests.unit.factories import SETTINGS, quickstart, workspace
from tests.unit.planning.test_plan import finished, words
from workspace_ctrl.model.chart_verdicts import ChartVerdict
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.steps import VerifyChart

CHART = SETTINGS.chart.id
OTHER = replace(CHART, version="v1.4.0")
RIGHT = ChartVerdict()
WRONG = ChartVerdict("ChartCheckFailed", "chart inferencepool v1.5.0 is not as its layout says", terminal=True)


def before(verdicts):
    """The world before the first use of the chart."""
    return replace(finished(), source=None, release=None, route=None, pool=None, chart_verdicts=verdicts)


def test_an_unknown_chart_is_looked_at_and_nothing_is_written_meanwhile():
    outcome = plan(workspace(), before({}), SETTINGS)
    assert outcome.steps == (VerifyChart(CHART),)
    assert outcome.decisions.problems == (
        Problem(LinkName.SOURCE, "ChartBeingChecked", "chart inferencepool v1.5.0 is being checked with Helm before its first use"),
    )


def test_a_chart_that_is_right_is_used():
    assert words(plan(workspace(), before({CHART: RIGHT}), SETTINGS)) == ["create OCIRepository"]
    assert words(plan(workspace(), before(None), SETTINGS)) == ["create OCIRepository"]


def test_a_chart_that_is_not_right_is_not_used_and_said():
    outcome = plan(workspace(), before({CHART: WRONG, OTHER: RIGHT}), SETTINGS)
    assert outcome.steps == (VerifyChart(CHART),)  # to hear of it when it is looked at again
    assert outcome.decisions.problems == (Problem(LinkName.SOURCE, "ChartCheckFailed", WRONG.message, terminal=True),)


def test_what_is_in_use_is_not_looked_at():
    outcome = plan(workspace(), replace(finished(), chart_verdicts={}), SETTINGS)
    assert (outcome.steps, outcome.decisions.problems) == ((), ())


def test_a_change_of_version_leaves_what_is_installed_until_the_new_one_is_known_to_be_right():
    record = workspace(quickstart(gateway={"chart": {"version": "v1.4.0"}}))
    outcome = plan(record, replace(finished(), chart_verdicts={}), SETTINGS)
    assert outcome.steps == (VerifyChart(OTHER),)
    assert [problem.reason for problem in outcome.decisions.problems] == ["ChartBeingChecked"]
    assert words(plan(record, replace(finished(), chart_verdicts={OTHER: RIGHT}), SETTINGS)) == ["force OCIRepository"]
