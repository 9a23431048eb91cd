"""Pods that serve pages and policies end before the kubelet ends them, and the page of a terminal ends at once."""

import re

import pytest

from tests.unit.cli.test_cli import REPOSITORY
from workspace_ctrl.cli.page import page_server, token_server
from workspace_ctrl.process import bounded_server

TEMPLATES = REPOSITORY / "charts/workspace-ctrl/templates"
SPARE = 5
"""Seconds for all else that a process does at its end."""


@pytest.mark.parametrize(
    ("template", "server"), [("ui.yaml", token_server), ("ui.yaml", bounded_server), ("deployment.yaml", bounded_server)]
)
def test_connections_are_closed_within_the_grace_period_of_the_pod(template, server):
    (seconds,) = re.findall(r"terminationGracePeriodSeconds: (\d+)", (TEMPLATES / template).read_text())
    assert int(seconds) >= server._SHUTDOWN_SECONDS + SPARE


def test_who_types_ctrl_c_does_not_wait_for_an_open_page():
    assert page_server._SHUTDOWN_SECONDS <= 0.5
