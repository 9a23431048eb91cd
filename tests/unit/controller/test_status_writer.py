"""The status beside KAITO: each part is written only where it changes, and where KAITO was faster nothing is."""

import json

import pytest

from tests.unit.factories import NAME, NAMESPACE, quickstart
from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.controller.status_writes.status_writer import CompanionWriter
from workspace_ctrl.kube.errors import ConflictError, ForbiddenError, RetryableError
from workspace_ctrl.records.companion_status import divided, parse_companion_record

TIME = "2026-11-27T12:00:00Z"
THEIRS = Condition("NodesReady", "True", "Enough", "so it is", 1, TIME)


def status(ready="True", generation=1):
    ours = Condition("GatewayReady", ready, "Because", "so it is", 1, TIME)
    return WorkspaceStatus(generation, conditions=(Condition("Ready", "True", "Ready", "so it is", 1, TIME), ours))


class ApiServer:
    """Has one Workspace, and notes the parts of it that are written."""

    def __init__(self, written=None, *, theirs=True, error=None):
        self.calls, self.places, self.error, self.live = [], [], error, quickstart()
        self.live["metadata"]["resourceVersion"] = "7"
        conditions = [THEIRS.as_object()] if theirs else []
        if written is not None:
            parts = divided(written)
            conditions.append(parts.condition.as_object())
            self.live["metadata"]["annotations"] = {"workspace-ctrl/status": parts.annotation}
        if conditions:
            self.live["status"] = {"conditions": conditions}

    def record(self):
        return parse_companion_record(self.live, "Workspace")

    async def apply(self, resource, manifest, **_):
        self.places.append((resource.api_version, manifest["apiVersion"]))
        self.calls.append(("annotation", manifest["metadata"].get("annotations", {}).get("workspace-ctrl/status", "")))
        return self.live

    async def merge_patch(self, resource, _namespace, _name, patch):
        self.places.append((resource.api_version,))
        self.calls.append(("annotation", patch["metadata"]["annotations"]["workspace-ctrl/status"]))
        return self.live

    async def json_patch(self, *call):
        self.places.append((call[0].api_version,))
        *_, operations, subresource = call
        self.calls.append((subresource, [entry["op"] for entry in operations]))
        if self.error is not None:
            raise self.error
        return self.live

    async def find(self, *call):
        self.places.append((call[0].api_version,))
        self.calls.append(("find", call[-1]))
        return self.live


async def calls(server, wanted):
    await CompanionWriter(server, Cache(companion=True)).write(server.record(), wanted)
    return server.calls


async def test_the_annotation_is_written_before_the_condition():
    server = ApiServer()
    assert await calls(server, status()) == [
        ("annotation", divided(status()).annotation),
        ("find", NAME),
        ("status", ["test", "test", "test", "add"]),
    ]
    assert "Ready" in json.dumps(json.loads(server.calls[0][1])["conditions"])


async def test_only_what_differs_is_written():
    assert await calls(ApiServer(status()), status()) == []
    assert await calls(ApiServer(status()), status("False")) == [("status", ["test", "test", "replace"])]
    assert [call[0] for call in await calls(ApiServer(status()), status(generation=2))] == ["annotation"]


async def test_what_is_not_reported_any_more_is_removed_the_condition_before_its_url():
    assert await calls(ApiServer(status()), WorkspaceStatus()) == [("status", ["test", "test", "remove"]), ("annotation", None)]


@pytest.mark.parametrize(("before", "wanted"), [(None, status()), (status(), WorkspaceStatus())], ids=["written", "removed"])
async def test_all_is_written_in_the_version_in_which_the_object_was_read(before, wanted):
    server = ApiServer(before)
    server.live["apiVersion"] = "kaito.sh/v1alpha1"
    assert len(await calls(server, wanted)) > 1
    assert {version for place in server.places for version in place} == {"kaito.sh/v1alpha1"}


async def test_without_conditions_of_kaito_the_object_is_read_first():
    made = await calls(ApiServer(theirs=False), status())
    assert [call[0] for call in made] == ["annotation", "find", "status"]


async def test_where_kaito_was_faster_it_is_tried_again():
    with pytest.raises(RetryableError, match="was changed meanwhile"):
        await calls(ApiServer(error=ConflictError("it is another one")), status())


async def test_what_is_forbidden_is_an_error():
    with pytest.raises(ForbiddenError):
        await calls(ApiServer(error=ForbiddenError("no")), status())


async def test_the_answer_is_read_as_it_was_written():
    server, cache = ApiServer(status()), Cache(companion=True)
    await CompanionWriter(server, cache).write(server.record(), status("False"))
    assert cache.workspaces.get((NAMESPACE, NAME)).status == status()
