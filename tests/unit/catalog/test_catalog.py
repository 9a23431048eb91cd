"""Layouts of charts and profiles of gateway classes."""

import pytest

from workspace_ctrl.catalog.charts import UnknownChartError, chart_version, find_layout, registry_tag
from workspace_ctrl.catalog.gateway_classes import find_profile, gateway_classes


def test_layout_puts_decisions_where_the_chart_reads_them():
    layout = find_layout("inferencepool", "v1.5.0")
    assert layout.values_for({"match_labels": {"a": "b"}, "provider": "istio", "resources": None}) == {
        "inferencePool": {"modelServers": {"matchLabels": {"a": "b"}}},
        "provider": {"name": "istio"},
    }


@pytest.mark.parametrize("version", ["v0.5.1", "1.6.0", "v2.0.0", "latest", ""])
def test_an_unknown_chart_version_is_refused_with_the_known_ones(version):
    with pytest.raises(
        UnknownChartError, match=r"supported versions: inferencepool >=1\.0\.1,<1\.1; .*; llm-d-router-gateway >=0\.10,<0\.11"
    ):
        find_layout("inferencepool", version)


@pytest.mark.parametrize("version", ["1.5", "v1", "latest", "1.5.x", ">=1.5.0", "1.5.0.1"])
def test_what_is_no_complete_version_is_said_to_be_none(version):
    with pytest.raises(
        UnknownChartError, match=r"is not supported: it is no complete version, such as v1\.5\.0; supported versions"
    ):
        find_layout("inferencepool", version)


def test_a_version_that_does_harm_is_refused_with_the_reason():
    with pytest.raises(UnknownChartError, match=r"inferencepool v1\.0\.0 is not supported: its ClusterRole .* use v1\.0\.1"):
        find_layout("inferencepool", "v1.0.0")


@pytest.mark.parametrize(
    ("name", "version", "reason"),
    [
        ("inferencepool", "v1.3.0-rc.1", "it creates an HTTPRoute of its own; use v1.3.0 or later"),
        ("inferencepool", "1.3.0-rc.2", "it creates an HTTPRoute of its own; use v1.3.0 or later"),
        ("llm-d-router-gateway", "v0.10.0-rc.1", "it creates no Service for the endpoint picker; use v0.10.0"),
    ],
)
def test_a_pre_release_that_differs_from_its_release_is_refused(name, version, reason):
    with pytest.raises(UnknownChartError) as refusal:
        find_layout(name, version)
    assert str(refusal.value) == f"chart {name} {version} is not supported: {reason}"


@pytest.mark.parametrize("version", ["v1.5.0", "1.5.0", "v1.5.0+team.2", "v1.5.0_team.2", "v1.5.0-rc.1", "v1.5.0-rc.1_team.2"])
def test_build_metadata_does_not_change_the_layout(version):
    assert find_layout("inferencepool", version).versions == ">=1.5,<1.6"


def test_a_version_and_its_tag_are_written_as_helm_writes_them():
    assert (registry_tag("v1.5.0+team.2"), chart_version("v1.5.0_team.2")) == ("v1.5.0_team.2", "v1.5.0+team.2")
    assert (registry_tag("v1.5.0"), chart_version("v1.5.0")) == ("v1.5.0", "v1.5.0")


@pytest.mark.parametrize("version", ["v" + "9" * 5000 + ".0.0", "v1.5.0 x", "v1.5.0+a/b", "v1.5.0\n", "v1.5.0-é"])
def test_what_is_no_version_is_not_supported(version):
    with pytest.raises(UnknownChartError):
        find_layout("inferencepool", version)


@pytest.mark.parametrize(
    ("name", "version", "image", "flags", "resources"),
    [
        ("inferencepool", "1.0.1", "inferenceExtension.image.hub", "list", None),
        ("inferencepool", "1.1.0", "inferenceExtension.image.hub", "list", None),
        ("inferencepool", "1.2.1", "inferenceExtension.image.hub", "map", None),
        ("inferencepool", "1.3.1", "inferenceExtension.image.hub", "map", None),
        ("inferencepool", "1.4.0", "inferenceExtension.image.hub", "map", "inferenceExtension.resources"),
        ("inferencepool", "1.5.0", "inferenceExtension.image.registry", "map", "inferenceExtension.resources"),
        ("llm-d-router-gateway", "0.9.0", "router.epp.image.registry", "map", "router.epp.resources"),
        ("llm-d-router-gateway", "v0.10.0", "router.epp.image.registry", "map", "router.epp.resources"),
    ],
)
def test_each_version_has_the_keys_of_its_time(name, version, image, flags, resources):
    layout = find_layout(name, version)
    assert (layout.values["image_registry"], layout.flags.form, layout.values.get("resources")) == (image, flags, resources)


@pytest.mark.parametrize(
    ("controller", "name", "provider"),
    [
        ("istio.io/gateway-controller", "istio", "istio"),
        ("istio.io/gie-gateway-controller", "istio", "istio"),
        ("istio.io/unmanaged-gateway", "", "none"),
        ("istio.io/mesh-controller", "", "none"),
        ("openshift.io/gateway-controller/v1", "istio", "istio"),
        ("istio.aks.azure.com/gateway-controller", "istio", "istio"),
        ("istio.io/agentgateway-controller", "istio-agentgateway", "none"),
        ("kgateway.dev/agentgateway", "agentgateway", "none"),
        ("kgateway.dev/kgateway", "kgateway", "none"),
        ("networking.gke.io/gateway", "gke", "gke"),
        ("example.com/gateway-controller", "istio", "istio"),
        ("example.com/x", "", "none"),
        ("istio.io.example.com/gateway-controller", "", "none"),
        ("istio.io", "", "none"),
        (None, "", "none"),
    ],
)
def test_a_class_is_known_by_its_names_and_by_the_settings_and_others_get_standard_behaviour(controller, name, provider):
    profile = find_profile(controller, {"example.com/gateway-controller": "istio"})
    assert (profile.name, profile.chart_provider, profile.is_known) == (name, provider, bool(name))


def test_settings_overrule_the_names_that_are_known():
    assert find_profile("istio.io/gateway-controller", {"istio.io/gateway-controller": "agentgateway"}).name == "agentgateway"


def test_no_two_classes_have_a_name_in_common_and_what_rejects_timeouts_has_a_policy_for_them():
    profiles = gateway_classes().values()
    names = [name for profile in profiles for name in (profile.controller, *profile.aliases)]
    assert len(names) == len(set(names))
    assert all(profile.takes_timeouts != bool(profile.timeout_policy) for profile in profiles)
