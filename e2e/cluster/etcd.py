"""The few requests to a cluster's etcd, below its API server: etcd answers JSON over HTTP, from the cluster's own network."""

import base64
import http.client
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from e2e.cluster.api import NotReachableError
from e2e.cluster.errors import ClusterError
from e2e.cluster.forms import Form
from e2e.cluster.local import LocalCluster
from e2e.cluster.processes import join_network

ANSWER_SECONDS = 60.0


class Etcd:
    """The etcd of a running cluster; to be used as a context manager."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._port = cluster.settings.ports["etcd"]
        self._network = ThreadPoolExecutor(1)
        if cluster.form is Form.FULL:
            # A socket belongs to the network in which it was created, so only this thread has to be inside.
            self._network.submit(join_network, cluster.supervisor.pid).result()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread that asks."""
        self._network.shutdown()

    def serves(self) -> bool:
        """Say whether etcd answers.

        Raises:
            NotReachableError: it does not listen yet.
        """
        return bool(self._ask("maintenance/status", {})["header"])

    def put(self, values: Mapping[str, bytes]) -> None:
        """Write values, in one request each, as large ones do not fit into one."""
        for key, value in values.items():
            self._ask("kv/put", {"key": _encoded(key.encode()), "value": _encoded(value)})

    def below(self, prefix: str) -> dict[str, bytes]:
        """Return the values of all keys that begin with `prefix`, which ends with a slash."""
        end = prefix.encode()[:-1] + bytes([prefix.encode()[-1] + 1])
        found = self._ask("kv/range", {"key": _encoded(prefix.encode()), "range_end": _encoded(end)})
        return {_decoded(entry["key"]).decode(): _decoded(entry["value"]) for entry in found.get("kvs", ())}

    def _ask(self, what: str, question: dict[str, str]) -> dict[str, Any]:
        return self._network.submit(self._request, what, json.dumps(question)).result()

    def _request(self, what: str, body: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", f"/v3/{what}", body)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NotReachableError(f"etcd: {what}: {error}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise ClusterError(f"etcd: {what}: {response.status} {text.decode(errors='replace')[:500]}")
        answer: dict[str, Any] = json.loads(text)
        return answer


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _decoded(value: str) -> bytes:
    return base64.b64decode(value)
