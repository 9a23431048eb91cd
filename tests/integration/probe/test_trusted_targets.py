"""What tenants' Gateways cannot get from probes: the token, connections to special addresses, or the responses of other servers."""

import socket
from ipaddress import ip_network

import pytest

from tests.integration.probe.gateways import ANSWERED, FAILED, LOOPBACK, NOT_POSSIBLE, TOKEN, Server, reading
from workspace_ctrl.connections.special_addresses import AddressNotAllowedError
from workspace_ctrl.planning.plan_settings import GatewayChoice, PlanSettings
from workspace_ctrl.probe.probe_client import ProbeClient
from workspace_ctrl.probe.trusted_targets import ProbeTrust, trust_of
from workspace_ctrl.settings.process import ProbeMode, ProbeSettings, Settings

LISTED = ProbeTrust(token_gateways=frozenset({"gateways/public"}), networks=LOOPBACK)


async def sent(server, trust, pem="", **target):
    """Probe `server` with a token; return the result and the Authorization headers that it got."""
    asking = ProbeClient(ProbeMode.MODELS, reading(token=TOKEN, ca=pem), trust)
    result = await asking.ask(server.target(**target))
    await asking.close()
    return result, [headers.get("Authorization") for _, _, headers, _ in server.requests]


@pytest.mark.parametrize(
    ("scheme", "gateway", "header"),
    [
        pytest.param("https", "gateways/public", f"Bearer {TOKEN}", id="listed, by HTTPS"),
        pytest.param("https", "team-a/public", None, id="another Gateway"),
        pytest.param("http", "gateways/public", None, id="listed, by HTTP"),
        pytest.param("http", "team-a/public", None, id="another Gateway by HTTP"),
    ],
)
async def test_the_token_goes_by_https_to_listed_gateways_only(certificate, scheme, gateway, header):
    context, pem = certificate
    async with Server().served(context if scheme == "https" else None) as server:
        result, headers = await sent(server, LISTED, pem, scheme=scheme, gateway=gateway, hostname="m.example.com")
    assert (result.outcome, headers) == (ANSWERED, [header])


@pytest.mark.parametrize("status", [401, 403])
async def test_who_is_not_let_in_without_the_token_is_told_why_it_was_not_sent(status):
    async with Server().served() as server:
        server.status = status
        result, _ = await sent(server, LISTED, gateway="team-a/public")
    assert result.outcome is NOT_POSSIBLE
    assert result.message.endswith(
        "token and client certificate were not sent: they are sent by HTTPS only, and only to Gateways in probe.tokenGateways of "
        "the settings"
    )


async def test_a_redirect_gets_no_token(certificate):
    context, pem = certificate
    async with Server().served(context) as elsewhere, Server().served(context) as server:
        server.status, server.location = 302, f"https://m.example.com:{elsewhere.port}/"
        result, headers = await sent(server, LISTED, pem, scheme="https", gateway="gateways/public", hostname="m.example.com")
    assert (result.outcome, result.code, headers) == (NOT_POSSIBLE, 302, [f"Bearer {TOKEN}"])
    assert elsewhere.requests == []


OUT = [
    "/../../admin/keys",
    "/./.././../admin/keys",
    "//../../../admin/keys",
    "/%2e%2e/%2e%2e/admin/keys",
    "/a%2f..%2f..",
    "/..;/admin",
]


@pytest.mark.parametrize("fields", [{"get": path} for path in OUT] + [{"path": f"/ns/phi{path}"} for path in OUT], ids=str)
async def test_no_path_leads_out_of_that_of_the_model_whoever_has_stored_it(certificate, fields):
    context, pem = certificate
    trust = ProbeTrust(frozenset({"gateways/public"}), frozenset({"gateways/public"}), networks=LOOPBACK)
    async with Server().served(context) as server:
        result, _ = await sent(
            server, trust, pem, scheme="https", gateway="gateways/public", hostname="m.example.com", codes=(599,), **fields
        )
    assert (result.outcome, result.code, server.requests) == (NOT_POSSIBLE, None, [])
    assert result.message.startswith("no request is sent to https://m.example.com")


@pytest.mark.parametrize("address", ["127.0.0.1/admin", "127.0.0.1/admin?", "127.0.0.1/admin#", "user@127.0.0.1"])
async def test_an_address_of_a_gateway_adds_no_path(address):
    async with Server().served() as server:
        result, _ = await sent(server, LISTED, addresses=(address,))
    assert (result.outcome, server.requests) == (FAILED, [])


@pytest.mark.parametrize(
    ("default", "listed", "expected"),
    [
        pytest.param(None, None, set(), id="by default nobody"),
        pytest.param(GatewayChoice("gateways", "public", "https"), None, {"gateways/public"}, id="by default the default Gateway"),
        pytest.param(GatewayChoice("gateways", "public"), frozenset({"a/b"}), {"a/b"}, id="the listed ones instead"),
        pytest.param(GatewayChoice("gateways", "public"), frozenset(), set(), id="an empty list"),
    ],
)
def test_which_gateways_get_the_token(default, listed, expected):
    settings = Settings(plan=PlanSettings(gateway=default), probe=ProbeSettings(token_gateways=listed))
    assert trust_of(settings, "https://10.96.0.1:443").token_gateways == expected


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("2002:a9fe:a9fe::1", "link-local"),
        ("127.0.0.1", "loopback"),
        ("127.8.8.8", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("100.100.100.200", "metadata service"),
        ("168.63.129.16", "metadata service"),
        ("fd00:ec2::254", "metadata service"),
    ],
)
def test_special_addresses_are_not_connected_to(address, kind):
    with pytest.raises(AddressNotAllowedError, match=f"{kind} addresses are not probed, unless probe.networks"):
        ProbeTrust().check(address, 80)


@pytest.mark.parametrize("address", ["10.96.3.4", "192.168.1.1", "203.0.113.9", "fd00::1", "2001:db8::1", "64:ff9b::cb00:7109"])
def test_addresses_that_gateways_have_are_connected_to(address):
    ProbeTrust().check(address, 80)


def test_the_settings_allow_networks_and_nothing_else():
    trust = ProbeTrust(networks=(ip_network("169.254.20.0/24"),))
    trust.check("169.254.20.1", 80)
    with pytest.raises(AddressNotAllowedError):
        trust.check("169.254.169.254", 80)


@pytest.mark.parametrize("server", ["https://10.96.0.1", "https://10.96.0.1:443/", "https://10.96.0.1:443"])
def test_the_api_server_is_not_probed(server):
    trust = trust_of(Settings(), server)
    with pytest.raises(AddressNotAllowedError, match="the API server"):
        trust.check("10.96.0.1", 443)
    trust.check("10.96.0.1", 80)


@pytest.fixture
def renamed(monkeypatch):
    """A name server that answers with another address at each look-up."""
    answers = []

    def look_up(host, port, *_arguments, **_names):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return answers


@pytest.mark.parametrize("address", ["127.0.0.1", "gateway.example"])
async def test_a_gateway_at_a_special_address_is_not_connected_to_whatever_its_name(renamed, address):
    renamed += ["127.0.0.1"]
    asking = ProbeClient(ProbeMode.MODELS)
    async with Server().served() as server:
        result = await asking.ask(server.target(addresses=(address,)))
    await asking.close()
    assert (result.outcome, result.code, server.requests) == (NOT_POSSIBLE, None, [])
    allowed_only = "loopback addresses are not probed, unless probe.networks in the settings allows them"
    assert result.message.endswith(f"cannot connect to {address}:{server.port} ({allowed_only})")


@pytest.mark.parametrize(
    ("trust", "quoted"),
    [
        pytest.param(ProbeTrust(networks=LOOPBACK), "", id="not listed"),
        pytest.param(ProbeTrust(networks=LOOPBACK, quoted_gateways=frozenset({"ns/g"})), ": the secret", id="listed"),
        pytest.param(
            ProbeTrust(networks=LOOPBACK, quoted_namespaces=frozenset({"ns"})), ": the secret", id="in a listed namespace"
        ),
    ],
)
async def test_responses_are_quoted_for_listed_gateways_only(trust, quoted):
    asking = ProbeClient(ProbeMode.MODELS, trust=trust)
    async with Server().served() as server:
        server.status, server.body = 500, "the secret"
        result = await asking.ask(server.target())
    await asking.close()
    assert result.message.endswith(f"/v1/models returned 500{quoted}")


@pytest.mark.parametrize(("is_own", "quoted"), [(True, ": the secret"), (False, "")], ids=["own", "shared"])
async def test_the_response_to_a_path_of_the_workspace_is_quoted_only_where_nobody_else_has_routes(is_own, quoted):
    asking = ProbeClient(ProbeMode.MODELS, trust=ProbeTrust(networks=LOOPBACK, quoted_gateways=frozenset({"ns/g"})))
    async with Server().served() as server:
        server.status, server.body = 500, "the secret"
        result = await asking.ask(server.target(path="", get="/admin/keys", codes=(200,), is_own_path=is_own))
    await asking.close()
    assert result.message.endswith(f"/admin/keys returned 500{quoted}")
