"""The API server and the models accept and refuse the same Workspaces."""

import asyncio
from typing import Any

import pytest
import yaml

from e2e import workspaces
from e2e.cluster import ClusterError
from tests.api import specs
from tests.integer_fields import whole_numbers
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import parse_workspace

NAME = "tried"
VERSIONS = ("v1beta1", "v1alpha1")

DIFFERENCES = {
    # The API server drops an entry of a map whose value is null before it stores the object, so no controller ever reads one.
    "resource.labelSelector.matchLabels.apps = 'None'",
    "inference.workloadRef.selector.app = 'None'",
    # To its schema 2.0 is a whole number; a CEL rule that comes across it ends in an error, and so does the request.
    "pods: inference.workloadRef.targetPort = '2.0'",
}
"""Ends of the names of those mutations that only one of the two accepts."""


READ_AS_INTEGERS = {
    "InferenceSet spec.autoscaling.maxReplicas",
    "InferenceSet spec.autoscaling.minReplicas",
    "InferenceSet spec.gateway.group.canary.steps",
    "InferenceSet spec.replicas",
    "InferenceSet spec.updateStrategy.rollingUpdate.maxUnavailable",
    "Workspace gateway.group.canary.steps",
}
"""Fields that CEL rules or the scale subresource read: the API server refuses 3.0 there, which kubectl writes as 3."""


@pytest.fixture
def server(installed, connection, plane_namespace):
    """Return how the API server answers dry-run creations: an empty text, or why it refuses."""
    # The API server gives a request a minute, also where thousands of others have its attention.
    at_once = asyncio.Semaphore(32)

    async def answer(document, name=NAME, version="v1beta1", kind="Workspace"):
        url = f"{connection.server}/apis/kaito.sh/{version}/namespaces/{plane_namespace}/{kind.lower()}s"
        body = {"apiVersion": f"kaito.sh/{version}", "kind": kind, "metadata": {"name": name}, **document}
        async with at_once, connection.session.post(url, params={"dryRun": "All"}, json=body) as response:
            found = await response.json()
            assert response.status in {201, 400, 422}, found
            return "" if response.ok else found["message"]

    async def query_results(documents):
        return await asyncio.gather(*(answer(document, version=VERSIONS[n % 2]) for n, document in enumerate(documents)))

    answer.all = query_results
    return answer


def models(document: dict[str, Any], name: str = NAME) -> str:
    """Return how the models answer: an empty text, or why they refuse."""
    try:
        parse_workspace(name, document)
    except SpecError as error:
        return str(error)
    return ""


async def test_what_is_picked_as_good_is_accepted_by_both(server):
    documents = list(specs.GOOD.values())
    told = dict(zip(specs.GOOD, await server.all(documents), strict=True))
    assert {name: text for name, text in told.items() if text} == {}
    assert [models(document) for document in documents] == [""] * len(documents)


async def test_what_is_picked_as_bad_is_refused_by_both(server):
    told = dict(zip(specs.AGAINST_SCHEMA, await server.all(specs.AGAINST_SCHEMA.values()), strict=True))
    assert [name for name, text in told.items() if not text] == []
    assert [name for name, document in specs.AGAINST_SCHEMA.items() if not models(document)] == []


async def test_rules_refuse_in_the_same_words(server):
    told = await server.all([document for document, _ in specs.AGAINST_RULES.values()])
    for (name, (document, words)), text in zip(specs.AGAINST_RULES.items(), told, strict=True):
        assert words in text, name
        assert models(document) == words, name


async def test_thousands_of_mutations_find_both_of_one_mind(server):
    tried = list(specs.mutations())
    told = await server.all([document for _, document in tried])
    apart = {
        name: f"server: {text or 'accepted'}; models: {models(document) or 'accepted'}"
        for (name, document), text in zip(tried, told, strict=True)
        if bool(text) is not bool(models(document))
    }
    assert {name: text for name, text in apart.items() if not name.endswith(tuple(DIFFERENCES))} == {}
    assert {end for end in DIFFERENCES if any(name.endswith(end) for name in apart)} == DIFFERENCES
    refused = sum(map(bool, told))
    print(f"{len(tried)} mutations, {refused} refused by both")
    assert min(refused, len(tried) - refused) > len(tried) / 5, "what is all refused, or all accepted, compares nothing"


async def test_whole_numbers_with_a_point_are_accepted_in_every_integer_field_that_nothing_reads_before(server):
    told = {}
    for name, kind, document in whole_numbers():
        told[name] = await server(document, kind=kind)
    assert {name for name, text in told.items() if text} == READ_AS_INTEGERS


def test_kubectl_applies_them_everywhere(installed, plane_namespace):
    documents = [
        {"apiVersion": "kaito.sh/v1beta1", "kind": kind, "metadata": {"name": f"{NAME}-{number}"}, **document}
        for number, (_, kind, document) in enumerate(whole_numbers())
    ]
    text = yaml.safe_dump_all(documents)
    assert ": 8.0\n" in text
    told = installed.kubectl("apply", "--dry-run=server", "--namespace", plane_namespace, "-f", "-", input=text)
    assert told.count("created (server dry run)") == len(documents)


@pytest.mark.parametrize("name", ["a", "a-1", "a" * 63, "", "1a", "A", "a.b", "a-", "-a", "a" * 64, "a\n", "ä"])
async def test_names_are_judged_alike(server, name):
    document = specs.VALID["claim"]
    assert bool(await server(document, name)) is bool(models(document, name))


def _changes(path: str) -> str:
    return f"{path} cannot be changed; create a new Workspace"


TASK = "a Workspace cannot change between inference and tuning; create a new Workspace"
SOURCE = "inference cannot change between preset, template and workloadRef; create a new Workspace"
UPDATES = [
    pytest.param("claim", {"resource": {"instanceType": "x"}}, _changes("resource.instanceType"), id="instance type appears"),
    pytest.param("preset", {"resource": {"instanceType": "x"}}, _changes("resource.instanceType"), id="instance type"),
    pytest.param("preset", {"resource": {"instanceType": None}}, _changes("resource.instanceType"), id="instance type goes"),
    pytest.param("preset", {"resource": {"count": 3}}, _changes("resource.count"), id="count"),
    pytest.param(
        "preset", {"resource": {"labelSelector": {"matchLabels": {"a": "b"}}}}, _changes("resource.labelSelector"), id="labels"
    ),
    pytest.param("claim", {"inference": {"preset": {"name": "phi-2"}}}, _changes("inference.preset.name"), id="preset"),
    pytest.param("claim", {"inference": None, "tuning": {}}, TASK, id="inference to tuning"),
    pytest.param("tuning", {"tuning": None, "inference": {"preset": {"name": "phi-4"}}}, TASK, id="tuning to inference"),
    pytest.param("template", {"inference": {"template": None, "preset": {"name": "phi-4"}}}, SOURCE, id="template to preset"),
    pytest.param(
        "reference", {"inference": {"workloadRef": None, "template": {}}, "resource": specs.RESOURCE}, SOURCE, id="reference"
    ),
    pytest.param("claim", {"inference": {"config": "c", "adapters": [{"source": {"name": "a"}}]}}, "", id="config may change"),
    pytest.param("preset", {"resource": {"preferredNodes": ["n3"]}}, "", id="preferred nodes may change"),
    pytest.param("preset", {"gateway": {"enabled": False}}, "", id="gateway may change"),
    pytest.param("template", {"inference": {"template": {"spec": {"containers": [{"name": "b"}]}}}}, "", id="template may change"),
    pytest.param("pods", {"inference": {"workloadRef": {"targetPort": 9090}}}, "", id="port may change"),
]


@pytest.mark.parametrize(("name", "patch", "words"), UPDATES)
async def test_what_cannot_change_is_refused_in_an_update(installed, connection, plane_namespace, name, patch, words):
    document = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": name}, **specs.VALID[name]}
    workspaces.apply(installed, plane_namespace, document)
    url = f"{connection.server}/apis/kaito.sh/v1beta1/namespaces/{plane_namespace}/workspaces/{name}"
    headers = {"Content-Type": "application/merge-patch+json"}
    async with connection.session.patch(url, json=patch, headers=headers) as response:
        found = await response.json()
    assert response.status == (422 if words else 200), found
    assert words in found.get("message", "")


async def test_kubectl_shows_the_rule_s_words(installed, plane_namespace):
    document, words = specs.AGAINST_RULES["kind-alone"]
    with pytest.raises(ClusterError, match=words):
        workspaces.apply(installed, plane_namespace, workspaces.workspace(NAME, **{"resource": None, **document}))
