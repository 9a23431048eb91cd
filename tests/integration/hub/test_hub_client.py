"""Figures of a model from the files of its repository; and hubs that do not answer, refuse, or mean harm."""

import asyncio
import gzip
import json

import pytest
from aiohttp import web

from tests.integration.http_server import listening
from tests.integration.hub_server import LOOPBACK, Hub, index
from tests.model_hub import CONFIG, SIZE
from workspace_ctrl.catalog.hub_model import hub_model
from workspace_ctrl.catalog.model_config import read_config
from workspace_ctrl.hub import hub_client
from workspace_ctrl.hub.hub_client import HubClient, look_up_all
from workspace_ctrl.model.hub_answers import HubAnswer
from workspace_ctrl.settings.process import HubSettings

MODEL = "some-lab/Model"
SIZE_REMEDY = "set inference.preset.size (at least weights)"


def expected(weights=SIZE, origin="index", name=MODEL):
    return HubAnswer(hub_model(name, read_config(json.dumps(CONFIG).encode()), weights, origin))


def replying(**answer):
    async def reply(_request):
        return web.Response(**answer)

    return reply


async def test_two_files_without_a_token_give_the_figures(hub, client):
    hub.add(MODEL)
    assert await client.look_up(MODEL) == expected()
    assert [(method, path.rpartition("/")[2]) for method, path, _ in hub.requests] == [
        ("GET", "config.json"),
        ("GET", "model.safetensors.index.json"),
    ]
    assert not [headers for _, _, headers in hub.requests if {"Authorization", "Cookie"} & set(headers)]


async def test_of_an_index_of_megabytes_the_beginning_is_read(hub, client):
    hub.add(MODEL)
    document = {**index(), "weight_map": {f"model.layers.{n}.weight": "model-00001-of-00163.safetensors" for n in range(100_000)}}
    hub.put(MODEL, "model.safetensors.index.json", json.dumps(document))
    assert await client.look_up(MODEL) == expected()
    assert hub.requests[-1][2]["Range"] == "bytes=0-65535"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"headers": {"Content-Length": str(SIZE)}}, id="served by the hub"),
        pytest.param(
            {"status": 302, "headers": {"Location": "https://cdn.example/x", "X-Linked-Size": str(SIZE)}}, id="kept on another host"
        ),
    ],
)
async def test_without_an_index_the_headers_of_the_only_file_have_its_size(hub, client, answer):
    hub.put(MODEL, "config.json", json.dumps(CONFIG))
    hub.put(MODEL, "model.safetensors", replying(**answer))
    assert await client.look_up(MODEL) == expected(origin="model.safetensors")
    assert hub.requests[-1][0] == "HEAD"


async def test_a_renamed_repository_and_the_hub_s_cache_are_followed(hub, client):
    hub.put(MODEL, "config.json", replying(status=307, headers={"Location": "/new-lab/Model/resolve/main/config.json"}))
    hub.put(MODEL, "model.safetensors.index.json", json.dumps(index()))
    hub.put("new-lab/Model", "config.json", replying(status=307, headers={"Location": "/api/resolve-cache/x/config.json"}))
    hub.files["/api/resolve-cache/x/config.json"] = json.dumps(CONFIG)
    assert await client.look_up(MODEL) == expected()


async def test_a_mirror_has_a_path_of_its_own(hub):
    hub.files[f"/api/huggingface/{MODEL}/resolve/main/config.json"] = json.dumps(CONFIG)
    hub.files[f"/api/huggingface/{MODEL}/resolve/main/model.safetensors.index.json"] = json.dumps(index())
    settings = HubSettings(f"{hub.url}/api/huggingface", LOOPBACK)
    assert await look_up_all(settings, [MODEL, MODEL]) == {MODEL: expected()}


ELSEWHERE = "is on another host, to which the controller does not connect"


async def test_another_host_is_not_followed(hub, client):
    async with Hub().served() as other:
        other.files["/x"] = json.dumps(CONFIG)
        hub.put(MODEL, "config.json", replying(status=302, headers={"Location": f"{other.url}/x"}))
        answer = await client.look_up(MODEL)
    assert answer == HubAnswer(
        reason="ModelNotReadable", message=f"config.json of {MODEL} at {hub.url} {ELSEWHERE}; {SIZE_REMEDY}", terminal=True
    )
    assert other.requests == []


@pytest.mark.parametrize("location", ["", "/{model}/resolve/main/config.json", "//cdn.example/x", "http://user@127.0.0.1:{port}/x"])
async def test_redirects_end(hub, client, location):
    hub.put(MODEL, "config.json", replying(status=302, headers={"Location": location.format(model=MODEL, port=hub.port)}))
    assert (await client.look_up(MODEL)).message == f"config.json of {MODEL} at {hub.url} {ELSEWHERE}; {SIZE_REMEDY}"
    assert len(hub.requests) <= 3


async def test_an_index_on_another_host_is_said(hub, client):
    hub.add(MODEL)
    hub.put(MODEL, "model.safetensors.index.json", replying(status=302, headers={"Location": "https://cdn.example/x"}))
    assert (
        await client.look_up(MODEL)
    ).message == f"model.safetensors.index.json of {MODEL} at {hub.url} {ELSEWHERE}; {SIZE_REMEDY}"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_gated_model_names_both_ways_out(hub, client, status):
    hub.put(MODEL, "config.json", replying(status=status))
    assert await client.look_up(MODEL) == HubAnswer(
        reason="ModelNotPublic",
        message=f"{MODEL} is gated or private at {hub.url}, or does not exist (status {status}); {SIZE_REMEDY}, and "
        "presetOptions.modelAccessSecret for its download",
        terminal=True,
    )


@pytest.mark.parametrize(
    ("model", "remedy"),
    [(MODEL, SIZE_REMEDY), ("microsoft/Phi-4-mini-instruc", "did you mean microsoft/Phi-4-mini-instruct?")],
)
async def test_a_model_that_does_not_exist_may_be_misspelt(hub, client, model, remedy):
    assert await client.look_up(model) == HubAnswer(
        reason="ModelNotFound", message=f"{hub.url} has no config.json of {model}; {remedy}", terminal=True
    )


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_overloaded_hub_is_asked_again(hub, client, status):
    hub.add(MODEL)
    hub.put(MODEL, "model.safetensors.index.json", replying(status=status))
    assert await client.look_up(MODEL) == HubAnswer(
        reason="ModelHubUnavailable",
        message=f"{hub.url} answers with status {status} for {MODEL}; retrying; or {SIZE_REMEDY}",
    )


async def test_a_model_without_safetensors_says_so(hub, client):
    hub.put(MODEL, "config.json", json.dumps(CONFIG))
    assert (await client.look_up(MODEL)).message == (
        f"model.safetensors of {MODEL} at {hub.url} does not exist, and neither does an index of several such files; {SIZE_REMEDY}"
    )


@pytest.mark.parametrize(
    ("file", "answer", "words"),
    [
        pytest.param("config.json", {"text": "<html>"}, "is not JSON", id="a page"),
        pytest.param("config.json", {"text": "x" * (600 << 10)}, "has more than 256 KiB", id="600 KiB"),
        pytest.param("config.json", {"text": '{"a":' * 40_000}, "is nested too deeply", id="deep"),
        pytest.param(
            "config.json",
            {"text": json.dumps({**CONFIG, "num_hidden_layers": -32})},
            "has num_hidden_layers: -32, not a number from 1 to 10000",
            id="negative",
        ),
        pytest.param("model.safetensors.index.json", {"text": "NaN"}, "does not begin with metadata", id="NaN"),
        pytest.param(
            "model.safetensors.index.json",
            {"text": '{"metadata": {"total_size": NaN}}'},
            "has no valid metadata.total_size",
            id="size",
        ),
    ],
)
async def test_a_file_that_is_none_is_said_and_needs_a_size(hub, client, file, answer, words):
    hub.add(MODEL)
    hub.put(MODEL, file, replying(**answer))
    assert await client.look_up(MODEL) == HubAnswer(
        reason="ModelNotReadable", message=f"{file} of {MODEL} at {hub.url} {words}; {SIZE_REMEDY}", terminal=True
    )


@pytest.mark.parametrize("length", ["0", "-1", "9" * 30, "x"])
async def test_a_size_in_a_header_is_a_number(hub, client, length):
    hub.put(MODEL, "config.json", json.dumps(CONFIG))
    hub.put(
        MODEL, "model.safetensors", replying(status=302, headers={"Location": "https://cdn.example/x", "X-Linked-Size": length})
    )
    assert (
        await client.look_up(MODEL)
    ).message == f"model.safetensors of {MODEL} at {hub.url} tells 0 bytes of weights; {SIZE_REMEDY}"


async def test_what_is_compressed_is_not_unpacked(hub, client):
    hub.put(MODEL, "config.json", replying(body=gzip.compress(b"[" * 20_000_000), headers={"Content-Encoding": "gzip"}))
    answer = await client.look_up(MODEL)
    assert answer.message == (
        f"{hub.url} does not answer: the response is compressed, although that was not asked for; retrying; or {SIZE_REMEDY}"
    )


async def test_a_body_that_never_ends_is_cut_off(hub, client):
    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)

    hub.put(MODEL, "config.json", endless)
    assert (await client.look_up(MODEL)).message == f"config.json of {MODEL} at {hub.url} has more than 256 KiB; {SIZE_REMEDY}"


async def test_a_body_that_drips_is_given_up(hub, client, monkeypatch):
    async def dripping(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    monkeypatch.setattr(hub_client, "_SECONDS", 0.3)
    hub.put(MODEL, "config.json", dripping)
    answer = await client.look_up(MODEL)
    assert (answer.reason, answer.terminal) == ("ModelHubUnavailable", False)
    assert answer.message == f"{hub.url} does not answer: no answer within 0 s; retrying; or {SIZE_REMEDY}"


async def test_headers_are_bounded(hub, client):
    hub.put(MODEL, "config.json", replying(headers={f"X-{n}": "x" * 4000 for n in range(20)}))
    assert (await client.look_up(MODEL)).reason == "ModelHubUnavailable"


async def test_a_hub_that_is_gone_is_said(hub):
    async with listening(replying()) as port:
        pass
    url = f"http://127.0.0.1:{port}"
    client = HubClient(HubSettings(url, LOOPBACK))
    answer = await client.look_up(MODEL)
    await client.close()
    assert answer == HubAnswer(
        reason="ModelHubUnavailable",
        message=f"{url} does not answer: Connect call failed ('127.0.0.1', {port}); retrying; or {SIZE_REMEDY}",
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_special_addresses_are_not_connected_to_unless_the_settings_allow_them(hub, host):
    client = HubClient(HubSettings(f"http://{host}:{hub.port}"))
    answer = await client.look_up(MODEL)
    await client.close()
    assert "it has a loopback address, which modelHub.networks in the settings does not allow" in answer.message
    assert hub.requests == []


async def test_the_api_server_is_not_connected_to(hub):
    client = HubClient(hub.settings, hub.url)
    answer = await client.look_up(MODEL)
    await client.close()
    assert "it has the address of the API server" in answer.message
    assert hub.requests == []


@pytest.fixture
def variables(monkeypatch):
    """Set variables of the environment about proxies, and no others."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch.setenv


async def asked_at(url, networks=LOOPBACK):
    client = HubClient(HubSettings(url, networks))
    try:
        return await client.look_up(MODEL)
    finally:
        await client.close()


async def test_a_proxy_of_the_environment_is_the_way_to_the_hub(hub, variables):
    hub.add(MODEL)
    variables("HTTP_PROXY", hub.url)
    assert (await asked_at("http://hub.example")).found is not None
    assert {headers["Host"] for _, _, headers in hub.requests} == {"hub.example"}


async def test_the_address_of_a_proxy_is_checked_as_that_of_a_hub(hub, variables):
    variables("HTTP_PROXY", hub.url)
    answer = await asked_at("http://hub.example", ())
    assert "it has a loopback address, which modelHub.networks in the settings does not allow" in answer.message
    assert hub.requests == []


async def test_a_proxy_of_another_kind_is_said_without_its_password(variables):
    variables("HTTPS_PROXY", "socks5://me:secret@proxy:1080")
    answer = await asked_at("https://hub.example")
    assert answer.reason == "ModelHubUnavailable"
    assert "HTTPS_PROXY is no URL of an HTTP proxy, such as http://proxy.example:3128" in answer.message
    assert "secret" not in answer.message
