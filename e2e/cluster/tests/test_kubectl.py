"""One process runs all commands of kubectl, and each is as if a process of its own had run it."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e.cluster.kubectl import NAME
from e2e.cluster.processes import children, pid_inside, resident_bytes
from e2e.cluster.tests.manifests import eventually

LATE = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}})
UNKNOWN_FIELD = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}, "other": "x"})
OLD = json.dumps({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "it"}})

COMMANDS = 100
MOST_GROWTH = 40 << 20
"""Bytes of memory; of what a command uses, 0.9 MiB a command would stay where anything holds it."""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(["get", "nodes", "-o", "name"], None, id="output"),
        pytest.param(["get", "configmap", "none"], None, id="an error of the API server"),
        pytest.param(["get", "nothings"], None, id="an unknown kind"),
        pytest.param(["get", "--nothing"], None, id="an unknown option"),
        pytest.param(["apply", "--dry-run=server", "-f", "-"], LATE, id="input"),
        pytest.param(["create", "-f", "-"], UNKNOWN_FIELD, id="an unknown field"),
        pytest.param(["create", "--dry-run=server", "-f", "-"], OLD, id="a warning"),
        pytest.param(["create", "-f", "-"], "", id="no input"),
        pytest.param(["wait", "node", "--all", "--for=condition=Nothing", "--timeout=0"], None, id="in vain"),
        pytest.param(["auth", "can-i", "create", "pods", "--as=nobody"], None, id="no, by exit code"),
        pytest.param(["get", "--raw", "/readyz"], None, id="raw"),
    ],
)
def test_it_leaves_what_a_process_would(plane, plane_namespace, arguments, text):
    command = ["-n", plane_namespace, *arguments]
    process = subprocess.run([*plane.kubectl_command("user"), *command], input=text, capture_output=True, text=True, check=False)
    result = plane.kubectl_result(*command, input=text, actor="user")
    assert (result.returncode, result.stdout, result.stderr) == (process.returncode, process.stdout, process.stderr)


def test_each_actor_is_told_apart(plane, plane_namespace):
    since = plane.audit_place()
    for actor in ("user", "controller"):
        plane.kubectl("get", "configmaps", "-n", plane_namespace, actor=actor)
    for actor in ("user", "controller"):
        seen = [
            event for event in plane.audit_events(actor, since) if event.get("objectRef", {}).get("namespace") == plane_namespace
        ]
        assert [event["verb"] for event in seen] == ["list"]


def test_one_that_waits_lets_others_go_on(plane, plane_namespace):
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(plane.kubectl, "wait", "--for=create", "configmap/late", "-n", plane_namespace, "--timeout=60s")
        plane.kubectl("create", "-n", plane_namespace, "-f", "-", input=LATE)
        assert "condition met" in waiting.result(60)


def test_a_kind_that_has_come_meanwhile_is_known(plane):
    name = "lates.example.org"
    assert plane.kubectl_result("get", name).returncode
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    names = {"plural": "lates", "singular": "late", "kind": "Late"}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {"group": "example.org", "scope": "Namespaced", "names": names, "versions": [version]},
    }
    plane.kubectl("apply", "-f", "-", input=json.dumps(crd))
    try:
        # The API server serves it a moment after it has established it.
        paths = ("/apis/example.org/v1", "/apis/example.org/v1/lates")
        eventually(lambda: not any(plane.kubectl_result("get", "--raw", path).returncode for path in paths))
        assert plane.kubectl("get", name, "-A", "-o", "name") == ""
    finally:
        plane.kubectl("delete", "crd", name)


def test_it_is_a_program_of_the_cluster(plane):
    plane.kubectl("get", "nodes")
    assert NAME in {program.name for program in plane.control.status()}


def test_what_commands_have_used_is_given_back(plane):
    def memory():
        (program,) = (each for each in plane.control.status() if each.name == NAME)
        pids = {pid_inside(pid): pid for pid in children(plane.supervisor.pid)}
        return resident_bytes(pids[program.pid])

    def use(count):
        for _ in range(count):
            plane.kubectl("version", "--client")

    use(COMMANDS // 2)
    before = memory()
    use(COMMANDS)
    assert memory() - before < MOST_GROWTH
