"""The CRD as kubectl and its users meet it; which Workspaces it accepts is in test_crd_agreement.py."""

from e2e import workspaces


def test_both_versions_show_the_same_object(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, workspaces.workspace("both-versions", apiVersion="kaito.sh/v1alpha1"))
    for version in ("v1alpha1", "v1beta1"):
        shown = workspaces.get(installed, plane_namespace, f"workspaces.{version}.kaito.sh", "both-versions")
        assert shown["apiVersion"] == f"kaito.sh/{version}"
        assert shown["resource"]["count"] == 1


def test_kubectl_knows_short_names_and_columns(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, workspaces.workspace("short"))
    head, row = installed.kubectl("get", "wk", "-n", plane_namespace, "-o", "wide").splitlines()
    narrow = ["NAME", "INSTANCE", "KIND", "RESOURCEREADY", "INFERENCEREADY", "GATEWAYREADY", "URL", "AGE"]
    assert head.split() == [*narrow, "REASON", "STATE", "TARGETNODECOUNT"]
    assert row.split()[:2] == ["short", "Standard_NC24ads_A100_v4"]
