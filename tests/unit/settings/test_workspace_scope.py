"""What one process looks after."""

import pytest

from workspace_ctrl.cache.discovery import watched_namespaces
from workspace_ctrl.cache.watches import BY_KIND, GATEWAY_PROXIES
from workspace_ctrl.settings.workspace_scope import Scope, SelectorError, parse_selector


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("b=1,a=2", "a=2 , b == 1"),
        ("shard in (b, a)", "shard  in (a,b)"),
        ("!paused,team!=blue", "team != blue, ! paused"),
        ("example.com/shard=a", "example.com/shard==a"),
    ],
)
def test_selectors_that_mean_the_same_have_the_same_lease(text, same):
    names = {Scope(selector=parse_selector(selector)).lease_name("workspace-ctrl") for selector in (text, same)}
    assert len(names) == 1


@pytest.mark.parametrize("text", ["shard=", "shard", "!shard", "shard notin (a)"])
def test_all_forms_of_requirements_are_read(text):
    assert parse_selector(text) == text


@pytest.mark.parametrize("text", ["", "=a", "a=b=c", "a in b", "a in (b", "a,,b", "a b", "-a=b"])
def test_what_is_no_selector_is_refused_with_an_example(text):
    with pytest.raises(SelectorError, match="use for example team=blue"):
        parse_selector(text)


def test_every_scope_has_a_lease_of_its_own_that_never_changes():
    scopes = [
        Scope(),
        Scope(selector="shard=a"),
        Scope(selector="shard=b"),
        Scope(("a",)),
        Scope(("a", "b")),
        Scope(("a",), "shard=a"),
    ]
    names = [scope.lease_name("workspace-ctrl") for scope in scopes]
    assert len(set(names)) == len(names)
    assert names[:2] == ["workspace-ctrl", "workspace-ctrl-3797cfd70f"]


def test_gateways_and_their_proxies_are_watched_everywhere_where_that_is_allowed():
    scope = Scope(("a", "b"))
    proxies = GATEWAY_PROXIES
    assert watched_namespaces(scope, BY_KIND["Service"], namespaced_only=frozenset()) == ("a", "b")
    assert watched_namespaces(scope, BY_KIND["ConfigMap"], namespaced_only=frozenset()) == ("a", "b")
    assert watched_namespaces(scope, BY_KIND["Gateway"], namespaced_only=frozenset({GATEWAY_PROXIES.name})) == ()
    assert watched_namespaces(scope, proxies, namespaced_only=frozenset({GATEWAY_PROXIES.name})) == ("a", "b")
    assert watched_namespaces(scope, BY_KIND["Node"], namespaced_only=frozenset()) == ()
    assert watched_namespaces(Scope(), BY_KIND["Service"], namespaced_only=frozenset()) == ()
