"""Flags of a user that the model server's version does not know."""

import pytest

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.vllm import flags, newest_version, short_forms
from workspace_ctrl.planning.vllm.known_flags import known_flags


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("max-model-length", "did you mean max-model-len?"),
        ("served-model-names", "if you mean served-model-name, set gateway.aliases for further names"),
        ("tp", "did you mean tensor-parallel-size?"),
        ("dpn", "if you mean data-parallel-rank, set only data-parallel-size"),
        ("zzzz", "vllm serve --help=all of vLLM"),
    ],
)
def test_a_hint_names_only_flags_that_can_be_set(name, remedy):
    with pytest.raises(SpecError) as caught:
        known_flags({name: "1"}, newest_version())
    assert remedy in str(caught.value)


@pytest.mark.parametrize("name", short_forms())
def test_a_short_form_is_no_flag_of_any_version(name):
    """Argparse, which reads vLLM's files as well, knows it with one dash only."""
    assert name not in flags()
    with pytest.raises(SpecError, match="is the short form of a flag"):
        known_flags({name: "1"}, None)


def test_a_flag_that_only_a_newer_vllm_can_know_is_passed_and_named():
    newer = (*newest_version()[:-1], newest_version()[-1] + 1)
    found = known_flags({"no-such-flag-yet": "1"}, newer)
    assert found.given == {"no-such-flag-yet": "1"}
    (note,) = found.notes
    assert "is not a flag of any version of vLLM known here, but vLLM" in note
