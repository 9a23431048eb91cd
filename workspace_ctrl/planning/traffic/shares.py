"""How the requests of a group are divided among its members, canaries included."""

from collections.abc import Iterable, Mapping
from math import gcd

from workspace_ctrl.api.gateway_spec import LARGEST_WEIGHT

_WHOLE = 100


def with_canary(weights: Mapping[str, int], name: str, percent: int) -> dict[str, int]:
    """Return `weights`, all above 0, with the canary `name`, which gets `percent` of the requests; the others share the rest as before."""
    if percent <= 0:
        return dict(weights)
    if percent >= _WHOLE or not weights:
        return {name: _WHOLE}
    total = sum(weights.values())
    parts = {other: (_WHOLE - percent) * weight for other, weight in weights.items()} | {name: percent * total}
    divisor = gcd(total, *parts.values())
    return _bounded({member: part // divisor for member, part in parts.items()})


def _bounded(weights: Mapping[str, int]) -> dict[str, int]:
    """Return weights within the limits of an HTTPRoute, in the same proportion as far as possible."""
    largest = max(weights.values())
    if largest <= LARGEST_WEIGHT:
        return dict(weights)
    return {name: max(weight * LARGEST_WEIGHT // largest, 1) for name, weight in weights.items()}


def in_order(weights: Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    """Return `weights` in the order of `names`."""
    return {name: weights[name] for name in names if name in weights}
