"""The answers of the model hub: asked in the background, kept for a while, and reported to the Workspaces that wait for them."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

from workspace_ctrl.catalog.presets import SIZE_REMEDY
from workspace_ctrl.kube.backoff import Backoff, BackoffPolicy, jittered
from workspace_ctrl.kube.fair_slots import FairSlots
from workspace_ctrl.kube.store import Key
from workspace_ctrl.kube.tasks import log_failure
from workspace_ctrl.model.hub_answers import HubAnswer

logger = logging.getLogger(__name__)
_log_failure = partial(log_failure, logger)

_POLICY: Final = BackoffPolicy(first=15.0, longest=900.0)
"""Delays between look-ups of a model without figures."""
_AT_ONCE: Final = 8
_AT_ONCE_OF_NAMESPACE: Final = 2
_PACE: Final = 1.0
"""Seconds for which a look-up keeps its slot after the answer: a hub limits the requests of an address, and all namespaces share ours."""
_KEPT_SECONDS: Final = 3600.0
"""How long figures are used for further Workspaces before the hub is asked again."""
_MOST_KEPT: Final = 512
_NO_ANSWERS: Final[Mapping[str, HubAnswer]] = MappingProxyType({})


class LooksUp(Protocol):
    """Asks the hub, as `HubClient` does it."""

    async def look_up(self, model: str) -> HubAnswer:
        """Return the figures of a model, or why there are none."""

    async def close(self) -> None:
        """Close all connections."""


class NoHubModels:
    """Stands for the hub where none is asked."""

    answers = _NO_ANSWERS

    def look_up(self, model: str, key: Key, *, is_known: bool) -> None:
        """Do nothing."""

    def forget(self, key: Key) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class HubModels:
    """The answers of the hub, by model.

    Guarantees:
      * a model is asked for once at a time, whoever waits for it, and after a failure with growing delays;
      * at most `_AT_ONCE` look-ups run at once, of one namespace `_AT_ONCE_OF_NAMESPACE`, and namespaces take turns;
      * answers are bounded in number; one that has become old is used until there is a newer one.
    """

    def __init__(
        self, client: LooksUp, changed: Callable[[Key], None], policy: BackoffPolicy = _POLICY, pace: float = _PACE
    ) -> None:
        """Make it; `changed` is called with each Workspace for whose model there is another answer, or is to be asked again."""
        self._client = client
        self._changed = changed
        self._policy = policy
        self._pace = pace
        self._slots: FairSlots[str] = FairSlots(_AT_ONCE, _AT_ONCE_OF_NAMESPACE)
        self._waiting: dict[str, set[Key]] = {}
        self._models: dict[Key, str] = {}
        """Workspace → the model for which it waits."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._backoffs: dict[str, Backoff] = {}
        self._old_at: dict[str, float] = {}
        self.answers: dict[str, HubAnswer] = {}
        """The known answers."""

    def look_up(self, model: str, key: Key, *, is_known: bool) -> None:
        """Ask for `model` unless its figures are known and new; the Workspace `key` is enqueued at the next answer.

        `is_known` is whether the Workspace was planned with figures; if not, it is enqueued at once where they have arrived meanwhile.
        """
        if asyncio.get_running_loop().time() < self._old_at.get(model, 0.0):
            if not is_known:
                self._changed(key)
            return
        if self._models.get(key, model) != model:
            self.forget(key)
        self._models[key] = model
        self._waiting.setdefault(model, set()).add(key)
        if model not in self._tasks:
            task = self._tasks[model] = asyncio.create_task(self._find_out(model, key[0]), name=f"look up model {model}")
            task.add_done_callback(_log_failure)

    def forget(self, key: Key) -> None:
        """Drop the Workspace `key`; a model for which nobody waits any more is not asked for."""
        model = self._models.pop(key, None)
        waiting = self._waiting.get(model, set()) if model is not None else set()
        waiting.discard(key)
        if model is not None and not waiting:
            self._waiting.pop(model, None)
            task = self._tasks.pop(model, None)
            if task is not None:
                task.cancel()

    async def close(self) -> None:
        """Stop all look-ups."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    async def _find_out(self, model: str, namespace: str) -> None:
        try:
            async with self._slots.of(namespace):
                answer = await self._answer(model)
                delay = self._keep(model, answer)
                self._tell(model)
                await asyncio.sleep(self._pace)
            if answer.found is not None:
                return
            await asyncio.sleep(jittered(delay, 0.8, 1.0))
        finally:
            if self._tasks.get(model) is asyncio.current_task():
                del self._tasks[model]
        self._tell(model)  # Workspaces that still need it call `look_up` again

    async def _answer(self, model: str) -> HubAnswer:
        try:
            return await self._client.look_up(model)
        except (
            Exception
        ) as error:  # files of models are untrusted: an unexpected error is an answer, too, and the look-up is repeated
            logger.exception("model %s could not be looked up", model)
            text = f"{model} cannot be looked up ({type(error).__name__}; see the controller's log); retrying; or {SIZE_REMEDY}"
            return HubAnswer(reason="ModelNotReadable", message=text)

    def _keep(self, model: str, answer: HubAnswer) -> float:
        """Keep an answer instead of older ones; return the seconds after which one without figures is asked for again."""
        now = asyncio.get_running_loop().time()
        if answer.found is not None:
            logger.info("model %s: %s", model, answer.found)
            self._backoffs.pop(model, None)
            self._old_at[model] = now + _KEPT_SECONDS
        else:
            logger.warning("%s", answer.message)
            self._backoffs[model] = self._backoffs.get(model, Backoff(self._policy)).again(now)
        if answer.found is not None or self._is_unknown(model):
            self.answers.pop(model, None)
            self.answers[model] = answer
        while len(self.answers) > _MOST_KEPT:
            self._drop(next(iter(self.answers)))
        return self._backoffs[model].delay if model in self._backoffs else 0.0

    def _is_unknown(self, model: str) -> bool:
        """Whether there are no figures of a model, not even old ones, which are better than none."""
        known = self.answers.get(model)
        return known is None or known.found is None

    def _drop(self, model: str) -> None:
        del self.answers[model]
        self._backoffs.pop(model, None)
        self._old_at.pop(model, None)

    def _tell(self, model: str) -> None:
        for key in self._waiting.pop(model, ()):
            self._models.pop(key, None)
            self._changed(key)
