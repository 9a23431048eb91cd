"""Regular expressions that match a fraction of all request ids: how requests are divided among pools with one pool in each rule.

A Gateway asks the endpoint picker of one pool for each rule. With two pools in a rule, Istio asks that of the last one for all requests,
and Envoy Gateway rejects the rule. So each member of a group gets a rule of its own, which matches some of the values of the header
X-Request-Id: Envoy sets it to a random UUID for each request from outside, before it chooses the route.
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Final

_DIGITS: Final = "0123456789abcdef"
_LENGTH: Final = 3
"""Digits that are matched: the first ones of a UUID, which are random."""
_ALL: Final = len(_DIGITS) ** _LENGTH


def fractions(weights: Mapping[str, int]) -> dict[str, str]:
    """Return for each name of `weights`, all above 0, an expression that matches its share of the request ids; no two match the same id.

    The shares are multiples of 1/4096, and each is at least one of them.
    """
    total, count = sum(weights.values()), len(weights)
    ends = [0, *(number + part * (_ALL - count) // total for number, part in enumerate(accumulate(weights.values()), 1))]
    return {name: _expression(start, end - 1) for name, (start, end) in zip(weights, pairwise(ends), strict=True)}


def _expression(first: int, last: int) -> str:
    return f"^({'|'.join(_ranges(_hex(first), _hex(last)))}).*$"


def _hex(number: int) -> str:
    return f"{number:0{_LENGTH}x}"


def _ranges(first: str, last: str) -> Iterator[str]:
    """Yield expressions for the beginnings of all numbers from `first` to `last`, which have equally many digits."""
    if not first:
        yield ""
        return
    if first[0] == last[0] and not _is_whole(first[1:], last[1:]):
        yield from (first[0] + rest for rest in _ranges(first[1:], last[1:]))
        return
    low, high = _DIGITS.index(first[0]), _DIGITS.index(last[0])
    if not _is_whole(first[1:], _DIGITS[-1] * len(first[1:])):
        yield from (first[0] + rest for rest in _ranges(first[1:], _DIGITS[-1] * len(first[1:])))
        low += 1
    tail = not _is_whole(_DIGITS[0] * len(last[1:]), last[1:])
    if low <= high - tail:
        yield _digit(low, high - tail)
    if tail:
        yield from (last[0] + rest for rest in _ranges(_DIGITS[0] * len(last[1:]), last[1:]))


def _is_whole(first: str, last: str) -> bool:
    """Whether a range has all numbers of its length."""
    return set(first) <= {_DIGITS[0]} and set(last) <= {_DIGITS[-1]}


def _digit(low: int, high: int) -> str:
    """Return an expression for one of the digits from `low` to `high`."""
    if low == high:
        return _DIGITS[low]
    parts = [(max(low, start), min(high, end)) for start, end in ((0, 9), (10, 15)) if low <= end and high >= start]
    return "[" + "".join(_DIGITS[start] if start == end else f"{_DIGITS[start]}-{_DIGITS[end]}" for start, end in parts) + "]"
