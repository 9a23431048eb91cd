"""Feature gates."""

import pytest

from workspace_ctrl.settings.process import SettingsError, parse_feature_gates


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", False),
        ("gatewayAPIInferenceExtension=true", True),
        ("gatewayAPIInferenceExtension=True, ", True),
        ("gatewayAPIInferenceExtension=true,gatewayAPIInferenceExtension=false", False),
    ],
)
def test_gates_are_read(text, value):
    assert parse_feature_gates(text) == {"gatewayAPIInferenceExtension": value}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unknown=true", "'unknown' is not known; known: gatewayAPI"),
        ("gatewayAPIInferenceExtension=yes", "needs true or false, not 'yes'"),
    ],
)
def test_a_wrong_gate_is_said(text, words):
    with pytest.raises(SettingsError, match=words):
        parse_feature_gates(text)
