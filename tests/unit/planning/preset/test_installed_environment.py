"""Variables and certificates of the installation: into the pods of presets, and none by which these would stop working."""

from dataclasses import replace

import pytest

from tests.unit.factories import SETTINGS, quickstart, workspace
from tests.unit.planning.preset.test_preset_pod import MULTI, container_of
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.planning.preset.installed_environment import (
    OF_CERTIFICATES,
    RESERVED,
    CertificateBundle,
    environment_problem,
)
from workspace_ctrl.planning.workload.model_server import ServerRecords
from workspace_ctrl.planning.workload.server_from_spec import model_server

BUNDLE = CertificateBundle("ca-bundle", "ca.crt")
BEHIND_A_PROXY = (
    ("HTTPS_PROXY", "http://proxy.example:3128"),
    ("NO_PROXY", "localhost,.svc"),
    ("HF_ENDPOINT", "https://hub.example"),
)
INSTALLED = replace(SETTINGS, model_server_env=BEHIND_A_PROXY, model_server_ca_bundle=BUNDLE)
FILE = "/etc/workspace-ctrl/certificates/ca.crt"


def pod_of(settings=INSTALLED, **changes):
    record = workspace(quickstart(**changes))
    spec = parse_workspace(record.meta.ref.name, record.fields())
    return model_server(record, spec, ServerRecords(), settings).workload["spec"]["template"]["spec"]


@pytest.mark.parametrize("changes", [pytest.param({}, id="one node"), pytest.param(MULTI, id="several nodes")])
def test_they_are_added_to_the_pods_of_presets_and_to_nothing_else_of_these(changes):
    before, after = pod_of(SETTINGS, **changes), pod_of(**changes)
    (old,), (new,) = before.pop("containers"), after.pop("containers")
    given = [{"name": name, "value": FILE} for name in OF_CERTIFICATES]
    given += [{"name": name, "value": value} for name, value in BEHIND_A_PROXY]
    assert new.pop("env") == [*old.pop("env"), *given]
    volume = {"name": "certificates", "configMap": {"name": "ca-bundle"}}
    mount = {"name": "certificates", "mountPath": "/etc/workspace-ctrl/certificates", "readOnly": True}
    assert new.pop("volumeMounts") == [*old.pop("volumeMounts"), mount]
    assert after.pop("volumes") == [*before.pop("volumes"), volume]
    assert (after, new) == (before, old)


def test_a_template_has_its_own():
    template = {
        "inference": {"template": {"spec": {"containers": [{"name": "mine", "image": "a", "ports": [{"containerPort": 80}]}]}}}
    }
    assert pod_of(**template) == pod_of(SETTINGS, **template)


@pytest.mark.parametrize("changes", [pytest.param({}, id="one node"), pytest.param(MULTI, id="several nodes")])
def test_what_the_pods_have_is_reserved(changes):
    assert {variable["name"] for variable in container_of(**changes)["env"]} <= set(RESERVED)
    assert {variable["name"] for variable in pod_of(**changes)["containers"][0]["env"]} <= {
        *RESERVED,
        *OF_CERTIFICATES,
        *dict(BEHIND_A_PROXY),
    }


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_is_refused_with_the_reason(name):
    assert environment_problem([("A", "1"), (name, "x")], has_bundle=False) == f"must not contain {name}, which {RESERVED[name]}"


@pytest.mark.parametrize("name", OF_CERTIFICATES)
def test_certificates_are_named_once(name):
    assert environment_problem([(name, "/mine")], has_bundle=False) == ""
    assert (
        environment_problem([(name, "/mine")], has_bundle=True) == f"must not contain {name}, which is set by modelServer.caBundle"
    )


def test_a_name_stands_once():
    assert environment_problem([("A", "1"), ("B", "1"), ("A", "2")], has_bundle=False) == "sets A twice; remove one of them"


@pytest.mark.parametrize("proxy", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("direct", "is_right"),
    [
        pytest.param({}, False, id="none"),
        pytest.param({"NO_PROXY": "localhost"}, False, id="only itself"),
        pytest.param({"NO_PROXY": ".svc"}, False, id="only others"),
        pytest.param({"NO_PROXY": "10.0.0.0/8, localhost, .svc"}, True, id="both"),
        pytest.param({"no_proxy": "localhost,.svc"}, True, id="in lower case"),
        pytest.param({"NO_PROXY": "localhost,.svc", "no_proxy": "localhost"}, False, id="of which the lower case counts"),
        pytest.param({"NO_PROXY": "*"}, True, id="all"),
    ],
)
def test_pods_reach_each_other_without_a_proxy(proxy, direct, is_right):
    problem = environment_problem([(proxy, "http://proxy"), *direct.items()], has_bundle=False)
    assert problem == (
        ""
        if is_right
        else f"has {proxy}, but no NO_PROXY with localhost,.svc, so the pods would reach themselves and each other by it; add it"
    )
    assert environment_problem([("HTTPS_PROXY", "http://proxy"), *direct.items()], has_bundle=False) == ""
