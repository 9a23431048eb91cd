"""How soon a changed status is written."""

import pytest

from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.readiness.news import News, news


def made(generation=1, **conditions):
    entries = [
        {"type": type_, "status": text.split()[0], "reason": text.split()[1], "message": "", "lastTransitionTime": "t"}
        for type_, text in {"Ready": "False X", **conditions}.items()
    ]
    return WorkspaceStatus.model_validate({"observedGeneration": generation, "conditions": entries})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(made(), made(), News.NONE, id="nothing new"),
        pytest.param(WorkspaceStatus(), made(), News.URGENT, id="the first status"),
        pytest.param(made(), made(generation=2), News.URGENT, id="a new spec"),
        pytest.param(made(), made(Ready="True Ready"), News.URGENT, id="ready"),
        pytest.param(made(ChartReady="True A"), made(ChartReady="Unknown B"), News.URGENT, id="a link that broke"),
        pytest.param(made(GatewayReady="True A"), made(GatewayReady="False B"), News.URGENT, id="not gateway-ready any more"),
        pytest.param(made(GatewayReady="False A"), made(GatewayReady="True B"), News.SOON, id="gateway-ready, not all ready"),
        pytest.param(made(ChartReady="Unknown A"), made(ChartReady="False B"), News.SOON, id="a link that fails"),
        pytest.param(made(ChartReady="False A"), made(ChartReady="False B"), News.SOON, id="fails otherwise"),
        pytest.param(made(), made(ChartReady="Unknown A"), News.SOON, id="a new condition"),
        pytest.param(made(ChartReady="Unknown A"), made(ChartReady="True B"), News.PROGRESS, id="one more link holds"),
        pytest.param(made(InferenceReady="False A"), made(InferenceReady="False B"), News.PROGRESS, id="starting, otherwise"),
    ],
)
def test_news(old, new, expected):
    assert news(old, new) is expected
