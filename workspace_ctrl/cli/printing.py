"""Prints objects as readable YAML: keys in their order, no anchors."""

from collections.abc import Mapping
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - named by PyYAML
        return True


def to_yaml(*documents: Mapping[str, Any]) -> str:
    """Return the documents as YAML; several are separated by `---`."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, explicit_start=len(documents) > 1)
