"""The option -o as in kubectl: json, yaml, wide, name, jsonpath=TEMPLATE."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from workspace_ctrl.catalog.data_files import suggestion
from workspace_ctrl.cli.output import to_json, to_yaml
from workspace_ctrl.cli.printing.jsonpath import JsonPath, JsonPathError
from workspace_ctrl.kube.resources import Json

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

TABLE: Final = "table"
WIDE: Final = "wide"
_NAME: Final = "name"
_JSONPATH: Final = "jsonpath"
_WORDS: Final = (TABLE, WIDE, "json", "yaml", _NAME, _JSONPATH)


@dataclass(frozen=True)
class OutputFormat:
    """How objects are printed."""

    word: str = TABLE
    template: JsonPath | None = None

    @property
    def is_table(self) -> bool:
        """Whether it is for people."""
        return self.word in {TABLE, WIDE}

    def print_one(self, item: Json, plural: str) -> None:
        """Print an object, of a kind with that plural and group, as a document."""
        self._print(item, [item], plural)

    def print_list(self, items: Sequence[Json], plural: str) -> None:
        """Print objects as a List."""
        self._print({"apiVersion": "v1", "kind": "List", "items": list(items)}, items, plural)

    def _print(self, document: Json, items: Sequence[Json], plural: str) -> None:
        if self.template is not None:
            click.echo(self.template.render(document), nl=False)
        elif self.word == _NAME:
            for item in items:
                click.echo(f"{plural}/{item['metadata']['name']}")
        else:
            click.echo(to_json(document) if self.word == "json" else to_yaml(document).rstrip())


class _OutputFormatType(click.ParamType[OutputFormat]):
    name = "format"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> OutputFormat:  # noqa: ANN401 - click's
        if isinstance(value, OutputFormat):
            return value
        word, is_given, text = value.removeprefix("=").partition("=")  # -o=json is how many write it
        if word == _JSONPATH:
            if not text:
                self.fail("jsonpath needs a template, such as jsonpath='{.status.gateway.url}'", param, ctx)
            try:
                return OutputFormat(word, JsonPath(text))
            except JsonPathError as error:
                self.fail(f"jsonpath: {error}", param, ctx)
        if word not in _WORDS or is_given:
            near = suggestion(word, _WORDS, "")
            self.fail(f"{value!r} is not json, yaml, wide, name or jsonpath=...{f'; {near}' if near else ''}", param, ctx)
        return OutputFormat(word)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> Any:  # noqa: ANN401, ARG002
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only for completion

        return [CompletionItem(word) for word in _WORDS[1:] if word.startswith(incomplete)]


def output_option(function: FunctionT) -> FunctionT:
    """Add --output to a command."""
    option = click.option(
        "--output",
        "-o",
        type=_OutputFormatType(),
        default=TABLE,
        metavar="FORMAT",
        help="json, yaml, wide (with URLs), name, or jsonpath=TEMPLATE.  [default: a table]",
    )
    return option(function)
