"""What the page shows of the object that is looked at: its chain from the objects around it, the way out, commands, and its history."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from workspace_ctrl.api.conditions import Status, find
from workspace_ctrl.api.labels import SET_KIND
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.status import WorkspaceStatus, parse_status
from workspace_ctrl.catalog.reasons import Reason, find_reason
from workspace_ctrl.cli.inspect.chain_explanation import ExplainedLink, Explanation, explanation
from workspace_ctrl.cli.inspect.objects_of_workspace import Belonging, events_of
from workspace_ctrl.cli.inspect.observed_workspace import observe
from workspace_ctrl.cli.page.commands import commands_for, is_gateway, request_to, with_options
from workspace_ctrl.cli.page.gateway_chain import first_broken, gateway_links, read_gateway
from workspace_ctrl.cli.page.history import HistoryEntry, history
from workspace_ctrl.cli.page.page_object import ObjectState, PageObject
from workspace_ctrl.cli.status_view import CHAIN, without_gateway
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError
from workspace_ctrl.kube.resources import ApiResource, Json
from workspace_ctrl.records.companion_status import with_our_status

_EVENT: Final = ApiResource("", "v1", "events", "Event")
_EVENTS_IN_PAGE: Final = 500
_MOST_PAGES: Final = 4
_MOST_SERVED: Final = 100
_MOST_MEMBERS: Final = 20
_LONGEST: Final = 2000
"""Characters of a message."""


async def details_of(client: Client, item: Json, found: PageObject, options: str, others: Iterable[PageObject]) -> dict[str, Any]:
    """Return what the page shows of an object, as JSON, from the object as JSON, its line of the list, and the other lines.

    The objects around a Workspace are read, with the rights of the user; where that fails, its chain is that of its status.
    """
    if is_gateway(found):
        return gateway_details(item, found, options, others)
    ours = with_our_status(item)
    try:
        explained = explanation(await observe(client, ours))
    except ApiError as error:
        explained = explanation_of_status(ours, f"the objects cannot be read: {error}; so the links are those of the status")
    return workspace_details(ours, explained, found, options)


def workspace_details(item: Json, explained: Explanation, found: PageObject, options: str) -> dict[str, Any]:
    """Return what the page shows of a Workspace or InferenceSet, as JSON."""
    broken = explained.broken
    reason = explained.reason if broken is not None else None
    status = parse_status(item.get("status"), found.kind)
    release = Belonging.to(item).release
    notes = [*filter(None, (without_gateway(item),)), *explained.notes]
    if found.state is ObjectState.DELETING:
        notes.insert(0, found.message)
    return {
        "id": found.id,
        "links": [*map(_link, explained.links)],
        "cause": _cause(broken, reason, found, release, options),
        "notes": [*map(_text, notes)],
        "facts": [[name, _text(value)] for name, value in _facts(found, status)],
        "served": [],
        "group": _group(found, status),
        "commands": _commands(found, options),
    }


def gateway_details(item: Json, found: PageObject, options: str, others: Iterable[PageObject]) -> dict[str, Any]:
    """Return what the page shows of a Gateway, as JSON, with those of `others` whose routes are attached to it."""
    links = gateway_links(read_gateway(item, found.kind))
    broken = first_broken(links)
    marked = [replace(link, is_first_broken=link is broken) for link in links]
    reason = find_reason(broken.reason) if broken is not None else None
    return {
        "id": found.id,
        "links": [*map(_link, marked)],
        "cause": _cause(broken, reason, found, "", options),
        "notes": [],
        "facts": [["GatewayClass", found.model], ["Addresses", ", ".join(found.gateways)]],
        "served": [*islice(_served(found, others), _MOST_SERVED)],
        "group": None,
        "commands": _commands(found, options),
    }


def explanation_of_status(item: Json, note: str) -> Explanation:
    """Return the chain as the conditions of the status have it."""
    conditions = parse_status(item.get("status")).conditions
    said = [condition for type_ in CHAIN if (condition := find(conditions, type_)) is not None]
    links = tuple(
        ExplainedLink(
            each.type,
            Status(each.status) if each.status in set(Status) else Status.UNKNOWN,
            each.reason,
            each.message,
            each.last_transition_time,
        )
        for each in said
    )
    broken = first_broken(links)
    return Explanation(tuple(replace(link, is_first_broken=link is broken) for link in links), (note,))


async def history_of(client: Client, item: Json, found: PageObject, seen: Sequence[HistoryEntry]) -> dict[str, Any]:
    """Return the history of an object, as JSON: transitions of its conditions, and the Events of all its objects."""
    note, events = "", list[Json]()
    try:
        events, is_complete = await _events(client, found.namespace)
        if not is_complete:
            note = f"only the first {_MOST_PAGES * _EVENTS_IN_PAGE} Events of namespace {found.namespace} were read"
    except ApiError as error:
        note = f"without Events, which cannot be read: {error}"
    mine = (
        [event for event in events if _is_about(event, found)]
        if is_gateway(found)
        else events_of(events, Belonging.to(with_our_status(item)))
    )
    return {"id": found.id, "entries": [entry.as_object() for entry in history(found.conditions, seen, mine)], "note": _text(note)}


def _is_about(event: Json, found: PageObject) -> bool:
    about = event.get("involvedObject") or {}
    return (about.get("kind"), about.get("name")) == (found.kind, found.name)


async def _events(client: Client, namespace: str) -> tuple[list[Json], bool]:
    """Return the Events of a namespace, and whether these are all."""
    found: list[Json] = []
    asked = {"limit": str(_EVENTS_IN_PAGE)}
    for _ in range(_MOST_PAGES):
        page = await client.list_page(_EVENT, asked, namespace)
        found += page.get("items") or ()
        token = page["metadata"].get("continue")
        if not token:
            return found, True
        asked["continue"] = token
    return found, False


def _served(gateway: PageObject, others: Iterable[PageObject]) -> Iterator[dict[str, Any]]:
    key = f"{gateway.namespace}/{gateway.name}"
    for other in others:
        if not is_gateway(other) and key in other.gateways:
            yield {"id": other.id, "state": other.state.value}


def _link(link: ExplainedLink) -> dict[str, Any]:
    return {
        "title": link.title,
        "status": str(link.status),
        "reason": _text(link.reason),
        "message": _text(link.message),
        "since": link.since,
        "isFirstBroken": link.is_first_broken,
    }


def _cause(
    broken: ExplainedLink | None, reason: Reason | None, found: PageObject, release: str, options: str
) -> dict[str, Any] | None:
    """Return the first broken link with what its reason means, as JSON; None if all hold."""
    if broken is None:
        return None
    command = reason.command_for(found.namespace, found.name, release) if reason is not None else ""
    unknown = f"{broken.reason} is a reason of another controller, whose message this is" if broken.reason else ""
    return {
        "title": broken.title,
        "reason": _text(broken.reason),
        "message": _text(broken.message),
        "meaning": reason.meaning if reason is not None else unknown,
        "wayOut": reason.way_out if reason is not None else "",
        "command": with_options(command, options) if command else "",
    }


def _group(found: PageObject, status: WorkspaceStatus) -> dict[str, Any] | None:
    """Return the group of a Workspace with its members, as JSON; None if it is in none."""
    group = status.gateway.group if status.gateway is not None else None
    if group is None:
        return None
    members = [
        {
            "id": f"{member.kind}/{found.namespace}/{member.name}",
            "weight": member.weight,
            "current": member.current,
            "isFallback": member.fallback is True,
            "isReady": member.ready is True,
        }
        for member in group.members[:_MOST_MEMBERS]
    ]
    return {"name": _text(group.name or ""), "url": _text(group.url or ""), "members": members}


def _facts(found: PageObject, status: WorkspaceStatus) -> Iterator[tuple[str, str]]:
    """Yield what is known of a Workspace that is ready or on its way: name and value, without empty ones."""
    gateway, workload = status.gateway, status.workload
    facts: Iterable[tuple[str, str | None]] = (
        ("URL", found.url),
        ("Model", ", ".join(gateway.model_names) if gateway is not None else ""),
        ("Replicas" if found.kind == SET_KIND else "Ready pods", found.replicas),
        ("Gateways", ", ".join(found.gateways)),
        ("Workload", f"{workload.kind} {workload.name}" if workload is not None and workload.name else ""),
        ("Nodes", ", ".join(islice(status.worker_nodes, 5))),
        ("Sizing", workload.sizing if workload is not None else ""),
    )
    return ((name, value) for name, value in facts if value)


def _commands(found: PageObject, options: str) -> list[Mapping[str, str]]:
    request = request_to(found)
    commands = [*commands_for(found, options), *((("A request with curl", request),) if request else ())]
    return [{"purpose": purpose, "command": command} for purpose, command in commands]


def _text(text: str) -> str:
    return printable(text, _LONGEST)
