"""Under which URL an HTTPRoute of a user reaches the API of a model server.

A user's route may rewrite paths or not, have one rule for each path of the API, or match methods. So the base path is worked out backwards,
from the paths of requests to the model server, and checked forwards with the precedence of the Gateway API's matches.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from workspace_ctrl.model.probe_results import CHAT_COMPLETIONS, COMPLETIONS, EMBEDDINGS, MODELS
from workspace_ctrl.model.route_claims import MODEL_HEADER
from workspace_ctrl.records.gateways import HTTPRoute, RouteMatch, RouteRule

_API: Final = {CHAT_COMPLETIONS: "POST", COMPLETIONS: "POST", MODELS: "GET", EMBEDDINGS: "POST"}
"""Paths of the API, with their methods, the ones that most clients need first."""
_LITERAL: Final = re.compile(r"\^?((?:[\w/-]|\\[./-])*)")
"""The beginning of a regular expression that matches only itself."""

_REPETITION: Final = re.compile(r"[*+?{|]")
_REPEATED_GROUP: Final = re.compile(r"\)[*+?{]")
_SET_IN_SET: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*?(?:\[|--|&&|~~|\|\|)")
"""A set in a set, or an operation on sets, such as [[:alpha:]]: `re` reads it in another way than Gateways do, and warns of it."""
_MOST_REPETITIONS: Final = 2
_LONGEST_TRIED: Final = 128
"""Characters of an expression, and of a path."""
_MOST_BASES: Final = 16
"""Base paths that are tried; a route can have hundreds of matches."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where clients reach a pool through a route."""

    path: str = ""
    """Base path, without a slash at the end."""
    api: tuple[str, ...] = ()
    """The paths of the API that are reached under it; empty if that is not known."""


def reach_of(route: HTTPRoute, pool: str) -> Reach:
    """Return where `route` leads to `pool`: the base path under which most of the API is reached, of equal ones the first.

    Matches that require other headers than that of the model name, or query parameters, are left out, because a URL has neither.
    """
    leading = [(rule, match) for rule in route.rules if pool in rule.pools for match in rule.matches if _is_reached_by_url(match)]
    found = dict.fromkeys(base for rule, match in leading for api in _API for base in _bases(rule, match, api))
    bases = islice(found, _MOST_BASES)
    reached = {base: tuple(api for api in _API if _reaches(route.rules, pool, base, api)) for base in bases}
    best = max(reached, key=lambda base: len(reached[base]), default=None)
    if best is not None and reached[best]:
        return Reach(best, reached[best])
    without_header = (match for _, match in leading if not match.headers)
    return Reach(next((match.path.rstrip("/") for match in without_header if match.path), ""))


def _is_reached_by_url(match: RouteMatch) -> bool:
    others = [header for header in match.headers if not header.lower().startswith(f"{MODEL_HEADER}=".lower())]
    return not others and not match.has_query


def _bases(rule: RouteRule, match: RouteMatch, api: str) -> Iterator[str]:
    """Yield the base paths under which a request for `api` may come by this match, and reach the model server as `api`."""
    prefix = _prefix(match)
    if rule.path_to:
        found = match.exact or prefix if rule.path_to == api else None
    elif match.exact:
        found = api if match.exact == api else None
    elif rule.prefix_to is None:
        found = api if _has_prefix(api, prefix) else None
    else:
        rest = _after(api, rule.prefix_to)
        found = None if rest is None else prefix.rstrip("/") + rest
    if found is not None and found.endswith(api):
        yield found.removesuffix(api).rstrip("/")


def _reaches(rules: Sequence[RouteRule], pool: str, base: str, api: str) -> bool:
    """Whether a request for `api` under `base` reaches the pool as a request for `api`."""
    path, method = base + api, _API[api]
    taking = [(rule, match) for rule in rules for match in rule.matches if _takes(match, path, method)]
    if not taking:
        return False
    rule, match = max(taking, key=lambda entry: _precedence(entry[1]))  # of equal ones the first, as in the Gateway API
    if pool not in rule.pools:
        return False
    if rule.path_to:
        return rule.path_to == api
    if rule.prefix_to is None or match.exact or match.pattern:
        return path == api
    return rule.prefix_to.rstrip("/") + (_after(path, match.path) or "") == api


def _takes(match: RouteMatch, path: str, method: str) -> bool:
    if not _is_reached_by_url(match) or match.method not in {"", method}:
        return False
    if match.exact:
        return match.exact == path
    return _has_prefix(path, _prefix(match)) and (not _is_quick(match.pattern, path) or _matches(match.pattern, path))


def _is_quick(pattern: str, path: str) -> bool:
    """Whether an expression can be tried: patterns are untrusted, and nested repetitions can take exponential time."""
    if not 0 < len(pattern) <= _LONGEST_TRIED or len(path) > _LONGEST_TRIED or _SET_IN_SET.search(pattern):
        return False
    return len(_REPETITION.findall(pattern)) <= _MOST_REPETITIONS and not _REPEATED_GROUP.search(pattern)


def _matches(pattern: str, path: str) -> bool:
    """Whether a path matches; an expression that this process cannot try, which the Gateway may still know, matches nothing.

    Beside its own error, `re` raises others for untrusted text: a count such as {4294967296} is an OverflowError.
    """
    try:
        return re.fullmatch(pattern, path) is not None
    except (re.error, ArithmeticError, ValueError, RecursionError, MemoryError):
        return False


def _precedence(match: RouteMatch) -> tuple[bool, int, bool, int]:
    return bool(match.exact), len(_prefix(match)), bool(match.method), len(match.headers)


def _prefix(match: RouteMatch) -> str:
    """Return the prefix that a match requires; of a regular expression the beginning of whole segments that it spells out."""
    if not match.pattern:
        return match.path
    literal = _LITERAL.match(match.pattern)
    spelt = literal.group(1).replace("\\", "") if literal is not None else ""
    return spelt[: spelt.rfind("/")] or "/"


def _has_prefix(path: str, prefix: str) -> bool:
    return _after(path, prefix) is not None


def _after(path: str, prefix: str) -> str | None:
    """Return what follows `prefix`, as whole segments of a path; None if `path` does not begin with it."""
    begin = prefix.rstrip("/")
    return path[len(begin) :] if path == begin or path.startswith(f"{begin}/") else None
