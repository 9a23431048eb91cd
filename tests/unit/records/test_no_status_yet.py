"""The status that the CRD gives to an object whose status nobody has written is read as none, wherever statuses are read."""

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from tests.unit.cli.test_explanation import observed
from tests.unit.factories import quickstart
from workspace_ctrl.api.crd import KINDS, crd
from workspace_ctrl.api.labels import STATUS_ANNOTATION
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.cli.inspect.chain_explanation import explanation
from workspace_ctrl.cli.page.page_object import parse_page_object
from workspace_ctrl.cli.status_view import chain_view, is_ready, row_of, without_gateway
from workspace_ctrl.records.companion_status import joined, parse_companion_record, with_our_status
from workspace_ctrl.records.workspaces import parse_workspace_record

NOW = datetime(2026, 11, 27, 19, tzinfo=UTC)
NOTED = '{"observedGeneration": 1, "gateway": {"url": "http://a/b"}}'


def default_of(kind):
    versions = crd(kind)["spec"]["versions"]
    return versions[-1]["schema"]["openAPIV3Schema"]["properties"]["status"]["default"]


def made(kind, status=None, **annotations):
    """An object as the API server returns it, with a status or without one."""
    raw = quickstart(
        kind=kind, metadata={"name": "phi", "namespace": "ns", "uid": "u", "generation": 1, "annotations": annotations}
    )
    return raw if status is None else {**raw, "status": status}


def view(item):
    console = Console(width=200, file=StringIO())
    console.print(chain_view(item))
    return console.file.getvalue()


READERS = {
    "status": lambda item: parse_status(item.get("status"), item["kind"]),
    "record": lambda item: parse_workspace_record(item, item["kind"]).status,
    "companion record": lambda item: parse_companion_record(item, item["kind"]).status,
    "status of ours": lambda item: joined(item, item["kind"]),
    "status command": view,
    "row": lambda item: row_of(item, NOW, with_namespace=True, wide=True),
    "exit code": is_ready,
    "without gateway": without_gateway,
    "page": lambda item: parse_page_object(item, item["kind"]),
    "explain": lambda item: explanation(replace(observed(), item=item)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_the_default_is_read_as_no_status(read, kind):
    assert read(made(kind, default_of(kind))) == read(made(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_into_the_annotation_of_companion_mode_stands_before_the_default(kind):
    noted = {STATUS_ANNOTATION: NOTED}
    shown = with_our_status(made(kind, default_of(kind), **noted))
    assert shown["status"] == with_our_status(made(kind, **noted))["status"]


def test_a_status_of_any_generation_is_kept():
    assert [parse_status({"observedGeneration": number}).observed_generation for number in (0, 1, 7)] == [0, 1, 7]
