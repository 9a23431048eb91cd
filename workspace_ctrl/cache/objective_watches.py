"""Watches of InferenceObjectives: one for each API group and namespace with a Workspace that has objectives."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Final

from workspace_ctrl.api.labels import LLM_D_GROUP, OBJECTIVES_GROUP
from workspace_ctrl.cache.watches import INFERENCE_OBJECTIVES, OURS
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.resources import ApiResource
from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.kube.tasks import log_failure
from workspace_ctrl.records.objectives import InferenceObjective, parse_objective
from workspace_ctrl.records.unreadable_objects import isolated

logger = logging.getLogger(__name__)
_log_failure = partial(log_failure, logger)

_READ: Final = isolated(parse_objective)


class _Watch:
    """The watch of one API group in one namespace."""

    def __init__(self, client: Client, resource: ApiResource, namespace: str, changed: Callable[[Key], None]) -> None:
        self.users: set[Key] = set()
        self.store: Store[InferenceObjective] = Store(_owner)
        self._changed = changed
        source = Source(resource, _READ, OURS, namespace=namespace)
        self.informer = Informer(client, source, self.store, self._tell_owner, self._tell_all)
        self.task = asyncio.create_task(self._run(), name=f"watch {resource.kind} of {namespace}")
        self.task.add_done_callback(_log_failure)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.informer.run())
            await self.informer.wait_synced()
            self._tell_all()

    def _tell_owner(self, record: InferenceObjective) -> None:
        self._changed(_owner(record))

    def _tell_all(self) -> None:
        for user in self.users:
            self._changed(user)


def _owner(record: InferenceObjective) -> Key:
    return record.meta.ref.namespace, record.meta.workspace


class Objectives:
    """The InferenceObjectives of all Workspaces with objectives."""

    def __init__(self, client: Client, changed: Callable[[Key], None]) -> None:
        self._client = client
        self._changed = changed
        self._watches: dict[tuple[str, str], _Watch] = {}
        """By API group and namespace."""

    def follow(self, key: Key, groups: Collection[str]) -> None:
        """Watch the objectives of the Workspace `key` in these API groups, and no longer in others."""
        for group, resource in INFERENCE_OBJECTIVES.items():
            place = (group, key[0])
            watch = self._watches.get(place)
            if group in groups:
                if watch is None:
                    watch = self._watches[place] = _Watch(self._client, resource, key[0], self._changed)
                watch.users.add(key)
            elif watch is not None:
                watch.users.discard(key)
                if not watch.users:
                    del self._watches[place]
                    watch.task.cancel()

    def is_followed(self, key: Key) -> bool:
        """Whether the objectives of the Workspace `key` are watched."""
        return any(True for _ in self._of(key))

    def is_synced(self, key: Key) -> bool:
        """Whether the objectives of the Workspace `key` have been listed, are unavailable, or are not watched."""
        return all(watch.informer.is_synced for _, watch in self._of(key))

    def of(self, key: Key) -> tuple[InferenceObjective, ...]:
        """Return the objectives of the Workspace `key`, of all groups that are watched for it."""
        return tuple(record for _, watch in self._of(key) for record in watch.store.owned_by(key))

    def problem(self, key: Key) -> str:
        """Return why objectives of the inference extension cannot be watched for the Workspace `key`; empty if they can."""
        watch = self._watches.get((OBJECTIVES_GROUP, key[0]))
        return watch.informer.problem if watch is not None else ""

    def of_llm_d(self, key: Key) -> bool:
        """Whether objectives of llm-d are watched for the Workspace `key`, and can be."""
        return any(group == LLM_D_GROUP and not watch.informer.is_missing for group, watch in self._of(key))

    def write_through(self, record: InferenceObjective, version: int) -> None:
        """Store the response to one of our writes."""
        ref = record.meta.ref
        group = next(group for group, resource in INFERENCE_OBJECTIVES.items() if resource.kind == ref.kind)
        watch = self._watches.get((group, ref.namespace))
        if watch is not None:
            watch.store.write_through((ref.namespace, ref.name), record, version)

    async def close(self) -> None:
        """Stop all watches."""
        tasks = [watch.task for watch in self._watches.values()]
        self._watches.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _of(self, key: Key) -> Iterable[tuple[str, _Watch]]:
        """Yield the watches for the Workspace `key`, by API group."""
        for group in INFERENCE_OBJECTIVES:
            watch = self._watches.get((group, key[0]))
            if watch is not None and key in watch.users:
                yield group, watch
