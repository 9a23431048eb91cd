"""Flags of a user that the model server's version does not know."""

import pytest

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.vllm import newest_version
from workspace_ctrl.planning.vllm.known_flags import known_flags


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("max-model-length", "did you mean max-model-len?"),
        ("served-model-names", "if you mean served-model-name, remove it: the controller sets that"),
        ("zzzz", "vllm serve --help=all of vLLM"),
    ],
)
def test_a_hint_names_only_flags_that_can_be_set(name, remedy):
    with pytest.raises(SpecError) as caught:
        known_flags({name: "1"}, newest_version())
    assert remedy in str(caught.value)
