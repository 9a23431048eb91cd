"""The part of PromQL that the chart's alerts use, evaluated on the text of two scrapes: a first one, and the newest.

An expression that needs more fails with ValueError. `increase` and `rate` are those between the two scrapes: a window contains both.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Vector = Mapping[Labels, float]
"""Labels of each series, without its name → value."""

_SELECTOR = re.compile(r"([a-z_]+)\{(.*?)\}(?:\[(\d+)([smh])\])?")
_MATCHER = re.compile(r'([a-z_]+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"(?:,|$)')
_AGGREGATION = re.compile(r"(sum|max) by \(([a-z_, ]+)\) \((.*)\)")
_CALL = re.compile(r"(absent|increase|rate)\((.*)\)")
_COMPARISON = re.compile(r"(.*) > ([\d.]+)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_ACCEPTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "=": lambda value, given: value == given,
    "!=": lambda value, given: value != given,
    "=~": lambda value, given: re.fullmatch(given, value) is not None,
    "!~": lambda value, given: re.fullmatch(given, value) is None,
}


@dataclass(frozen=True)
class Series:
    """Two scrapes of a Prometheus: name of each metric → labels of its series → value."""

    first: Mapping[str, Vector]
    newest: Mapping[str, Vector]


@dataclass(frozen=True)
class Selector:
    """A selector of series."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]
    """(label, operator, value)."""
    seconds: int = 0
    """Length of the window; 0 without one."""

    def of(self, scrape: Mapping[str, Vector]) -> Vector:
        """Return the series that it selects; a label that a series has not is empty."""
        return {labels: value for labels, value in scrape.get(self.name, {}).items() if self._accepts(dict(labels))}

    def _accepts(self, labels: Mapping[str, str]) -> bool:
        return all(_ACCEPTS[operator](labels.get(label, ""), value) for label, operator, value in self.matchers)


def scraped(texts: Mapping[Labels, str]) -> Mapping[str, Vector]:
    """Return what Prometheus has of targets, by their labels, that answered with these texts."""
    found: dict[str, dict[Labels, float]] = {}
    for target, text in texts.items():
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, {})[target | frozenset(sample.labels.items())] = sample.value
    return found


def selectors(expression: str) -> list[Selector]:
    """Return the selectors in an expression; a metric without one is an error."""
    found = [_selector(match) for match in _SELECTOR.finditer(expression)]
    if len(found) != expression.count("workspace_ctrl_"):
        raise ValueError(f"a metric without matchers in {expression}")
    return found


def evaluate(expression: str, series: Series) -> Vector:
    """Return the value of an expression; an alert is active for each series in it."""
    first, operator, other = expression.partition(" or ")
    if operator:
        found = evaluate(first, series)
        return {**evaluate(other, series), **found}
    if compared := _COMPARISON.fullmatch(expression):
        return {labels: value for labels, value in evaluate(compared[1], series).items() if value > float(compared[2])}
    if aggregated := _AGGREGATION.fullmatch(expression):
        return _aggregate(aggregated[1], aggregated[2].split(", "), evaluate(aggregated[3], series))
    if called := _CALL.fullmatch(expression):
        return _call(called[1], _whole(called[2]), series)
    return _whole(expression).of(series.newest)


def _aggregate(operation: str, by: list[str], vector: Vector) -> Vector:
    groups: dict[Labels, list[float]] = {}
    for labels, value in vector.items():
        groups.setdefault(frozenset(pair for pair in labels if pair[0] in by), []).append(value)
    return {labels: sum(values) if operation == "sum" else max(values) for labels, values in groups.items()}


def _call(function: str, selector: Selector, series: Series) -> Vector:
    if function == "absent":
        equal = frozenset((label, value) for label, operator, value in selector.matchers if operator == "=")
        return {} if selector.of(series.newest) else {equal: 1.0}
    if not selector.seconds:
        raise ValueError(f"{function} needs a window")
    before = selector.of(series.first)
    grown = {labels: value - before[labels] for labels, value in selector.of(series.newest).items() if labels in before}
    return {labels: value / (selector.seconds if function == "rate" else 1) for labels, value in grown.items()}


def _whole(text: str) -> Selector:
    match = _SELECTOR.fullmatch(text)
    if match is None:
        raise ValueError(f"not a selector: {text}")
    return _selector(match)


def _selector(match: re.Match[str]) -> Selector:
    matchers = tuple((each[1], each[2], each[3]) for each in _MATCHER.finditer(match[2]))
    if _MATCHER.sub("", match[2]):
        raise ValueError(f"not matchers: {match[2]}")
    return Selector(match[1], matchers, int(match[3]) * _SECONDS[match[4]] if match[3] else 0)
