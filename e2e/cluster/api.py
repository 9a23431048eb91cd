"""The few API calls of a start: faster than a kubectl process each, and safe to use from several threads."""

import json
import re
import sys
import threading
from pathlib import Path
from typing import Any

import urllib3

from e2e.cluster.errors import ClusterError

OK = 200
FIRST_ERROR = 400
NOT_FOUND = 404
BUSY = (429, 500, 503)
SEPARATOR = re.compile(rb"^---$", re.MULTILINE)
CRD_NAME = re.compile(rb"^kind: CustomResourceDefinition\nmetadata:\n(?:  .*\n)*?  name: (\S+)$", re.MULTILINE)
DEEPEST = 12_000
"""Levels of JSON: the API server takes no more than 10,000."""
FIELD_MANAGER = "local-cluster"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
"""The API server deletes all objects of a kind one after the other before it answers."""
_deeper = threading.Lock()


def crds(folder: Path) -> dict[str, bytes]:
    """Return the CRDs of a folder by name, each as it lies there, without parsing."""
    documents = (part for file in sorted(folder.glob("*.yaml")) for part in SEPARATOR.split(file.read_bytes()))
    return {match[1].decode(): document for document in documents if (match := CRD_NAME.search(document))}


class NotReachableError(ClusterError):
    """The API server did not answer, or not yet; trying again is right."""


class Api:
    """A connection pool to the API server, with the rights of the kubeconfig."""

    def __init__(self, kubeconfig: Path, certificate: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        self._server: str = config["clusters"][0]["cluster"]["server"]
        self._headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        self._pool = urllib3.PoolManager(ca_certs=str(certificate), retries=False, timeout=timeout, maxsize=16)

    def ready(self) -> bool:
        """Say whether the API server serves and has finished its start."""
        try:
            return self._request("GET", "/readyz").status == OK
        except NotReachableError:
            return False

    def get(self, path: str) -> dict[str, Any] | None:
        """Return an object or list, None if it is not there."""
        response = self._request("GET", path)
        if response.status == NOT_FOUND:
            return None
        return self._checked("GET", path, response)

    def patch(self, path: str, change: object) -> dict[str, Any]:
        """Merge a change into an object."""
        body = json.dumps(change).encode()
        return self._checked("PATCH", path, self._request("PATCH", path, body, "application/merge-patch+json"))

    def delete_all(self, path: str) -> list[dict[str, Any]]:
        """Delete all objects of a kind, with what they own; return those that were there, none where the kind is not served any more."""
        response = self._request("DELETE", f"{path}?propagationPolicy=Background")
        if response.status == NOT_FOUND:
            return []
        items: list[dict[str, Any]] = self._checked("DELETE", path, response).get("items") or []
        return items

    def release(self, path: str) -> None:
        """Take all finalizers off an object that may have gone."""
        response = self._request("PATCH", path, b'{"metadata": {"finalizers": null}}', "application/merge-patch+json")
        if response.status != NOT_FOUND:
            self._checked("PATCH", path, response)

    def apply(self, path: str, document: bytes) -> dict[str, Any]:
        """Apply a YAML or JSON document at its own path."""
        path = f"{path}?fieldManager={FIELD_MANAGER}&force=true"
        return self._checked("PATCH", path, self._request("PATCH", path, document, "application/apply-patch+yaml"))

    def condition(self, path: str, kind: str) -> bool:
        """Say whether an object has a condition with status True."""
        found = self.get(path) or {}
        conditions = found.get("status", {}).get("conditions") or []
        return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)

    def _request(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json"
    ) -> urllib3.BaseHTTPResponse:
        headers = {**self._headers, "Content-Type": content_type}
        try:
            response = self._pool.request(method, self._server + path, body=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise NotReachableError(f"{method} {path}: {error}") from error
        if response.status in BUSY:
            raise NotReachableError(f"{method} {path}: {response.data.decode(errors='replace')[:500]}")
        return response

    def _checked(self, method: str, path: str, response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        if response.status >= FIRST_ERROR:
            raise ClusterError(f"{method} {path}: {response.status} {response.data.decode(errors='replace')[:500]}")
        return _parsed(response.data)


def _parsed(text: bytes) -> dict[str, Any]:
    """Return an answer, in which objects may be as deep as tests can make them: Python's parser goes no deeper than its functions may."""
    answer: dict[str, Any]
    try:
        answer = json.loads(text)
    except RecursionError:
        with _deeper:  # the limit is one for all threads
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(max(limit, DEEPEST))
            try:
                answer = json.loads(text)
            finally:
                sys.setrecursionlimit(limit)
    return answer
