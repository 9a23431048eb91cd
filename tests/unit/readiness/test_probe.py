"""What is asked through the Gateway, and what its answers prove."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factories import NOW, decisions, gateway, meta, parent, pod, status, workspace
from tests.unit.readiness.test_status import READY
from workspace_ctrl.api.conditions import Status, find
from workspace_ctrl.model.probe_results import (
    CHAT_COMPLETIONS,
    COMPLETIONS,
    EMBEDDINGS,
    MODELS,
    ProbeOutcome,
    ProbeResult,
    ProbeTarget,
)
from workspace_ctrl.probe.consecutive_results import TOLD_SECONDS, Threshold, pace
from workspace_ctrl.probe.timeouts import ANSWER_SECONDS
from workspace_ctrl.readiness.chain import evaluate
from workspace_ctrl.readiness.probe import ModelAddress, probe_link, probe_targets
from workspace_ctrl.records.gateways import GatewayService
from workspace_ctrl.records.listeners import Listener
from workspace_ctrl.records.workspaces import pack_status

ANSWERED = ProbeResult(ProbeOutcome.ANSWERED, "u", 200, "GET u returned 200", ("phi-4-mini-instruct",))
FAILED = ProbeResult(ProbeOutcome.FAILED, "u", 503, "GET u returned 503: no healthy upstream")
IMPOSSIBLE = ProbeResult(ProbeOutcome.NOT_POSSIBLE, "u", None, "no connection to 10.0.0.1:80")
UNCERTIFIED = replace(IMPOSSIBLE, message="the listener requires a client certificate", lacks_certificate=True)
GUARDED = decisions(parents=(parent(access_policies="SecurityPolicy", rate_policies="BackendTrafficPolicy"),))
SILENT = decisions(parents=(parent(writes_status=False, class_title="K"),))
INTERVAL = 60.0
PACE = pace(INTERVAL, 1, 1, 1)


def probing(result):
    return replace(READY, probing=True, probe=result)


@pytest.mark.parametrize(
    ("result", "decided", "state", "reason", "words"),
    [
        pytest.param(None, decisions(), Status.UNKNOWN, "ProbePending", "sending a request", id="not yet"),
        pytest.param(ANSWERED, decisions(), Status.TRUE, "ProbeAnswered", "returned 200", id="answered"),
        pytest.param(FAILED, decisions(), Status.FALSE, "ProbeFailed", "503: no healthy upstream", id="failed"),
        pytest.param(IMPOSSIBLE, decisions(), Status.TRUE, "NotProbed", "not probed: no connection", id="no way"),
        pytest.param(
            replace(IMPOSSIBLE, code=401),
            decisions(),
            Status.TRUE,
            "AccessRestricted",
            "a policy of the Gateway, or the model server (vLLM: --api-key), lets only authorized clients pass",
            id="401",
        ),
        pytest.param(
            replace(IMPOSSIBLE, code=403), GUARDED, Status.TRUE, "AccessRestricted", "set gateway.probe.path to /health", id="403"
        ),
        pytest.param(
            replace(IMPOSSIBLE, code=302), GUARDED, Status.TRUE, "AccessRestricted", "(SecurityPolicy) lets only", id="a login page"
        ),
        pytest.param(
            UNCERTIFIED, GUARDED, Status.TRUE, "AccessRestricted", "not probed: the listener requires", id="no certificate"
        ),
        pytest.param(
            replace(UNCERTIFIED, code=400), GUARDED, Status.TRUE, "AccessRestricted", "not probed: the listener", id="with a code"
        ),
        pytest.param(replace(IMPOSSIBLE, code=429), GUARDED, Status.TRUE, "RateLimited", "(BackendTrafficPolicy) or", id="429"),
        pytest.param(IMPOSSIBLE, SILENT, Status.UNKNOWN, "NotVerified", "K writes no status", id="no way, and no status either"),
        pytest.param(
            ANSWERED,
            decisions(model_names=("x",)),
            Status.FALSE,
            "ModelNameUnknown",
            "does not serve x, but phi-4-mini-instruct",
            id="unknown name",
        ),
        pytest.param(replace(ANSWERED, models=()), decisions(), Status.TRUE, "ProbeAnswered", "", id="names not told"),
    ],
)
def test_what_a_probe_proves(result, decided, state, reason, words):
    link = probe_link(result, decided.parents, decided.model_names)
    assert (link.status, link.reason) == (state, reason)
    assert words in link.message


def test_gateway_ready_says_that_a_policy_keeps_requests_from_the_model():
    found = status(workspace(), probing(replace(IMPOSSIBLE, code=403)), GUARDED, NOW)
    gateway_ready = find(found.conditions, "GatewayReady")
    assert (gateway_ready.status, gateway_ready.reason) == ("True", "AccessRestricted")
    assert "SecurityPolicy" in gateway_ready.message


def test_without_an_answer_the_gateway_is_not_ready_and_the_answer_is_told():
    for result, ready in ((None, "False"), (FAILED, "False"), (ANSWERED, "True"), (IMPOSSIBLE, "True")):
        found = status(workspace(), probing(result), decisions(), NOW)
        gateway_ready = find(found.conditions, "GatewayReady")
        assert gateway_ready.status == ready
        if result is not None:
            assert gateway_ready.reason == {"True": "GatewayConfigured"}.get(ready, "ProbeFailed")
            assert result.message in gateway_ready.message
            assert found.gateway.last_probe.outcome == result.outcome
            assert found.gateway.last_probe.code == result.code


def test_without_probing_nothing_is_asked_for():
    found = status(workspace(), READY, decisions(), NOW)
    assert find(found.conditions, "GatewayReady").is_true
    assert found.gateway.last_probe is None


def test_whether_a_body_leads_to_the_model_is_told_and_kept():
    found = status(workspace(), probing(replace(ANSWERED, by_body=False)), decisions(), NOW)
    assert found.gateway.body_based_routing is False
    again = replace(workspace(), stored_status=pack_status(found.as_object()))
    assert status(again, probing(ANSWERED), decisions(), NOW).gateway.body_based_routing is False
    assert status(again, probing(replace(ANSWERED, by_body=True)), decisions(), NOW).gateway.body_based_routing is True


def test_the_same_outcome_keeps_its_time():
    first = status(workspace(), probing(FAILED), decisions(), NOW)
    again = replace(workspace(), stored_status=pack_status(first.as_object()))
    later = NOW.replace(hour=13)
    same = status(again, probing(replace(FAILED, message="other words")), decisions(), later)
    assert same.gateway.last_probe == first.gateway.last_probe
    assert status(again, probing(ANSWERED), decisions(), later).gateway.last_probe.since == "2026-11-21T13:00:00Z"


def test_nobody_is_asked_while_another_link_does_not_hold():
    assert evaluate(READY, decisions()).probe_targets
    assert evaluate(probing(FAILED), decisions()).probe_targets  # its own failure does not end it
    assert evaluate(replace(READY, pods=(pod(ready=False),)), decisions()).probe_targets == ()
    assert evaluate(READY, decisions(gateway_wanted=False)).probe_targets == ()


def targets(*listeners, hostnames=(), services=()):
    chosen = gateway(listeners=listeners, addresses=("192.0.2.1",))
    return probe_targets((parent(gateway=chosen),), services, ModelAddress(hostnames, "/a/b", "phi-4-mini-instruct"))


def service(*ports, name="inference-gateway"):
    return GatewayService(meta("Service", owner=""), name, "10.96.0.1", ports)


def test_each_listener_is_asked_inside_the_cluster_first():
    http, https = Listener("a", "HTTP", 80), Listener("b", "HTTPS", 443, "m.example.com")
    first, second = targets(http, https, services=(service(80, 443), service(80, name="another")))
    assert first == ProbeTarget(
        "default/inference-gateway", "http", ("10.96.0.1", "192.0.2.1"), 80, "/a/b", model="phi-4-mini-instruct"
    )
    assert (second.scheme, second.hostname, second.url) == ("https", "m.example.com", "https://m.example.com:443/a/b")
    (outside,) = targets(http, services=(service(8080),))
    assert outside.addresses == ("192.0.2.1",)


def test_a_gateway_that_tells_no_address_is_asked_at_the_service_of_its_class_and_by_a_completion():
    silent = parent(gateway=gateway(addresses=()), service=("kthena-router.default.svc", 80), lists_models=False)
    (target,) = probe_targets((silent,), (), ModelAddress())
    assert (target.addresses, target.port, target.completion) == (("kthena-router.default.svc",), 80, CHAT_COMPLETIONS)


@pytest.mark.parametrize(
    ("api", "completion"),
    [
        pytest.param((), "", id="nothing is known of the route"),
        pytest.param((CHAT_COMPLETIONS, MODELS), "", id="the list is reached"),
        pytest.param((COMPLETIONS, EMBEDDINGS), COMPLETIONS, id="the list is not reached"),
    ],
)
def test_what_a_user_s_route_reaches_is_asked_for(api, completion):
    (target,) = probe_targets((parent(),), (), ModelAddress.of(decisions(api=api)))
    assert target.completion == completion


def test_what_the_workspace_wants_to_be_asked_for_is():
    (target,) = probe_targets(
        (parent(),), (), ModelAddress.of(decisions(probe_path="/health", probe_codes=(200, 204), any_server=True))
    )
    assert (target.get, target.codes, target.any_server) == ("/health", (200, 204), True)


@pytest.mark.parametrize(
    ("path", "namespace", "is_own"),
    [
        pytest.param("/team-a/phi", "team-a", True, id="below the namespace's"),
        pytest.param("/team-a", "team-a", True, id="the namespace's"),
        pytest.param("/team-ab/phi", "team-a", False, id="of a longer name"),
        pytest.param("", "team-a", False, id="all paths"),
        pytest.param("/admin", "team-a", False, id="another one"),
        pytest.param("/team-a/phi", "", False, id="a namespace that is not known"),
        pytest.param("//x", "", False, id="no name"),
    ],
)
def test_whose_path_is_probed(path, namespace, is_own):
    (target,) = probe_targets((parent(),), (), ModelAddress.of(decisions(path=path), namespace))
    assert target.is_own_path is is_own


def test_a_wildcard_is_asked_by_a_name_that_matches():
    (target,) = targets(Listener("a", "HTTP", 80, "*.example.com"))
    assert target.hostname == "probe.example.com"
    (target,) = targets(Listener("a", "HTTP", 80, "*.example.com"), hostnames=("m.example.com",))
    assert target.hostname == "m.example.com"


def after(*results):
    agreement = Threshold()
    for result in results:
        agreement = agreement.after(result)
    return agreement


def test_a_change_is_believed_when_two_agree_and_asked_for_at_once_until_then():
    assert Threshold().delay(PACE) == 0
    assert after(ANSWERED).believed is None
    assert after(ANSWERED).delay(PACE) < 1
    assert after(ANSWERED, ANSWERED).believed == ANSWERED
    assert after(ANSWERED, ANSWERED).delay(PACE) == PACE.rest
    one_failure = after(ANSWERED, ANSWERED, FAILED)
    assert (one_failure.believed, one_failure.delay(PACE)) == (ANSWERED, 1.0)
    assert after(ANSWERED, ANSWERED, FAILED, ANSWERED).believed == ANSWERED
    assert after(ANSWERED, ANSWERED, FAILED, FAILED).believed == FAILED


def test_a_failure_that_took_long_is_repeated_at_once_and_a_quick_one_is_given_its_second():
    one_failure = after(ANSWERED, ANSWERED, FAILED)
    assert one_failure.delay(PACE, took=ANSWER_SECONDS) == 0.0
    assert one_failure.delay(PACE, took=0.4) == pytest.approx(0.6)
    assert after(FAILED, FAILED).delay(PACE, took=ANSWER_SECONDS) > 0  # believed: nobody is in a hurry


@pytest.mark.parametrize("interval", [5.0, 60.0])
def test_a_model_that_hangs_just_after_an_answer_is_told_within_the_interval_and_two_seconds(interval):
    shared, clock = pace(interval, 1, 1, 1), 0.0
    agreement = after(ANSWERED, ANSWERED)
    clock += agreement.delay(shared)
    requests = 0
    while agreement.believed == ANSWERED:
        clock += ANSWER_SECONDS
        requests += 1
        agreement = agreement.after(FAILED)
        if agreement.believed == ANSWERED:
            clock += agreement.delay(shared, took=ANSWER_SECONDS)
    assert requests == 2
    assert clock < interval + TOLD_SECONDS


def test_what_is_not_reachable_is_tried_once_more_than_the_rest():
    assert after(IMPOSSIBLE, IMPOSSIBLE).believed is None
    assert after(IMPOSSIBLE, IMPOSSIBLE, IMPOSSIBLE).believed == IMPOSSIBLE


@pytest.mark.parametrize(("interval", "followed", "last"), [(60, 1, 4), (3, 1, 3), (60, 1200, 60)])
def test_a_failure_that_lasts_is_asked_for_more_rarely_and_its_end_is_noticed_soon(interval, followed, last):
    shared = pace(interval, followed, followed, 1)
    delays = [after(*[FAILED] * count).delay(shared) for count in range(2, 12)]
    assert delays[0] == 2.0
    assert delays == sorted(delays)
    assert delays[-1] == last


def test_the_first_words_of_a_failure_are_kept_and_another_status_code_is_news():
    other_words, other_code = replace(FAILED, message="x"), replace(FAILED, code=404)
    assert after(FAILED, FAILED, other_words).believed == FAILED
    assert after(FAILED, FAILED, other_code).believed == other_code


@given(st.lists(st.sampled_from([ANSWERED, FAILED, IMPOSSIBLE]), max_size=30), st.floats(0, 100))
def test_nothing_is_believed_that_two_probes_in_a_row_did_not_say(results, took):
    agreement = after(*results)
    pairs = list(pairwise(results))
    assert agreement.believed is None or (agreement.believed, agreement.believed) in pairs
    assert 0 <= agreement.delay(PACE, took) <= INTERVAL


@pytest.mark.parametrize(("followed", "rest", "retry"), [(0, 57.5, 4), (1000, 57.5, 50), (10_000, 500, 500)])
def test_thousands_of_workspaces_share_what_a_second_has_for_them(followed, rest, retry):
    assert (pace(60, followed, followed, 1).rest, pace(60, followed, followed, 1).retry) == (rest, retry)


def test_so_many_listeners_are_probed_for_one_workspace():
    listeners = tuple(Listener(f"l{number}", "HTTP", 8000 + number) for number in range(70))
    decided = decisions(parents=(parent(gateway=gateway(listeners=listeners)),))
    assert len(probe_targets(decided.parents, (), ModelAddress.of(decided))) == 64
