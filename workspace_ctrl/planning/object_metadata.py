"""The metadata that a user sets: what the API server would reject of it."""

import re
from collections.abc import Mapping
from typing import Any, Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import GROUP, LABEL_KEY_PATTERN, is_label
from workspace_ctrl.api.printable_text import excerpt

_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_QUOTED: Final = 64
"""Characters that are quoted of a key or a value."""


def check_metadata(raw: Mapping[str, Any], versions: tuple[str, ...]) -> None:
    """Check `apiVersion` and metadata of a Workspace as a user has written it; what is missing is not checked.

    `versions` are the served versions.

    Raises:
        SpecError: the API server would reject it.
    """
    given = raw.get("apiVersion")
    if given is not None and given not in [f"{GROUP}/{version}" for version in versions]:  # it may be of any type
        raise SpecError("apiVersion", f"{_short(given)} is not served", f"use {GROUP}/{versions[-1]}")
    metadata = raw.get("metadata")
    if not isinstance(metadata, Mapping):
        return
    namespace = metadata.get("namespace")
    if isinstance(namespace, str) and namespace and not _NAMESPACE.fullmatch(namespace):
        raise SpecError(
            "metadata.namespace", f"{_short(namespace)} is not the name of a namespace", "use lower case letters, digits and -"
        )
    _check_labels(metadata.get("labels"))
    _check_annotations(metadata.get("annotations"))


def _check_labels(labels: object) -> None:
    for key, value in labels.items() if isinstance(labels, Mapping) else ():
        if not is_label(str(key), value):
            problem = f"{_short(key)}: {_short(value)} is not a valid label"
            raise SpecError(
                "metadata.labels", problem, "use at most 63 letters, digits, -, _ and . in key and value, and quote numbers"
            )


def _check_annotations(annotations: object) -> None:
    for key, value in annotations.items() if isinstance(annotations, Mapping) else ():
        if not re.fullmatch(LABEL_KEY_PATTERN, str(key)):
            raise SpecError(
                "metadata.annotations", f"{_short(key)} is not a valid key", "use at most 63 letters, digits, -, _ and ."
            )
        if not isinstance(value, str):
            raise SpecError("metadata.annotations", f"{_short(key)} must be a text", "put its value into quotes")


def _short(value: object) -> str:
    return excerpt(str(value), _QUOTED)
