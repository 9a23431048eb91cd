"""Kinds and their API paths."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ApiResource:
    """One served kind."""

    group: str
    """API group; empty for the core group."""
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    older: tuple[str, ...] = ()
    """Earlier versions of the same objects, the newest first. A cluster may serve only one of these; lists and watches find out which."""

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def versions(self) -> tuple["ApiResource", ...]:
        """The kind in each of its versions, the newest first."""
        return tuple(replace(self, version=version, older=()) for version in (self.version, *self.older))

    def at(self, api_version: str) -> "ApiResource":
        """Return the kind in the version of an `apiVersion`."""
        return replace(self, version=api_version.rpartition("/")[2], older=())

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of an object, or of the list of a namespace or (without one) of the cluster."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{scope}/{self.plural}{tail}"
