"""Which endpoint pickers KEDA is to ask the load of: those in the triggers of the ScaledObjects that a controller has written.

Every replica answers KEDA, also one that is not the leader and knows no InferenceSets. So each follows the ScaledObjects themselves, of
which it keeps nothing but the names of their pickers. A ScaledObject can name pickers of its own namespace only.
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Final

from workspace_ctrl.api.labels import FIELD_MANAGER, MANAGED_BY_LABEL
from workspace_ctrl.cache.watches import SCALED_OBJECT
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.kube.tasks import log_failure

logger = logging.getLogger(__name__)
_log_failure = partial(log_failure, logger)

LABEL: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
LOAD_PATH: Final = re.compile(f"/load/(?P<namespace>{LABEL})/(?P<picker>{LABEL})")
"""Where KEDA reads the load of an endpoint picker."""
_LONGEST_URL: Final = 4096
_MOST_TRIGGERS: Final = 16
_Pickers = frozenset[Key]


def pickers_of(raw: Json, _kind: str = "") -> _Pickers:
    """Return namespace and name of the endpoint pickers in the triggers of a ScaledObject; whatever its shape, nothing is raised."""
    metadata, spec = raw.get("metadata"), raw.get("spec")
    triggers = spec.get("triggers") if isinstance(spec, dict) else None
    if not isinstance(metadata, dict) or not isinstance(triggers, list):
        return frozenset()
    found = (_picker(trigger) for trigger in triggers[:_MOST_TRIGGERS])
    return frozenset(picker for picker in found if picker is not None and picker[0] == metadata.get("namespace"))


def _picker(trigger: object) -> Key | None:
    metadata = trigger.get("metadata") if isinstance(trigger, dict) else None
    url = metadata.get("url") if isinstance(metadata, dict) else None
    if not isinstance(url, str) or len(url) > _LONGEST_URL:
        return None
    # the last three segments, because a namespace and a picker can also be called load
    place = LOAD_PATH.fullmatch("/".join(("", *url.rsplit("/", 3)[1:])))
    return (place["namespace"], place["picker"]) if place is not None else None


class KnownPickers:
    """Follows the ScaledObjects that a controller has written."""

    def __init__(self, client: Client, namespaces: Sequence[str] = ()) -> None:
        """Make it; without `namespaces`, those of the whole cluster are followed."""
        self._stores: list[Store[_Pickers]] = []
        self._informers: list[Informer[_Pickers]] = []
        self._known: frozenset[Key] | None = None
        """All of them; None after a change."""
        for namespace in namespaces or ("",):
            store: Store[_Pickers] = Store(lambda _pickers: None)
            source = Source(SCALED_OBJECT, pickers_of, f"{MANAGED_BY_LABEL}={FIELD_MANAGER}", namespace=namespace)
            self._stores.append(store)
            self._informers.append(Informer(client, source, store, self._changed, partial(self._changed, frozenset())))

    async def run(self) -> None:
        """Follow them until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self._informers:
                group.create_task(informer.run(), name="watch ScaledObjects for loads").add_done_callback(_log_failure)

    def has(self, namespace: str, picker: str) -> bool | None:
        """Whether a ScaledObject has the load of an endpoint picker measured here; None as long as they have not been read."""
        if not all(informer.is_synced for informer in self._informers):
            return None
        if self._known is None:
            self._known = frozenset(chain.from_iterable(chain.from_iterable(store.values() for store in self._stores)))
        return (namespace, picker) in self._known

    def _changed(self, _pickers: _Pickers) -> None:
        self._known = None
