"""The chart's values: who decides what, in every layout."""

import time
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factories import NAMESPACE, derived
from workspace_ctrl.api.endpoint_picker_spec import EndpointPicker
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.names import names
from workspace_ctrl.catalog.charts import chart_layouts, find_layout, value_at
from workspace_ctrl.planning.chart.value_validation import is_one_line
from workspace_ctrl.planning.chart.values import PoolValues, chart_values, check_installed, protected_paths
from workspace_ctrl.planning.plan_settings import ChartSource, PickerSettings, PlanSettings

V1_5 = find_layout("inferencepool", "v1.5.0")
POOL = PoolValues({"kaito.sh/workspace": "phi"}, 5000, "istio")
LAYOUTS = [layout for layout in chart_layouts() if not layout.refused]


def values_of(values=None, *, layout=V1_5, pool=POOL, installed=None, release=None, namespace=NAMESPACE, **asked):
    """The chart's values; `asked` are fields of gateway.endpointPicker, `values` that of the same name."""
    picker = EndpointPicker.model_validate({**asked, **({"values": values} if values is not None else {})})
    return chart_values(
        layout, release or derived(), pool, namespace=namespace, installed=installed or PickerSettings(), asked=picker
    )


def refusal_of(values=None, **asked):
    with pytest.raises(SpecError) as refusal:
        values_of(values, **asked)
    return str(refusal.value)


def extension(**values):
    return {"inferenceExtension": values}


def test_our_decisions_in_the_newest_layout():
    assert values_of() == {
        "inferencePool": {
            "modelServers": {"matchLabels": {"kaito.sh/workspace": "phi"}},
            "targetPorts": [{"number": 5000}],
            "apiVersion": "inference.networking.k8s.io/v1",
            "modelServerProtocol": "",
        },
        "inferenceExtension": {
            "replicas": 1,
            "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
            "failureMode": "FailOpen",
            "image": {"pullPolicy": "IfNotPresent"},
            "extProcPort": 9002,
            "monitoring": {"prometheus": {"auth": {"secretName": "workspace-phi-4-mini-inferencepool-epp-metrics"}}},
        },
        "provider": {"name": "istio"},
    }


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.name} {layout.versions}")
def test_every_layout_takes_selector_port_provider_and_a_metrics_secret_of_its_own(layout):
    values = values_of(layout=layout)
    for decision, value in {
        "match_labels": {"kaito.sh/workspace": "phi"},
        "target_ports": [{"number": 5000}],
        "provider": "istio",
        "metrics_secret": f"{derived().endpoint_picker}-metrics",
    }.items():
        assert value_at(values, layout.place(decision)) == value


def test_the_workspace_goes_before_the_installation_and_that_before_us():
    installed = PickerSettings(replicas=2, values=extension(affinity={"podAffinity": {}}, tolerations=[{"key": "a"}]))
    values = values_of(extension(tolerations=[{"key": "b"}]), installed=installed, replicas=3)["inferenceExtension"]
    assert (values["replicas"], values["affinity"], values["tolerations"]) == (3, {"podAffinity": {}}, [{"key": "b"}])
    assert values_of(installed=installed)["inferenceExtension"]["replicas"] == 2


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"requests": {"cpu": "1"}}, {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}),
        ({"requests": {"memory": "4Gi"}}, {"requests": {"cpu": "250m", "memory": "4Gi"}, "limits": {"memory": "4Gi"}}),
        ({"limits": {"memory": "256Mi"}}, {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "256Mi"}}),
        ({}, {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}),
    ],
)
def test_a_limit_never_falls_below_its_request(given, made):
    assert values_of(resources=given)["inferenceExtension"]["resources"] == made
    assert values_of(extension(resources=given))["inferenceExtension"]["resources"] == made


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}),
        ({"limits": {"memory": "256Mi"}}, {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "256Mi"}}),
        ({"requests": {"cpu": "1", "memory": "20Gi"}}, {"requests": {"cpu": "1", "memory": "20Gi"}, "limits": {"memory": "20Gi"}}),
    ],
)
@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout.place("resources")], ids=lambda layout: layout.versions)
def test_what_the_installation_leaves_out_of_resources_does_not_come_from_the_chart(layout, given, made):
    """The charts would complete it with requests of 4 or 8 CPUs and 8Gi, and a limit of 16Gi."""
    place = layout.place("resources")
    in_settings = values_of(layout=layout, installed=PickerSettings(resources=given))
    in_values = values_of(layout=layout, installed=PickerSettings(values=layout.values_for({"resources": given})))
    assert value_at(in_settings, place) == value_at(in_values, place) == made


def test_a_workspace_completes_its_resources_with_those_of_the_installation():
    installed = PickerSettings(resources={"requests": {"cpu": "2", "memory": "1Gi"}})
    made = {"requests": {"cpu": "2", "memory": "3Gi"}, "limits": {"memory": "3Gi"}}
    assert values_of(resources={"requests": {"memory": "3Gi"}}, installed=installed)["inferenceExtension"]["resources"] == made


def test_a_changed_plugin_configuration_restarts_the_endpoint_picker():
    def variables(text):
        values = values_of(extension(pluginsConfigFile="mine.yaml", pluginsCustomConfig={"mine.yaml": text}, env=[]))
        return values["inferenceExtension"]["env"]

    (first,), (second,) = variables("plugins: []"), variables("plugins: [{}]")
    assert first["name"] == second["name"] == "PLUGINS_CONFIG_HASH"
    assert first["value"] != second["value"]
    assert "env" not in values_of()["inferenceExtension"]


def test_variables_of_installation_and_workspace_stand_together():
    installed = PickerSettings(values=extension(env=[{"name": "HTTPS_PROXY", "value": "http://proxy"}]))
    values = values_of(extension(env=[{"name": "MINE", "value": "1"}]), installed=installed)
    assert [entry["name"] for entry in values["inferenceExtension"]["env"]] == ["HTTPS_PROXY", "MINE"]
    words = refusal_of(extension(env=[{"name": "HTTPS_PROXY", "value": "http://mine"}]), installed=installed)
    assert "sets HTTPS_PROXY, which the controller's settings define; remove it" in words


def test_neither_workspace_nor_merging_changes_the_settings():
    installed = PickerSettings(values=extension(affinity={"nodeAffinity": {"a": [1]}}))
    values_of(extension(affinity={"nodeAffinity": {"b": 2}}, resources={"requests": {"cpu": "9"}}), installed=installed)
    assert installed == PickerSettings(values=extension(affinity={"nodeAffinity": {"a": [1]}}))


def test_failure_mode_is_the_workspaces_where_the_chart_takes_one():
    close = PoolValues(POOL.selector, POOL.port, POOL.provider, "FailClose")
    assert values_of(pool=close)["inferenceExtension"]["failureMode"] == "FailClose"
    old = find_layout("inferencepool", "v1.3.1")
    assert "failureMode" not in values_of(pool=close, layout=old)["inferenceExtension"]
    wish = PoolValues(POOL.selector, POOL.port, POOL.provider, "FailOpen")
    assert "gateway.pool.failureMode cannot be FailOpen with chart inferencepool" in refusal_of(pool=wish, layout=old)


def test_what_an_old_chart_does_not_take_is_said():
    old = find_layout("inferencepool", "v1.3.1")
    assert "resources" not in values_of(layout=old)["inferenceExtension"]
    assert "gateway.endpointPicker.resources is not supported by chart" in refusal_of(resources={}, layout=old)
    words = refusal_of(extension(resources={}), layout=old)
    assert "gateway.endpointPicker.values.inferenceExtension.resources cannot be set by a Workspace" in words


OF_OTHERS = {
    "selector": {"inferencePool": {"modelServers": {"matchLabels": {"app": "bank"}}}},
    "selector as a whole": {"inferencePool": {"modelServers": {"matchLabels": None}}},
    "port": {"inferencePool": {"targetPorts": [{"number": 22}]}},
    "port of the picker": extension(extProcPort=1),
    "API version": {"inferencePool": {"apiVersion": "v1\n---\nkind: ClusterRole"}},
    "provider": {"provider": {"name": "gke"}},
    "name of a Secret": extension(monitoring={"prometheus": {"auth": {"secretName": "admin-token"}}}),
    "a parent replaced": {"inferencePool": "gone"},
    "a parent removed": {"inferenceExtension": None},
}
OF_THE_INSTALLATION = {
    "image": extension(image={"registry": "evil.example"}),
    "image's tag": extension(image={"tag": "v1\n        securityContext: {privileged: true}"}),
    "flags": extension(flags={"pool-name": "other"}),
    "a volume of the node": extension(volumes=[{"name": "root", "hostPath": {"path": "/"}}]),
    "a second container": extension(sidecar={"enabled": True, "image": "evil"}),
    "template text that is run": extension(sidecar={"volumes": [{"name": "{{ lookup }}"}]}),
    "a service port": extension(extraServicePorts=[{"port": 1}]),
    "cluster-wide rights": extension(monitoring={"prometheus": {"enabled": True}}),
    "a route of another host": {"experimentalHttpRoute": {"enabled": True}},
    "standalone mode": extension(endpointsServer={"createInferencePool": False}),
    "keys with dots": {"inferenceExtension.env": []},
    "a key of the chart's library": {"global": {}},
    "what no chart knows": {"anything": {"deep": 1}},
}


@pytest.mark.parametrize("values", OF_OTHERS.values(), ids=OF_OTHERS)
def test_a_workspace_cannot_touch_what_the_controller_decides(values):
    everything = PickerSettings(allowed_values=("inferencePool", "inferenceExtension", "provider"))
    for installed in (PickerSettings(), everything):
        try:
            made = values_of(values, installed=installed)
        except SpecError as error:
            assert error.path.startswith("gateway.endpointPicker.values")
        else:
            assert installed is everything  # a parent is replaced, and then holds our decisions all the same
            for path in protected_paths(V1_5):
                assert value_at(made, path) == value_at(values_of(), path)


@pytest.mark.parametrize("values", OF_THE_INSTALLATION.values(), ids=OF_THE_INSTALLATION)
def test_a_workspace_sets_nothing_that_the_installation_did_not_allow(values):
    assert "cannot be set by a Workspace; allowed are inferenceExtension.affinity, " in refusal_of(values)


def nested(count, inside=1):
    """A value of so many levels, mappings and lists in turn."""
    return reduce(lambda value, number: [value] if number % 2 else {"key": value}, range(count), inside)


@pytest.mark.parametrize(
    ("allowed", "above", "most"),
    [
        pytest.param("inferenceExtension.tracing", ("tracing",), 5, id="below a path"),
        pytest.param("inferenceExtension.tracing", ("tracing", "a"), 4, id="mappings count"),
        pytest.param("inferenceExtension", ("tracing",), 5, id="beside values that are known"),
        pytest.param("inferenceExtension", ("tracing", "a"), 4, id="below what is beside them"),
        pytest.param("inferenceExtension", ("monitoring", "prometheus", "auth", "a"), 5, id="beside one that is known deeper"),
    ],
)
def test_values_have_as_many_levels_as_the_admission_policy_looks_into(allowed, above, most):
    installed = PickerSettings(allowed_values=(allowed,))

    def given(count, inside=1):
        return reduce(lambda value, key: {key: value}, reversed(above), nested(count, inside))

    for count, inside in ((most, 1), (most - 1, {}), (most - 1, [])):
        assert values_of({"inferenceExtension": given(count, inside)}, installed=installed)
    for count, inside in ((most + 1, 1), (most, {}), (most, [])):
        assert "has more than 5 levels of mappings and lists below inferenceExtension." in refusal_of(
            {"inferenceExtension": given(count, inside)}, installed=installed
        )


def test_values_that_every_workspace_may_set_have_any_number_of_levels():
    installed = PickerSettings(allowed_values=("inferenceExtension",))
    assert values_of(extension(affinity={"a": nested(9)}), installed=installed)


WRONG_SHAPES = {
    "a file name that ends its line": extension(pluginsConfigFile='x"\n---\nkind: ClusterRoleBinding\n#'),
    "a path for a file": extension(pluginsConfigFile="../../var/run/secrets"),
    "a file of the chart's own": extension(pluginsCustomConfig={"default-plugins.yaml": ""}),
    "a file name with a line break": extension(pluginsCustomConfig={"a\nb": ""}),
    "a text for the files": extension(pluginsCustomConfig="x\n---\nkind: Pod"),
    "a number as a file": extension(pluginsCustomConfig={"a": 1}),
    "replicas that end their line": extension(replicas="1\n---\nkind: ClusterRole"),
    "too many replicas": extension(replicas=10_000),
    "true as replicas": extension(replicas=True),
    "a variable from a Secret": extension(
        env=[{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "admin", "key": "token"}}}]
    ),
    "a variable with both": extension(env=[{"name": "TOKEN", "value": "", "valueFrom": {}}]),
    "a variable that the chart sets": extension(env=[{"name": "NAMESPACE", "value": "kube-system"}]),
    "a variable twice": extension(env=[{"name": "A", "value": ""}, {"name": "A", "value": ""}]),
    "a variable's name with a line break": extension(env=[{"name": "A\nB", "value": ""}]),
    "variables as a mapping": extension(env={"A": "b"}),
    "a text for variables": extension(env="x\n---\nkind: Pod"),
    "tolerations as a text": extension(tolerations="x\n---\nkind: Pod"),
    "affinity as a text": extension(affinity="x\n---\nkind: Pod"),
    "affinity removed": extension(affinity=None),
    "claims of devices": extension(resources={"claims": [{"name": "gpu"}]}),
    "a quantity that ends its line": extension(resources={"requests": {"cpu": "1\n---\nkind: Pod"}}),
    "a name of a resource that ends its line": extension(resources={"limits": {"cpu\n---": "1"}}),
}


@pytest.mark.parametrize("values", WRONG_SHAPES.values(), ids=WRONG_SHAPES)
def test_a_value_keeps_to_its_shape(values):
    (leaf,) = values["inferenceExtension"]
    assert f"gateway.endpointPicker.values.inferenceExtension.{leaf} m" in refusal_of(values).replace(" has ", " must have ")


def test_what_the_installation_allows_besides_stays_on_its_line():
    installed = PickerSettings(allowed_values=("inferenceExtension.tracing", "inferenceExtension.flags"))
    given = extension(tracing={"enabled": True}, flags={"v": 4})
    assert values_of(given, installed=installed)["inferenceExtension"]["flags"] == {"v": 4}
    for harmful in (
        extension(tracing={"otelExporterEndpoint": "http://a\n---\nkind: ClusterRole"}),
        extension(flags={"v\n---\nkind: ClusterRole": 1}),
        extension(flags={"v": "1\u2028kind: ClusterRole"}),
    ):
        assert "contains a line break or another non-printable character; write it on one line" in refusal_of(
            harmful, installed=installed
        )
    for template in (
        extension(flags={"v": "{{ lookup }}"}),
        extension(tracing={"{{ lookup }}": 1}),
        extension(tracing={"a": [["{{"]]}),
    ):
        assert "contains {{, which a chart can run as a template with Flux's rights; remove it" in refusal_of(
            template, installed=installed
        )
    assert "which this chart passes as two arguments" in refusal_of(
        extension(flags={"secure-serving": "false"}), installed=installed
    )


LLM_D = {version: find_layout("llm-d-router-gateway", version) for version in ("v0.9.0", "v0.10.0")}


def router(**values):
    return {"router": values}


def test_the_endpoint_picker_of_llm_d_ends_at_once_unless_the_installation_wants_it_to_drain():
    """Its Deployment starts the next one when the old one is gone (Recreate), so that all 30 s of its default would be without one."""
    assert values_of(layout=LLM_D["v0.10.0"])["router"]["epp"]["flags"] == {"drain-timeout": "0s"}
    assert "flags" not in values_of(layout=LLM_D["v0.9.0"])["router"]["epp"]  # it does not know this flag
    installed = PickerSettings(values=router(epp={"flags": {"drain-timeout": "10s", "v": 2}}))
    flags = values_of(layout=LLM_D["v0.10.0"], installed=installed)["router"]["epp"]["flags"]
    assert flags == {"drain-timeout": "10s", "v": 2}


BOTH = ("v0.9.0", "v0.10.0")
WITHOUT_EFFECT = {
    "backends of GKE": (("v0.10.0",), {"provider": {"gke": {"preferredBackends": {"enabled": True}}}}, "by a StatefulSet"),
    "an experimental plugin": (("v0.10.0",), router(epp={"pluginsConfigFile": "payload-agnostic.yaml"}), "experimental plugin"),
    "a file of the chart": (
        BOTH,
        router(epp={"pluginsCustomConfig": {"payload-agnostic.yaml": ""}}),
        "router.epp.pluginsCustomConfig must not contain file 'payload-agnostic.yaml'",
    ),
    "a metric's flag": (BOTH, router(epp={"flags": {"lora-info-metric": "x"}}), "sets lora-info-metric, which ends this"),
    "a flag of before": (("v0.10.0",), router(epp={"flags": {"model-server-metrics-port": 1}}), "ends at its start; remove it"),
    "a flag of after": (("v0.9.0",), router(epp={"flags": {"drain-timeout": "0s"}}), "ends at its start; remove it, or use 0.10"),
    "another pool": (BOTH, router(epp={"flags": {"pool-name": "other"}}), "sets pool-name, which names another pool than"),
    "another port": (BOTH, router(epp={"flags": {"grpc-port": 1}}), "moves the port that Gateways connect to"),
    "the parser of the README": (BOTH, router(epp={"parser": "openai-parser"}), "use the list router.epp.parsers"),
    "annotations": (("v0.9.0",), router(epp={"podAnnotations": {"a": "b"}}), "is not read by this chart version; use 0.10"),
    "a failure mode of the README": (BOTH, router(inferencePool={"failureMode": "FailClosed"}), "must be FailOpen or FailClose"),
    "a proxy": (BOTH, router(proxy={"enabled": True}), "belongs to the chart llm-d-router-standalone"),
    "the port of metrics": (BOTH, router(metricsPort=9091), "moves the port of the Service only"),
    "the port of health": (BOTH, router(epp={"grpcHealthPort": 9004}), "moves the port that the chart's probes use"),
    "managed Prometheus": (("v0.10.0",), router(monitoring={"provider": {"name": "gmp"}}), "no monitoring outside of GKE"),
    "a route": (BOTH, {"httpRoute": {"create": True}}, "creates a second HTTPRoute"),
    "objectives": (BOTH, router(inferenceObjectives=[{"name": "a"}]), "use gateway.objectives of a Workspace"),
    "objectives of before": (BOTH, {"inferenceObjectives": [{"name": "a"}]}, "use gateway.objectives of a Workspace"),
    "a million": (BOTH, router(epp={"flags": {"grpc-max-recv-msg-size": 4194304}}), 'write it in quotes: "4194304"'),
}
HARMLESS = {
    "no backends of GKE": {"provider": {"gke": {"preferredBackends": {"enabled": False}}}},
    "the other file": router(epp={"pluginsConfigFile": "default-plugins.yaml"}),
    "a flag": router(epp={"flags": {"v": 4, "secure-serving": False, "grpc-max-recv-msg-size": "4194304"}}),
    "the parsers": router(epp={"parsers": ["openai-parser"]}),
    "a failure mode": router(inferencePool={"failureMode": "FailClose"}),
    "no proxy": router(proxy={"enabled": False}),
    "the port of metrics": router(metricsPort=9090),
    "no route": {"httpRoute": {"create": False}},
    "no objectives": router(inferenceObjectives=[]),
}


@pytest.mark.parametrize(
    ("version", "values", "said"),
    [
        pytest.param(version, values, said, id=f"{name}, {version}")
        for name, (versions, values, said) in WITHOUT_EFFECT.items()
        for version in versions
    ],
)
def test_what_the_chart_of_llm_d_takes_without_effect_is_refused_at_the_start(version, values, said):
    source = ChartSource(url="oci://registry.example/llm-d-router-gateway", version=version)
    with pytest.raises(SpecError) as refusal:
        check_installed(PlanSettings(charts=(source,), picker=PickerSettings(values=values)))
    assert str(refusal.value).startswith("endpointPicker.values."), refusal.value
    assert said in str(refusal.value)


@pytest.mark.parametrize("values", HARMLESS.values(), ids=HARMLESS)
@pytest.mark.parametrize("version", BOTH)
def test_what_it_takes_with_effect_is_not_refused(version, values):
    source = ChartSource(url="oci://registry.example/llm-d-router-gateway", version=version)
    check_installed(PlanSettings(charts=(source,), picker=PickerSettings(values=values)))


@pytest.mark.parametrize("version", ["v1.4.0", "v1.5.0"])
def test_traps_that_the_chart_inferencepool_has_too_are_refused(version):
    source = ChartSource(version=version)
    for values in (
        extension(flags={"cache-info-metric": "x"}),
        extension(flags={"pool-name": "other"}),
        extension(failureMode="FailClosed"),
        {"experimentalHttpRoute": {"enabled": True}},
    ):
        with pytest.raises(SpecError):
            check_installed(PlanSettings(charts=(source,), picker=PickerSettings(values=values)))


@pytest.mark.parametrize("file", ["payload-agnostic.yaml", "default-plugins.yaml"])
def test_a_workspace_cannot_replace_a_file_of_the_chart(file):
    words = refusal_of(router(epp={"pluginsCustomConfig": {file: ""}}), layout=LLM_D["v0.9.0"])
    assert f"router.epp.pluginsCustomConfig must not contain file '{file}'" in words


def test_an_installation_has_values_for_each_of_its_charts():
    """So that Workspaces can move from one to the other; the chart of llm-d rejects the keys of inferencepool."""
    values = extension(tolerations=[{"key": "a"}]) | router(epp={"tolerations": [{"key": "b"}]}) | {"global": {"x": 1}}
    llm_d = ChartSource(name="llm-d", url="oci://registry.example/llm-d-router-gateway", version="v0.10.0")
    installed = PickerSettings(values=values)
    check_installed(PlanSettings(charts=(ChartSource(), llm_d), picker=installed))
    old, new = values_of(installed=installed), values_of(layout=LLM_D["v0.10.0"], installed=installed)
    assert old["inferenceExtension"]["tolerations"] == [{"key": "a"}]
    assert new["router"]["epp"]["tolerations"] == [{"key": "b"}]
    assert ("router" in old, "inferenceExtension" in new, old["global"], new["global"]) == (False, False, {"x": 1}, {"x": 1})
    with pytest.raises(SpecError, match=r"endpointPicker\.values\.inferenceExtension belongs to the chart inferencepool"):
        check_installed(PlanSettings(charts=(llm_d,), picker=installed))


def test_values_of_the_former_chart_are_refused_with_their_place_in_the_new_one():
    words = refusal_of(extension(pluginsConfigFile="mine.yaml"), layout=LLM_D["v0.10.0"])
    assert words == (
        "gateway.endpointPicker.values.inferenceExtension.pluginsConfigFile is not read by chart llm-d-router-gateway "
        ">=0.10,<0.11; use router.epp.pluginsConfigFile"
    )
    back = refusal_of(router(epp={"resources": {"requests": {"cpu": "1"}}}))
    assert back.endswith("is not read by chart inferencepool >=1.5,<1.6; use inferenceExtension.resources.requests.cpu")


@pytest.mark.parametrize("name", [["a"], {"a": 1}, None, 7])
def test_a_flag_s_name_of_any_type_is_no_error_of_another_kind(name):
    layout = next(layout for layout in LAYOUTS if layout.flags.form == "list")
    installed = PickerSettings(allowed_values=(layout.flags.path,))
    given = extension(flags=[{"name": name, "value": "false"}])
    said = f"sets {name} to false, which this chart passes as two arguments, so that the flag is always on; remove it"
    assert refusal_of(given, layout=layout, installed=installed) == f"gateway.endpointPicker.values.inferenceExtension.flags {said}"


def test_many_variables_take_as_long_as_they_are_many():
    variables = [{"name": f"V{n}", "value": ""} for n in range(8000)]
    began = time.thread_time()
    assert values_of(extension(env=variables))["inferenceExtension"]["env"] == variables
    assert time.thread_time() - began < 0.5


def test_a_long_name_is_quoted_in_part():
    said = "must not contain file 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; use a name such as my-plugins.yaml"
    assert refusal_of(extension(pluginsCustomConfig={"x" * 100_000: ""})).endswith(said)


@pytest.mark.parametrize("labels", [{"a: b\n---\nkind: ClusterRole": "x"}, {"a": 'x"\ny'}, {"": "x"}, {"a b": "c"}, {"a\n": "b"}])
def test_a_selector_of_a_workspace_is_made_of_labels(labels):
    assert "inference.workloadRef.selector contains " in refusal_of(pool=PoolValues(labels, 80, "none"))


@pytest.mark.parametrize(
    ("version", "workspace", "namespace", "fits"),
    [
        ("v1.1.0", "phi", "team", True),
        ("v1.1.0", "p" * 39, "n" * 37, True),
        ("v1.1.0", "p" * 39, "n" * 38, False),
        ("v1.1.0", "phi", "n" * 41, False),
        ("v1.5.0", "p" * 63, "n" * 63, True),
    ],
)
def test_a_name_that_the_chart_would_cut_into_no_name_is_refused(version, workspace, namespace, fits):
    asked = {"layout": find_layout("inferencepool", version), "release": names(workspace), "namespace": namespace}
    if fits:
        values_of(**asked)
    else:
        assert "metadata.namespace is too long for the ClusterRole of release" in refusal_of(**asked)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=9), children, max_size=3),
    max_leaves=8,
)
known_keys = st.sampled_from(["env", "affinity", "replicas", "resources", "flags", "image", "pluginsConfigFile", "extProcPort"])
trees = st.dictionaries(
    st.sampled_from(["inferenceExtension", "inferencePool", "provider", "x"]),
    anything | st.dictionaries(known_keys, anything, max_size=3),
    max_size=3,
)


@given(values=trees, widened=st.lists(st.sampled_from(["inferenceExtension", "inferencePool", "provider.name", "x"]), max_size=3))
def test_whatever_a_workspace_writes_our_decisions_stand(values, widened):
    try:
        made = values_of(values, installed=PickerSettings(allowed_values=tuple(widened)))
    except SpecError as error:
        assert "\n" not in str(error)
        return
    for path in protected_paths(V1_5):
        assert value_at(made, path) == value_at(values_of(), path)
    assert is_one_line(value_at(made, ("inferenceExtension", "flags")))
