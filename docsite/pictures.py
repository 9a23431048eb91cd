"""Pictures that the program makes of itself: terminals with what its commands print, and the readiness chain. SVG without scripts."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from click.testing import CliRunner
from rich.console import Console
from rich.style import Style
from rich.text import Span, Text

from docsite.dashboard_page import dashboard_picture
from workspace_ctrl.api.conditions import ConditionType
from workspace_ctrl.cli.main import main as program

FOLDER: Final = Path(__file__).parents[1] / "docs" / "pictures"
COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "plan": ("plan", "-f", "examples/quickstart/workspace.yaml"),
    "explain-reason": ("explain", "EndpointPickerScaledToZero"),
}
"""Commands that need no cluster, by the picture's name."""
_COLUMNS: Final = 110
_LINE: Final = 18
_WIDTH_OF_CHARACTER: Final = 7.8
_MARGIN: Final = 16
_TERMINAL: Final = {"TERM": "xterm-256color", "FORCE_COLOR": "1", "COLUMNS": str(_COLUMNS)}
_COLORS: Final[Mapping[int | None, str]] = {1: "red", 2: "green", 3: "yellow", 6: "cyan"}
"""Numbers of a terminal's colors that the commands use."""
_STYLE: Final = """\
text{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#d6deeb;white-space:pre}
.red{fill:#ff7b72}.green{fill:#7ee787}.yellow{fill:#f2cc60}.cyan{fill:#79c0ff}.dim{fill:#8b949e}.bold{font-weight:700}"""
CHAIN: Final[Sequence[tuple[ConditionType, str, str]]] = (
    (ConditionType.WORKLOAD_ACCEPTED, "Deployment", "the API server accepts it"),
    (ConditionType.RESOURCE_READY, "pods", "are on nodes"),
    (ConditionType.INFERENCE_READY, "model server", "answers"),
    (ConditionType.CHART_READY, "OCIRepository, HelmRelease", "Flux has installed the chart"),
    (ConditionType.ENDPOINT_PICKER_READY, "endpoint picker", "runs"),
    (ConditionType.ROUTE_READY, "Gateway, InferencePool, HTTPRoute", "are accepted"),
    (ConditionType.ENDPOINTS_READY, "pods of the pool", "are ready"),
    (ConditionType.GATEWAY_READY, "a request through the Gateway", "is answered"),
)
"""Condition, its objects, and what has to be true of them."""
_BOX_HEIGHT: Final = 44
_BOX_STEP: Final = 60
_CHAIN_STYLE: Final = """\
text{font:13px system-ui,sans-serif;fill:#1f2328}.name{font-weight:600}.note{fill:#59636e;font-size:12px}.page{fill:#fff}
.box{fill:#ddf4ff;stroke:#0969da}.last{fill:#dafbe1;stroke:#1a7f37}path{stroke:#59636e;stroke-width:1.5;fill:none}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.note{fill:#9198a1}.page{fill:#0d1117}.box{fill:#121d2f;stroke:#4493f8}
.last{fill:#12261e;stroke:#3fb950}path{stroke:#9198a1}}"""


def pictures() -> dict[str, str]:
    """Return all pictures as SVG, by file name."""
    terminals = {f"{name}.svg": terminal_picture(arguments) for name, arguments in COMMANDS.items()}
    return {"chain.svg": chain_picture(), "dashboard.svg": dashboard_picture(), **terminals}


def terminal_picture(arguments: Sequence[str]) -> str:
    """Return a picture of a terminal in which a command of this program has run."""
    result = CliRunner().invoke(program, list(arguments), env=_TERMINAL, color=True)
    command = f"$ workspace-ctrl {' '.join(arguments)}"
    lines = [
        Text(command, spans=[Span(0, len(command), "bold")]),
        *(line for text in result.output.splitlines() for line in _wrapped(text)),
    ]
    height = _LINE * len(lines) + 2 * _MARGIN
    width = round(_COLUMNS * _WIDTH_OF_CHARACTER + 2 * _MARGIN)
    drawn = "\n".join(
        f'<text x="{_MARGIN}" y="{_MARGIN + 13 + number * _LINE}">{"".join(_spans(line))}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n<title>{escape(command)}</title>\n'
        f'<style>{_STYLE}</style>\n<rect width="100%" height="100%" rx="8" fill="#011627"/>\n{drawn}\n</svg>\n'
    )


def _wrapped(text: str) -> Iterator[Text]:
    yield from Text.from_ansi(text).wrap(Console(width=_COLUMNS), _COLUMNS)


def _spans(line: Text) -> Iterator[str]:
    """Yield the parts of a line, each with its style as classes."""
    for segment in line.render(Console(width=_COLUMNS)):
        text = escape(segment.text.rstrip("\n"), quote=False)
        classes = " ".join(_classes(segment.style)) if segment.style is not None else ""
        if text:
            yield f'<tspan class="{classes}">{text}</tspan>' if classes else text


def _classes(style: Style) -> Iterator[str]:
    if style.color is not None and style.color.number in _COLORS:
        yield _COLORS[style.color.number]
    if style.dim:
        yield "dim"
    if style.bold:
        yield "bold"


def chain_picture() -> str:
    """Return a picture of the chain of conditions."""
    height = _BOX_STEP * len(CHAIN) + 8
    told = "; ".join(f"{condition}: {objects} {truth}" for condition, objects, truth in CHAIN)
    drawn = "\n".join(_box(number, *entry) for number, entry in enumerate(CHAIN))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 {height}" role="img">\n<title>The readiness chain</title>\n'
        f'<desc>{escape(told)}</desc>\n<style>{_CHAIN_STYLE}</style>\n<rect class="page" width="100%" height="100%"/>\n{drawn}\n</svg>\n'
    )


def _box(number: int, condition: ConditionType, objects: str, truth: str) -> str:
    top = 8 + number * _BOX_STEP
    kind = "last" if number == len(CHAIN) - 1 else "box"
    arrow = f'<path d="M110 {top - 15}v11m-4-5 4 5 4-5"/>' if number else ""
    return (
        f'{arrow}<rect class="{kind}" x="10" y="{top}" width="200" height="{_BOX_HEIGHT}" rx="6"/>'
        f'<text class="name" x="24" y="{top + 27}">{condition}</text>'
        f'<text x="230" y="{top + 19}">{escape(objects)}</text><text class="note" x="230" y="{top + 37}">{escape(truth)}</text>'
    )


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name, picture in pictures().items():
        (FOLDER / name).write_text(picture)


if __name__ == "__main__":
    main()
