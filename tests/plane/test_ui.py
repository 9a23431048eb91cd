"""`workspace-ctrl ui` against a real API server, with the controller and with the rights of others."""

import asyncio
import time

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT
from tests.integration.cli.page.running_page import on_thread, running
from tests.plane.accounts import role
from workspace_ctrl.cli.page.followed_kinds import PageScope


def row_of(namespace, name, state, kind="Workspace"):
    return lambda rows, _notices: rows.get(f"{kind}/{namespace}/{name}", {}).get("state") == state


async def test_a_fault_is_on_the_page_soon_after_it_is_in_the_status(installed, plane_namespace, gateway, capsys):
    namespace = plane_namespace
    workspaces.apply(installed, namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, namespace)))
    async with running(installed.kubeconfig_for("user"), PageScope()) as page:
        with ControllerProcess(installed):
            # Two watches of the page tell of the two.
            both = row_of(namespace, "phi", "ready"), row_of(namespace, gateway, "ready", "Gateway")
            _, notices = await page.until(lambda rows, notices: all(is_ready(rows, notices) for is_ready in both))
            assert [notice for notice in notices if notice["isError"]] == []
            _, details = await page.json(f"details?id=Workspace/{namespace}/phi")
            assert details["cause"] is None
            assert [link["status"] for link in details["links"]] == ["True"] * len(details["links"])
            _, through = await page.json(f"details?id=Gateway/{namespace}/{gateway}")
            assert through["served"] == [{"id": f"Workspace/{namespace}/phi", "state": "ready"}]
            failed = asyncio.create_task(page.until(row_of(namespace, "phi", "failed")))
            picker = "deployment/phi-inferencepool-epp"
            await on_thread(lambda: installed.kubectl("scale", picker, "-n", namespace, "--replicas=0"))
            await on_thread(
                lambda: installed.kubectl(
                    "wait", "workspace/phi", "-n", namespace, "--for=condition=EndpointPickerReady=False", KUBECTL_TIMEOUT
                )
            )
            written = time.monotonic()
            await failed
        with capsys.disabled():
            print(f"\n  the page shows a fault {time.monotonic() - written:.2f} s after kubectl sees it")
        _, details = await page.json(f"details?id=Workspace/{namespace}/phi")
        assert details["cause"]["reason"] == "EndpointPickerScaledToZero"
        _, history = await page.json(f"history?id=Workspace/{namespace}/phi")
        assert {"EndpointPickerScaledToZero", "Ready"} <= {entry["reason"] for entry in history["entries"]}
        assert any(entry["isEvent"] for entry in history["entries"])


READ = {"apiGroups": ["kaito.sh"], "resources": ["workspaces"], "verbs": ["list", "watch"]}


async def test_who_has_rights_in_one_namespace_sees_that_and_is_told(installed, plane_namespace, account):
    namespace = plane_namespace
    workspaces.apply(installed, namespace, workspaces.workspace("phi"), *role("Role", "reader", [READ], namespace))
    async with running(account, PageScope("", fallback=namespace)) as page:
        rows, notices = await page.until(lambda rows, notices: rows and sum(notice["isError"] for notice in notices) == 2)
        assert [*rows] == [f"Workspace/{namespace}/phi"]
        said = {notice["message"]: notice["wayOut"] for notice in notices}
        assert f"you may not list workspaces of all namespaces; shown are those of namespace {namespace}" in said
        assert any(
            message.startswith("you may not list Gateways: gateways.gateway.networking.k8s.io is forbidden") for message in said
        )
        _, details = await page.json(f"details?id=Workspace/{namespace}/phi")
        assert any(note.startswith("you may not list ") for note in details["notes"])
        _, history = await page.json(f"history?id=Workspace/{namespace}/phi")
        assert "without Events, which cannot be read: events is forbidden" in history["note"]
