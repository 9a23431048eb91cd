"""A model is looked up once for all who wait for it, in the background, and again where there were no figures."""

import asyncio
import json

import pytest

from tests.model_hub import CONFIG, SIZE
from workspace_ctrl.catalog.hub_model import hub_model
from workspace_ctrl.catalog.model_config import read_config
from workspace_ctrl.hub import hub_models
from workspace_ctrl.hub.hub_models import HubModels
from workspace_ctrl.kube.backoff import BackoffPolicy
from workspace_ctrl.model.hub_answers import HubAnswer

MODEL = "some-lab/Model"
ONE, TWO = ("a", "one"), ("b", "two")
FAILED = HubAnswer(reason="ModelHubUnavailable", message="the hub does not answer")
AT_ONCE = BackoffPolicy(first=0.0, longest=0.0)


def found(weights=SIZE):
    return HubAnswer(hub_model(MODEL, read_config(json.dumps(CONFIG).encode()), weights, "index"))


async def settled():
    """Let all tasks run until they wait for something else than each other: nothing here waits for time but what is to."""
    for _ in range(20):
        await asyncio.sleep(0)


class Client:
    """Answers look-ups in turn, the last answer for ever."""

    def __init__(self, *answers):
        self.answers, self.asked, self.closed = list(answers), [], False
        self.at_once = self.most_at_once = 0
        self.open = asyncio.Event()
        self.open.set()

    async def look_up(self, model):
        self.asked.append(model)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.open.wait()
        finally:
            self.at_once -= 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self):
        self.closed = True


class Looked:
    """A hub, and who was told."""

    def __init__(self, *answers, policy=AT_ONCE, pace=0.0):
        self.client, self.told = Client(*answers), asyncio.Queue()
        self.models = HubModels(self.client, self.told.put_nowait, policy, pace)

    async def wait_told(self, *keys):
        """Wait until these are told next, in any order."""
        async with asyncio.timeout(5):
            assert sorted([await self.told.get() for _ in keys]) == sorted(keys)


async def test_a_model_is_looked_up_once_and_all_who_wait_hear_of_it():
    looked = Looked(found())
    for key in (ONE, TWO, ONE):
        looked.models.look_up(MODEL, key, is_known=False)
    assert looked.models.answers == {}
    await looked.wait_told(ONE, TWO)
    looked.models.look_up(MODEL, ONE, is_known=True)
    assert (looked.client.asked, looked.models.answers) == ([MODEL], {MODEL: found()})
    assert looked.told.empty()
    await looked.models.close()
    assert looked.client.closed


async def test_who_was_planned_before_the_answer_came_is_told_at_once():
    looked = Looked(found())
    looked.models.look_up(MODEL, ONE, is_known=False)
    await looked.wait_told(ONE)
    looked.models.look_up(MODEL, TWO, is_known=False)
    await looked.wait_told(TWO)
    assert looked.client.asked == [MODEL]
    await looked.models.close()


async def test_without_figures_those_who_still_need_them_are_told_and_the_old_answer_stays():
    looked = Looked(FAILED, found())
    looked.models.look_up(MODEL, ONE, is_known=False)
    await looked.wait_told(ONE)
    assert looked.models.answers == {MODEL: FAILED}
    looked.models.look_up(MODEL, ONE, is_known=False)  # its next pass
    await looked.wait_told(ONE)  # the delay is over
    assert (looked.client.asked, looked.models.answers) == ([MODEL], {MODEL: FAILED})
    looked.models.look_up(MODEL, ONE, is_known=False)
    await looked.wait_told(ONE)
    assert (looked.client.asked, looked.models.answers) == ([MODEL, MODEL], {MODEL: found()})
    await looked.models.close()


async def test_a_failure_delays_the_next_look_up():
    looked = Looked(FAILED, policy=BackoffPolicy(first=3600.0, longest=3600.0))
    looked.models.look_up(MODEL, ONE, is_known=False)
    await looked.wait_told(ONE)
    looked.models.look_up(MODEL, TWO, is_known=False)
    await settled()
    assert (looked.client.asked, looked.told.empty()) == ([MODEL], True)
    await looked.models.close()


async def test_a_model_for_which_nobody_waits_any_more_is_not_asked_for():
    looked = Looked(found())
    looked.client.open.clear()
    looked.models.look_up(MODEL, ONE, is_known=False)
    looked.models.look_up(MODEL, TWO, is_known=False)
    looked.models.forget(ONE)
    await settled()
    assert looked.client.at_once == 1
    looked.models.forget(TWO)
    await settled()
    assert looked.client.at_once == 0
    looked.client.open.set()
    looked.models.look_up(MODEL, ONE, is_known=False)
    await looked.wait_told(ONE)
    assert looked.client.asked == [MODEL, MODEL]
    await looked.models.close()


async def test_a_workspace_waits_for_its_newest_model_only():
    looked = Looked(found())
    looked.client.open.clear()
    looked.models.look_up("some-lab/First", ONE, is_known=False)
    looked.models.look_up(MODEL, ONE, is_known=False)
    looked.client.open.set()
    await looked.wait_told(ONE)
    await settled()
    assert looked.told.empty()
    assert set(looked.models.answers) == {MODEL}
    await looked.models.close()


async def test_an_unexpected_error_is_an_answer(caplog):
    looked = Looked(RuntimeError("odd"))
    looked.models.look_up(MODEL, ONE, is_known=False)
    await looked.wait_told(ONE)
    assert looked.models.answers[MODEL] == HubAnswer(
        reason="ModelNotReadable",
        message=f"{MODEL} cannot be looked up (RuntimeError; see the controller's log); retrying; or set inference.preset.size "
        "(at least weights)",
    )
    assert "RuntimeError: odd" in caplog.text
    await looked.models.close()


async def test_one_namespace_leaves_slots_to_the_others():
    looked = Looked(found())
    looked.client.open.clear()
    for number in range(50):
        looked.models.look_up(f"some-lab/Junk-{number}", ("a", str(number)), is_known=False)
    looked.models.look_up(MODEL, TWO, is_known=False)
    await settled()
    assert MODEL in looked.client.asked
    assert looked.client.at_once == 3  # two of the one, one of the other
    await looked.models.close()


async def test_a_slot_is_kept_for_a_moment_so_that_a_hub_is_asked_slowly():
    looked = Looked(found(), pace=3600.0)
    for number in range(10):
        looked.models.look_up(f"some-lab/Model-{number}", ("a", str(number)), is_known=False)
    await looked.wait_told(("a", "0"), ("a", "1"))
    await settled()
    assert len(looked.client.asked) == 2
    await looked.models.close()


async def test_old_figures_are_used_until_there_are_newer_ones(monkeypatch):
    monkeypatch.setattr(hub_models, "_KEPT_SECONDS", -1.0)
    looked = Looked(found(), FAILED, found(2 * SIZE))
    for expected in (found(), found(), found(2 * SIZE)):
        looked.models.look_up(MODEL, ONE, is_known=True)
        await looked.wait_told(ONE)
        assert looked.models.answers == {MODEL: expected}
        await settled()  # the task of a failed look-up ends after its delay
    assert looked.client.asked == [MODEL] * 3
    await looked.models.close()


async def test_answers_are_bounded(monkeypatch):
    monkeypatch.setattr(hub_models, "_MOST_KEPT", 3)
    looked = Looked(FAILED)
    for number in range(5):
        looked.models.look_up(f"some-lab/Model-{number}", ONE, is_known=False)
        await looked.wait_told(ONE)
    assert list(looked.models.answers) == ["some-lab/Model-2", "some-lab/Model-3", "some-lab/Model-4"]
    assert set(looked.models._backoffs) == set(looked.models.answers)
    await looked.models.close()


@pytest.mark.parametrize("answer", [found(), FAILED])
async def test_nothing_is_left_of_workspaces_that_are_gone(answer):
    looked = Looked(answer)
    looked.models.look_up(MODEL, ONE, is_known=False)
    await looked.wait_told(ONE)
    looked.models.look_up(MODEL, ONE, is_known=answer.found is not None)
    looked.models.forget(ONE)
    await settled()
    assert (looked.models._waiting, looked.models._models, looked.models._tasks) == ({}, {}, {})
    await looked.models.close()
