"""Watches of InferenceObjectives: one for each namespace with a Workspace that has objectives."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from workspace_ctrl.cache.watches import INFERENCE_OBJECTIVE, OURS
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.kube.tasks import log_failure
from workspace_ctrl.records.objectives import InferenceObjective, parse_objective
from workspace_ctrl.records.unreadable_objects import isolated

logger = logging.getLogger(__name__)
_log_failure = partial(log_failure, logger)

_READ: Final = isolated(parse_objective)


class _Watch:
    """The watch of one namespace."""

    def __init__(self, client: Client, namespace: str, changed: Callable[[Key], None]) -> None:
        self.users: set[Key] = set()
        self.store: Store[InferenceObjective] = Store(_owner)
        self._changed = changed
        source = Source(INFERENCE_OBJECTIVE, _READ, OURS, namespace=namespace)
        self.informer = Informer(client, source, self.store, self._tell_owner, self._tell_all)
        self.task = asyncio.create_task(self._run(), name=f"watch objectives of {namespace}")
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
        self._watches: dict[str, _Watch] = {}

    def follow(self, key: Key, *, wanted: bool) -> None:
        """Watch the objectives of the Workspace `key`, or stop watching them."""
        watch = self._watches.get(key[0])
        if wanted:
            if watch is None:
                watch = self._watches[key[0]] = _Watch(self._client, key[0], self._changed)
            watch.users.add(key)
        elif watch is not None:
            watch.users.discard(key)
            if not watch.users:
                del self._watches[key[0]]
                watch.task.cancel()

    def is_followed(self, key: Key) -> bool:
        """Whether the objectives of the Workspace `key` are watched."""
        watch = self._watches.get(key[0])
        return watch is not None and key in watch.users

    def is_synced(self, key: Key) -> bool:
        """Whether the objectives of the Workspace `key` have been listed, are unavailable, or are not watched."""
        return not self.is_followed(key) or self._watches[key[0]].informer.is_synced

    def of(self, key: Key) -> tuple[InferenceObjective, ...]:
        """Return the objectives of the Workspace `key`, which must be watched."""
        return self._watches[key[0]].store.owned_by(key)

    def problem(self, key: Key) -> str:
        """Return why the objectives of the Workspace `key` cannot be watched; empty if they can."""
        resource = INFERENCE_OBJECTIVE
        is_missing = self._watches[key[0]].informer.is_missing
        return f"cannot list or watch {resource.plural} of {resource.api_version}" if is_missing else ""

    def write_through(self, record: InferenceObjective, version: int) -> None:
        """Store the response to one of our writes."""
        ref = record.meta.ref
        watch = self._watches.get(ref.namespace)
        if watch is not None:
            watch.store.write_through((ref.namespace, ref.name), record, version)

    async def close(self) -> None:
        """Stop all watches."""
        tasks = [watch.task for watch in self._watches.values()]
        self._watches.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
