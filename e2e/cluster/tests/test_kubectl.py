"""One process runs all commands of kubectl, and each is as if a process of its own had run it."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import uuid4

import pytest

from e2e import workspaces
from e2e.cluster.kubectl import NAME
from e2e.cluster.processes import children, pid_inside, resident_bytes
from e2e.waiting import KUBECTL_TIMEOUT, WAIT_SECONDS, until

LATES = "lates.example.org"
LATE = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}})
UNKNOWN_FIELD = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}, "other": "x"})
REVIEW = json.dumps(
    {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": "nobody", "resourceAttributes": {"verb": "get", "resource": "pods"}},
    }
)
OLD = json.dumps({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "it"}})

MOST_GROWTH = 40 << 20
"""Bytes of memory, which is less than half of what would stay of so many commands where anything holds it."""


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
        waiting = executor.submit(plane.kubectl, "wait", "--for=create", "configmap/late", "-n", plane_namespace, KUBECTL_TIMEOUT)
        plane.kubectl("create", "-n", plane_namespace, "-f", "-", input=LATE)
        assert "condition met" in waiting.result(WAIT_SECONDS)


@pytest.fixture
def lates(plane, fresh):
    """The CRD of a kind, with the schema and the short name that are passed to the function; the test finds and leaves none.

    It is there when the API server also lists it among all kinds, where kubectl looks: that is a moment after the kind is served.
    """

    def applied(schema, short="lt"):
        names = {"plural": "lates", "singular": "late", "kind": "Late", "shortNames": [short]}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object", **schema}}}
        spec = {"group": "example.org", "scope": "Namespaced", "names": names, "versions": [version]}
        crd = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": LATES},
            "spec": spec,
        }
        plane.kubectl("apply", "-f", "-", input=json.dumps(crd))
        workspaces.wait_served(plane, LATES)
        until(lambda: not fresh("get", LATES, "-A")[0], "the API server to list the kind")

    yield applied
    plane.kubectl("delete", "crd", LATES, "--ignore-not-found")


@pytest.fixture
def fresh(plane, tmp_path):
    """Run a command in a process of kubectl that has read nothing before."""

    def run(*command, text=None):
        line = [*plane.kubectl_command("user"), f"--cache-dir={tmp_path / uuid4().hex}", *command]
        return _left(subprocess.run(line, input=text, capture_output=True, text=True, check=False))

    return run


def _left(result):
    return result.returncode, result.stdout, result.stderr


def test_a_kind_that_has_come_meanwhile_is_known(plane, lates):
    assert plane.kubectl_result("get", LATES).returncode
    lates({})
    assert plane.kubectl("get", LATES, "-A", "-o", "name") == ""


def test_a_kind_is_known_by_the_names_that_it_has_now(plane, plane_namespace, lates, fresh):
    lates({}, "lt")
    assert plane.kubectl("get", "lt", "-n", plane_namespace, "-o", "name") == ""
    lates({}, "lte")
    until(lambda: fresh("get", "lt", "-n", plane_namespace)[0], "the API server to have the new name only")
    for short in ("lt", "lte"):
        command = ("get", short, "-n", plane_namespace)
        assert _left(plane.kubectl_result(*command, actor="user")) == fresh(*command)


def test_a_kind_that_has_gone_meanwhile_is_not_known(plane, plane_namespace, lates, fresh):
    lates({})
    assert plane.kubectl("get", LATES, "-n", plane_namespace, "-o", "name") == ""
    plane.kubectl("delete", "crd", LATES)
    command = ("get", LATES, "-n", plane_namespace)
    until(lambda: "doesn't have a resource type" in fresh(*command)[2], "the API server to have forgotten the kind")
    assert _left(plane.kubectl_result(*command, actor="user")) == fresh(*command)


def test_the_schema_is_the_one_of_now(plane, plane_namespace, lates, fresh):
    """What one schema knows and the next does not is refused or accepted by the one that the API server has when the command begins."""
    apply = ("apply", "-n", plane_namespace, "--dry-run=server", "-f", "-")
    explain = ("explain", "late.size")
    text = json.dumps({"apiVersion": "example.org/v1", "kind": "Late", "metadata": {"name": "it"}, "size": 1, "other": 2})
    for type_, others in (("integer", {}), ("string", {}), ("integer", {"other": {"type": "integer"}})):
        lates({"properties": {"size": {"type": type_}, **others}})
        until(partial(_says, fresh, explain, f"FIELD: size <{type_}>"), "the API server to publish the schema")
        assert _left(plane.kubectl_result(*explain, actor="user")) == fresh(*explain)
        left = _left(plane.kubectl_result(*apply, input=text, actor="user"))
        assert left == fresh(*apply, text=text)
        assert (left[0] == 0) == bool(others)


def _says(fresh, command, words):
    return words in fresh(*command)[1]


def late(size):
    return {"apiVersion": "example.org/v1", "kind": "Late", "metadata": {"name": "it"}, "size": size}


def config_map(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}, "data": data}


def service(**ports):
    spec = {"clusterIP": "None", "ports": [{"name": name, "port": port} for name, port in ports.items()]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "it"}, "spec": spec}


@pytest.mark.parametrize(
    ("document", "changed"),
    [
        pytest.param(config_map(a="1", b="2"), config_map(b="3", c="4"), id="a kind of Kubernetes"),
        pytest.param(service(a=80, b=81), service(b=82, c=83), id="a list that is merged by key"),
        pytest.param(late(1), late(2), id="a custom resource"),
    ],
)
def test_it_patches_as_a_process_would(plane, plane_namespace, lates, fresh, document, changed):
    """A second `apply` finds out by the schema of the kind what has changed."""
    lates({"properties": {"size": {"type": "integer"}}})
    until(lambda: not fresh("explain", "late.size")[0], "the API server to publish the schema")
    place = ("-n", plane_namespace)

    def stored(applied):
        said = [applied("apply", *place, "-f", "-", text=json.dumps(version)) for version in (document, changed, changed)]
        left = json.loads(plane.kubectl("get", document["kind"], "it", *place, "-o", "json"))
        plane.kubectl("delete", document["kind"], "it", *place)
        return said, {key: value for key, value in left.items() if key != "metadata"}

    since = plane.audit_place()
    found = stored(lambda *command, text: _left(plane.kubectl_result(*command, input=text, actor="user")))
    asked = {event["requestURI"].partition("?")[0] for event in plane.audit_events("user", since)}
    assert "/openapi/v3" in asked
    assert "/openapi/v2" not in asked, "the older documents, which take the API server longest"
    assert found == stored(fresh)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["get", "deploy,svc"], id="short names"),
        pytest.param(["get", "deploy.apps/none"], id="a name with its group"),
        pytest.param(["get", "--help"], id="help"),
        pytest.param(["-o", "name", "get", "nodes"], id="options before the command"),
        pytest.param(["get"], id="too few words"),
        pytest.param(["delete", "configmap", "none", "--warnings-as-errors"], id="an option of the whole kubectl"),
        pytest.param(["delete", "nothings", "--all"], id="an unknown kind is deleted"),
        pytest.param(["rollout", "status", "deployment/none"], id="a command of two words"),
        pytest.param(["api-resources", "--api-group=apps", "-o", "name"], id="a rare command"),
    ],
)
def test_the_command_line_is_understood_as_a_process_would(plane, plane_namespace, fresh, arguments):
    command = ("-n", plane_namespace, *arguments)
    assert _left(plane.kubectl_result(*command, actor="user")) == fresh(*command)


def test_what_the_api_server_offers_is_read_once(plane, plane_namespace):
    """A command asks only whether that is still so; as it lists the kinds, this is one request, and no list of one group's kinds."""
    plane.kubectl("get", "configmaps", "-n", plane_namespace)
    since = plane.audit_place()
    for actor in ("user", "controller"):
        plane.kubectl("get", "configmaps", "-n", plane_namespace, actor=actor)
        asked = [event["requestURI"].partition("?")[0] for event in plane.audit_events(actor, since)]
        assert asked == ["/apis", f"/api/v1/namespaces/{plane_namespace}/configmaps"]


def test_a_review_is_created_without_the_documents_of_all_kinds(plane):
    """A kind that is never patched, which kubectl would look for in the older documents and among all CRDs."""
    since = plane.audit_place()
    answer = json.loads(plane.kubectl("create", "-f", "-", "-o", "json", input=REVIEW, actor="user"))
    assert answer["status"]["allowed"] is False
    asked = {event["requestURI"].partition("?")[0] for event in plane.audit_events("user", since)}
    assert asked <= {
        "/apis",
        "/openapi/v3",
        "/openapi/v3/apis/authorization.k8s.io/v1",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    }


@pytest.mark.parametrize("validate", ["strict", "warn"])
def test_an_unknown_field_of_a_review_is_found(plane, validate):
    text = REVIEW.replace('"spec": {', '"spec": {"others": "x", ')
    result = plane.kubectl_result("create", f"--validate={validate}", "-f", "-", input=text, actor="user")
    assert 'unknown field "spec.others"' in result.stderr


def test_it_is_a_program_of_the_cluster(plane):
    plane.kubectl("get", "nodes")
    assert NAME in {program.name for program in plane.control.status()}


@pytest.mark.parametrize(
    ("command", "count"),
    [
        pytest.param(("version", "--client"), 100, id="a rare command, of 0.9 MiB"),
        pytest.param(("get", "nodes"), 400, id="a frequent command, of 0.25 MiB"),
    ],
)
def test_what_commands_have_used_is_given_back(plane, command, count):
    def memory():
        (program,) = (each for each in plane.control.status() if each.name == NAME)
        pids = {pid_inside(pid): pid for pid in children(plane.supervisor.pid)}
        return resident_bytes(pids[program.pid])

    def use():
        for _ in range(count):
            plane.kubectl(*command)

    use()  # until it has as much garbage as it ever has
    before = memory()
    use()
    assert memory() - before < MOST_GROWTH
