"""`workspace-ctrl chat`, `logs` and `events` against a server that has what they read."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
import yaml
from aiohttp import web
from click.testing import CliRunner

from e2e.waiting import WAIT_SECONDS
from tests.integration.http_server import not_served
from workspace_ctrl.cli.inspect.model_requests import Route, proxied
from workspace_ctrl.cli.inspect.objects_of_workspace import Belonging, events_of
from workspace_ctrl.cli.main import main

WORKSPACES = "/apis/kaito.sh/v1beta1/namespaces/ns/workspaces"
PROXY = "/api/v1/namespaces/gw/services/gateway:80/proxy/ns/phi"
NOBODY = "http://127.0.0.1:1/ns/phi"


class Cluster:
    """An API server with one Workspace, and the model behind it."""

    def __init__(self):
        self.status = {}
        self.asked = []
        """The bodies and headers of the questions."""
        self.answer = self.streamed
        self.log = b"first\nsecond \x1b[2J\nlast"

    async def workspaces(self, request):
        if request.query.get("fieldSelector", "metadata.name=phi") != "metadata.name=phi":
            return web.json_response({"metadata": {}, "items": []})
        metadata = {"namespace": "ns", "name": "phi", "generation": 1}
        return web.json_response({"metadata": {}, "items": [{"metadata": metadata, "status": self.status}]})

    async def pods(self, request):
        self.selector = request.query["labelSelector"]
        pods = [{"metadata": {"namespace": "ns", "name": "phi-0"}, "spec": {"containers": [{"name": "vllm"}, {"name": "proxy"}]}}]
        return web.json_response({"metadata": {}, "items": [] if "picker" in self.selector else pods})

    async def logs(self, request):
        if request.query["container"] == "proxy":
            return web.json_response({"kind": "Status", "message": "container proxy is waiting to start"}, status=400)
        self.asked.append(dict(request.query))
        return web.Response(body=self.log)

    async def models(self, _request):
        return web.json_response({"data": []})

    async def chat(self, request):
        self.asked.append((await request.json(), dict(request.headers)))
        return await self.answer(request)

    async def streamed(self, request):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "x-inference-pod": "phi-0"})
        await response.prepare(request)
        for text in ("Hel", "lo\x1b[2J"):
            delta = {"choices": [{"delta": {"content": text}}]}
            await response.write(f"data: {json.dumps(delta)}\n\n".encode())
        await response.write(b'data: {"choices": [], "usage": {}}\n\ndata: [DONE]\n\n')
        return response

    async def refused(self, _request):
        return web.Response(status=503, text="no healthy upstream")

    async def whole(self, _request):
        return web.json_response({"choices": [{"message": {"content": "All at once."}}]})

    async def deep(self, _request):
        return web.Response(body=b"data: " + b"[" * 100_000 + b"\n", content_type="text/event-stream")

    async def nonsense(self, _request):
        return web.Response(body=b"data: {\n", content_type="text/event-stream")


@asynccontextmanager
async def serving(folder):
    cluster = Cluster()
    application = web.Application()
    application.router.add_get(WORKSPACES, cluster.workspaces)
    application.router.add_get("/api/v1/namespaces/ns/pods", cluster.pods)
    application.router.add_get("/api/v1/namespaces/ns/pods/phi-0/log", cluster.logs)
    for path in (PROXY, "/ns/phi"):
        application.router.add_get(f"{path}/v1/models", cluster.models)
        application.router.add_post(f"{path}/v1/chat/completions", cluster.chat)
    application.router.add_route("*", "/{path:.*}", not_served)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cluster.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    document = {
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": cluster.url}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": "ns"}}],
        "users": [{"name": "it", "user": {"token": "secret"}}],
    }
    (folder / "config").write_text(yaml.safe_dump(document))
    try:
        yield cluster
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def cluster(tmp_path):
    async with serving(tmp_path) as running:
        yield running


@pytest.fixture
def run(cluster, tmp_path):
    async def ask(*arguments, **more):
        environment = {"KUBECONFIG": str(tmp_path / "config"), "HTTP_PROXY": "http://proxy.invalid:1"}  # not for loopback addresses
        return await asyncio.wait_for(asyncio.to_thread(CliRunner().invoke, main, arguments, env=environment, **more), WAIT_SECONDS)

    return ask


def served_at(url, **fields):
    return {"observedGeneration": 1, "gateway": {"url": url, "modelNames": ["phi-4"], **fields}}


async def test_a_question_is_answered_as_it_comes_with_pod_and_time(cluster, run):
    cluster.status = served_at(f"{cluster.url}/ns/phi")
    result = await run("chat", "phi", "Say", "hello")
    assert (result.exit_code, result.stdout) == (0, "Hello\N{REPLACEMENT CHARACTER}[2J\n")
    assert "pod phi-0; first words after 0." in result.stderr
    (body, headers) = cluster.asked[0]
    assert body == {"model": "phi-4", "messages": [{"role": "user", "content": "Say hello"}], "stream": True}
    assert "Authorization" not in headers


async def test_where_the_gateway_is_not_reached_the_api_server_is_the_way(cluster, run):
    cluster.status = served_at(NOBODY, internalUrl="http://gateway.gw.svc/ns/phi")
    result = await run("chat", "workspace/phi", "hello", "--model", "adapter")
    assert (result.exit_code, "through the API server" in result.stderr) == (0, True)
    (body, headers) = cluster.asked[0]
    assert (body["model"], headers["Authorization"]) == ("adapter", "Bearer secret")


async def test_lines_of_standard_input_are_a_conversation(cluster, run):
    cluster.status = served_at(f"{cluster.url}/ns/phi")
    cluster.answer = cluster.whole
    result = await run("chat", "phi", input="one\n\ntwo\n")
    assert result.stdout == "All at once.\nAll at once.\n"
    assert [message["content"] for message in cluster.asked[1][0]["messages"]] == ["one", "All at once.", "two"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("refused", "answers 503: no healthy upstream"),
        ("nonsense", "the answer is not JSON"),
        ("deep", "the answer is not JSON"),
    ],
)
async def test_no_answer_is_a_sentence(cluster, run, answer, words):
    cluster.status = served_at(f"{cluster.url}/ns/phi")
    cluster.answer = getattr(cluster, answer)
    result = await run("chat", "phi", "hello")
    assert (result.exit_code, words in result.stderr) == (1, True)
    assert "see why: workspace-ctrl explain phi -n ns" in result.stderr


async def test_a_model_that_cannot_be_reached_is_a_sentence(cluster, run):
    cluster.status = served_at(NOBODY)
    result = await run("chat", "phi", "hello")
    assert (result.exit_code, "cannot be reached from here" in result.stderr) == (1, True)
    cluster.status = {}
    result = await run("chat", "phi", "hello")
    assert (result.exit_code, "has no URL; see why: workspace-ctrl explain phi -n ns" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://gateway.gw.svc/ns/phi", "gateway:80/proxy/ns/phi"),
        ("http://gateway.gw.svc.cluster.local:8080/x", "gateway:8080/proxy/x"),
        ("https://gateway.gw.svc/x", "https:gateway:443/proxy/x"),
    ],
)
def test_the_way_through_the_api_server(url, path):
    assert proxied(url, "https://api") == Route(f"https://api/api/v1/namespaces/gw/services/{path}", by_api_server=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.gw.svc/../../../../../secrets/x",
        "http://gateway.gw.svc//x",
        "http://gateway.gw.svc/%2e%2e/x",
        "http://gateway%2f..%2f.gw.svc/x",
        "http://..gw.svc/x",
        "http://gateway.gw.svc:port/x",
        "http://[gateway.gw.svc/x",
    ],
)
def test_a_url_of_a_status_leads_to_no_other_path_of_the_api_server(url):
    assert proxied(url, "https://api") is None


@pytest.mark.parametrize("url", ["", "http://example.com/x", "http://192.0.2.1/x"])
def test_a_url_outside_the_cluster_has_none(url):
    assert proxied(url, "https://api") is None


async def test_logs_have_pod_and_container_and_no_control_characters(cluster, run):
    result = await run("logs", "phi", "--tail", "5", "--since", "2m")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["[phi-0/vllm] first", "[phi-0/vllm] second \\x1b[2J", "[phi-0/vllm] last"]
    assert result.stderr == "phi-0/proxy: container proxy is waiting to start\n"
    assert (cluster.asked[0]["tailLines"], cluster.asked[0]["sinceSeconds"], cluster.selector) == (
        "5",
        "120",
        "kaito.sh/workspace=phi",
    )
    assert (await run("logs", "phi", "-c", "vllm")).stdout.splitlines()[0] == "first"


async def test_what_has_no_log_is_a_sentence(cluster, run):
    assert (await run("logs", "phi", "-c", "proxy")).exit_code == 1
    assert "has no container x, but proxy, vllm" in (await run("logs", "phi", "-c", "x")).stderr
    assert "the endpoint picker has no pod" in (await run("logs", "phi", "--endpoint-picker")).stderr
    assert "there is no Workspace ns/psi; did you mean phi?" in (await run("logs", "psi")).stderr


MINE = """Workspace/phi HelmRelease/phi-inferencepool Deployment/phi-inferencepool-epp ReplicaSet/phi-6bd8c59f7 Pod/phi-6bd8c59f7-x2x4z
Pod/phi-0 Pod/phi-inferencepool-epp-7d9c5b6f8-abcde Secret/sh.helm.release.v1.phi-inferencepool.v1 Service/phi-headless"""
OTHERS = """Workspace/phi-4 Deployment/phi-4 Pod/phi-4-6bd8c59f7-x2x4z HelmRelease/phi-4-inferencepool Workspace/psi Pod/phi-mini-0
Pod/xphi ReplicaSet/phi-4-mini-6bd8c59f7 Workspace/phi-headless Deployment/phi-6bd8c59f7"""


def event(subject, time):
    kind, name = subject.split("/")
    return {"metadata": {"name": subject}, "involvedObject": {"kind": kind, "name": name}, "lastTimestamp": time}


def test_events_are_those_of_the_workspace_and_no_other():
    item = {"metadata": {"namespace": "ns", "name": "phi"}}
    mine, others = MINE.split(), OTHERS.split()
    events = [event(subject, f"2026-11-27T18:00:{number:02}Z") for number, subject in enumerate([*others, *mine])]
    assert [each["metadata"]["name"] for each in events_of(reversed(events), Belonging.to(item))] == mine


def test_the_names_in_the_status_go_before_derived_ones():
    item = {"metadata": {"name": "phi"}, "status": {"gateway": {"pool": "other-pool", "endpointPicker": "picker"}}}
    assert Belonging.to(item) == Belonging("phi", "other-pool", "picker")
