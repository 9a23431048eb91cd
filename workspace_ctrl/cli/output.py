"""What the commands print: text of others cannot control the terminal, and objects are readable YAML or JSON.

Rich would interpret a text like `[fd00::1]` as markup and remove it, so whatever is not our own text is passed to it as `Text`.
"""

import json
from collections.abc import Mapping
from typing import Any

import click
import yaml
from rich.text import Text

from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.yaml.scalars import of_both


class _Dumper(yaml.SafeDumper):
    """Quotes every text that kubectl, or a program in Python, would take for something else, such as 1e3, 08 or y."""

    yaml_implicit_resolvers = of_both()

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - named by PyYAML
        return True


def say(text: str, *, err: bool = False, **style: Any) -> None:  # noqa: ANN401 - the styles of click
    """Print a line, which may contain text of others; `err` is whether it goes to standard error."""
    click.secho(printable(text), err=err, **style)


def shown(text: str, style: str = "") -> Text:
    """Return a line, which may contain text of others, for Rich."""
    return Text(printable(text), style=style)


def to_json(document: object) -> str:
    """Return a document as JSON in ASCII."""
    return json.dumps(document, indent=2).replace("\x7f", "\\u007f")  # the only control character that JSON may contain


def to_yaml(*documents: Mapping[str, Any]) -> str:
    """Return the documents as YAML; several are separated by `---`."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, explicit_start=len(documents) > 1)
