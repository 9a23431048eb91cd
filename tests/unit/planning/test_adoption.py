"""Objects of others: who is told what, and whose fields become ours."""

import pytest

from tests.unit.factories import NAME, NAMESPACE, UID, quickstart, workspace
from workspace_ctrl.planning.adoption import adopted, handed_over, is_adopted, is_own, is_shared, offer, refusal
from workspace_ctrl.records.meta import Meta, ObjectRef

OWNER = Meta(ObjectRef("Workspace", NAMESPACE, NAME), uid=UID)
REF = ObjectRef("Service", NAMESPACE, NAME)


def fields(manager, tree, operation="Update", **more):
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": tree, **more}


def live(*entries, controller=None, annotations=None):
    owners = [{"kind": controller[0], "name": "somebody", "uid": controller[1], "controller": True}] if controller else []
    metadata = {"name": NAME, "uid": "u", "resourceVersion": "7", "managedFields": list(entries), "ownerReferences": owners}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {**metadata, "annotations": annotations or {}}}


NO_LISTS = (
    "\x1cService",
    "Service\x1d",
    "\x1eService\x1f",
    "Service\n",
    "\tService",
    "\u00a0Service",
    "Service\u2028",
    "\u200bService",
    "Networ\u212aPolicy",
    "\u017fervice",
    "Service\x00",
    "Service;Deployment",
    "Service/phi",
    "(Service)",
    "\uff33ervice",
    "Service," * 128 + "Deployment",
)
"""What languages read in different ways, and what is a list of kinds in no way."""


@pytest.mark.parametrize(
    ("value", "is_taken"),
    [
        pytest.param("true", True, id="all"),
        pytest.param("Service", True, id="its kind"),
        pytest.param("Deployment, service", True, id="its kind among others"),
        pytest.param("Deployment", False, id="another kind"),
        pytest.param("false", False, id="no"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_the_annotation_names_what_is_taken_over(value, is_taken):
    assert is_adopted({"workspace-ctrl/adopt": value}, "Service") is is_taken
    assert not is_adopted({}, "Service")


@pytest.mark.parametrize("value", NO_LISTS)
def test_what_is_no_list_of_kinds_takes_nothing_over(value):
    assert adopted(value) == frozenset()


def test_a_list_that_is_too_long_is_not_taken_for_its_beginning():
    longest = ("Service," * 128)[:1024]
    document = {**quickstart(), "metadata": {"name": NAME, "annotations": {"workspace-ctrl/adopt": longest}}}
    for annotation, taken in ((longest, True), (longest + ",", False), (longest + "\n", False)):
        document["metadata"]["annotations"]["workspace-ctrl/adopt"] = annotation
        assert is_adopted(workspace(document).annotations, "Service") is taken


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(live(), "was not created for this Workspace; delete it, rename the Workspace, or adopt it", id="a user's"),
        pytest.param(
            live(controller=("Workspace", UID)), "created for this Workspace by another controller, such as KAITO", id="KAITO's"
        ),
    ],
)
def test_what_can_be_taken_over_is_offered_with_the_command(found, said):
    assert refusal(found, OWNER, REF) == ""
    words = offer(found, OWNER, REF)
    assert said in words
    assert words.endswith(f"kubectl annotate workspace {NAME} -n {NAMESPACE} workspace-ctrl/adopt=Service")


def test_what_belongs_to_a_controller_is_never_taken():
    said = refusal(live(controller=("KServe", "other")), OWNER, REF)
    assert said == (
        f"Service {NAMESPACE}/{NAME} is owned by KServe somebody, which would revert changes; delete that owner, or rename the Workspace"
    )


def test_our_own_is_known_by_owner_and_annotation():
    hashed = {"workspace-ctrl/applied-hash": "h"}
    assert is_own(live(controller=("Workspace", UID), annotations=hashed), OWNER)
    assert not is_own(live(controller=("Workspace", UID)), OWNER)
    assert not is_own(live(annotations=hashed), OWNER)


PORTS = {"f:spec": {"f:ports": {".": {}, 'k:{"port":80}': {".": {}, "f:port": {}}}}}


@pytest.mark.parametrize(
    ("others", "shared"),
    [
        pytest.param([], False, id="only ours"),
        pytest.param([fields("kubectl", PORTS)], True, id="the same field"),
        pytest.param([fields("kubectl", {"f:spec": {}})], False, id="nothing"),
        pytest.param([fields("kubectl", {"f:spec": {"f:ports": {'k:{"port":90}': {"f:port": {}}}}})], False, id="beside ours"),
        pytest.param([fields("kube-controller-manager", PORTS)], False, id="Kubernetes itself"),
        pytest.param([fields("hpa", PORTS, subresource="scale")], False, id="a subresource"),
    ],
)
def test_an_object_that_was_there_before_shares_fields_with_others(others, shared):
    assert is_shared(live(fields("workspace-ctrl", PORTS, "Apply"), *others)) is shared


def test_the_spec_becomes_ours_and_nothing_else_of_others():
    kaito = fields("kaito", {"f:metadata": {"f:labels": {"f:team": {}}}, "f:spec": {"f:type": {}, "f:suspend": {}}})
    status = fields("kaito", {"f:status": {}}, subresource="status")
    flux = fields("helm-controller", {"f:metadata": {"f:finalizers": {}}})
    metadata = handed_over(live(kaito, status, flux))["metadata"]
    assert (metadata["uid"], metadata["resourceVersion"]) == ("u", "7")
    ours, *rest = metadata["managedFields"]
    assert (ours["manager"], ours["operation"], ours["fieldsV1"]) == ("workspace-ctrl", "Apply", {"f:spec": {"f:type": {}}})
    kept = {"f:metadata": {"f:labels": {"f:team": {}}}, "f:spec": {"f:suspend": {}}}
    assert [entry["fieldsV1"] for entry in rest] == [kept, {"f:status": {}}, {"f:metadata": {"f:finalizers": {}}}]
