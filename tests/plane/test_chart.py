"""What we send to the real chart, rendered by the real Helm: selector, port, names and labels are those that we count on."""

import pyhelm3
import pytest

from e2e.cluster.builder import output_of
from e2e.cluster.catalog import FLUX
from tests.unit.factories import SETTINGS, derived, workspace
from workspace_ctrl.catalog.charts import find_layout
from workspace_ctrl.planning.chart_values import PoolValues
from workspace_ctrl.planning.flux import helm_release, pool_selector

VERSION = SETTINGS.chart.version


@pytest.fixture(scope="session")
async def chart(plane, tmp_path_factory):
    """The chart of the registry, as pyhelm3 sees it."""
    folder = tmp_path_factory.mktemp("chart")
    pull = ["helm", "pull", plane.chart_source_url(), "--version", VERSION, "--plain-http", "--destination", str(folder)]
    result = plane.run(pull)
    assert result.returncode == 0, result.stderr
    client = pyhelm3.Client(executable=str(output_of(FLUX).binary("helm")))
    return client, await client.get_chart(folder / f"inferencepool-{VERSION}.tgz")


@pytest.fixture(scope="session")
async def objects(chart):
    """Kind → the one rendered object of that kind."""
    client, loaded = chart
    pool = PoolValues(pool_selector(derived().workspace, "StatefulSet"), port=5000, provider="istio")
    values = helm_release(workspace().meta, derived(), pool, chart=SETTINGS.chart, gateway=None, settings=SETTINGS)["spec"][
        "values"
    ]
    rendered = await client.template_resources(loaded, derived().release, values, namespace="default")
    return {entry["kind"]: entry for entry in rendered if entry}


async def test_every_place_of_the_layout_is_in_the_chart(chart):
    _, loaded = chart
    assert _missing(await loaded.values(), find_layout("inferencepool", VERSION).values.values()) == []


def _missing(defaults, paths):
    # Absent from the chart's own values on purpose: the selector, which must be given, and what the library chart documents only.
    known_absent = {"inferencePool.modelServers.matchLabels"}
    absent = []
    for path in paths:
        tree = defaults
        for part in path.split("."):
            tree = tree.get(part, {}) if isinstance(tree, dict) else {}
        if tree in ({}, None) and path not in known_absent:
            absent.append(path)
    return absent


async def test_the_pool_selects_our_pods_at_our_port(objects):
    pool = objects["InferencePool"]
    assert pool["metadata"]["name"] == derived().release
    assert pool["spec"]["selector"]["matchLabels"] == {
        "kaito.sh/workspace": "workspace-phi-4-mini",
        "apps.kubernetes.io/pod-index": "0",
    }
    assert pool["spec"]["targetPorts"] == [{"number": 5000}]
    assert pool["spec"]["endpointPickerRef"]["failureMode"] == "FailOpen"


async def test_the_endpoint_picker_has_the_name_and_the_resources_that_we_count_on(objects):
    deployment = objects["Deployment"]
    assert deployment["metadata"]["name"] == derived().endpoint_picker == objects["Service"]["metadata"]["name"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == SETTINGS.picker.resources
    assert container["imagePullPolicy"] == "IfNotPresent"


async def test_istio_gets_its_destination_rule(objects):
    assert objects["DestinationRule"]["metadata"]["name"] == derived().endpoint_picker
