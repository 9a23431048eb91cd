"""The chart beside an installed KAITO: no CRD, and no right to write a model server."""

from e2e.cluster.chart import chart
from tests.chart.helm import GATE, helm, render
from tests.chart.rights import granted

COMPANION = {**GATE, "mode": "companion"}
_WRITES = {"create", "patch", "update", "delete"}
_OURS = {"httproutes", "helmreleases", "ocirepositories", "inferenceobjectives", "events", "leases"}


def kinds(**values):
    return {manifest["kind"] for manifest in render({**GATE, "flux2": {"enabled": False}, **values})}


def test_no_crd_is_installed_and_nothing_tells_to_delete_workspaces():
    assert {"CustomResourceDefinition", "Job"} < kinds()
    assert not {"CustomResourceDefinition", "Job"} & kinds(mode="companion", crds={"install": True})


def test_only_what_is_ours_can_be_written():
    written = {(resource, verb) for verb, _, resource in granted(COMPANION) if verb in _WRITES and resource not in _OURS}
    owners = [("", "patch"), ("/status", "patch"), ("/finalizers", "update")]
    expected = {(f"{plural}{part}", verb) for plural in ("workspaces", "inferencesets") for part, verb in owners}
    assert written == expected | {("destinationrules", "patch")}
    assert granted(COMPANION) < granted(GATE)


def test_it_is_refused_where_it_would_do_nothing():
    result = helm("template", "workspace-ctrl", str(chart()), values={"mode": "companion"})
    assert "mode=companion makes only the gateway side" in result.stderr
    render({"mode": "companion", "gatewayRemoval": True})


def test_nothing_is_made_or_allowed_for_autoscaling_which_is_kaito_s():
    values = {**COMPANION, "admission": {"enabled": False}}  # without certificates, which differ each time
    for autoscaling in ({"enabled": True}, {"enabled": True, "prometheus": {"url": "http://prometheus.example:9090"}}):
        assert render({**values, "autoscaling": autoscaling}) == render(values)


def test_authors_are_asked_for_the_rights_to_the_options_alone():
    (policy,) = (
        manifest["spec"]
        for manifest in render(COMPANION)
        if manifest["kind"] == "ValidatingAdmissionPolicy" and manifest["metadata"]["name"] == "workspace-ctrl-workspace-ctrl"
    )
    said = " ".join(entry.get("messageExpression", "") for entry in policy["validations"])
    assert "workspace-ctrl/gateway" in said
    assert "inference.template" not in said
