"""Which add-ons a start installs, and which packages it asks for."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import os

import pytest

from e2e.cluster.addons import ADDONS, choose
from e2e.cluster.distribution import Package, ensure
from e2e.cluster.errors import ClusterError, MissingPackagesError
from e2e.cluster.forms import Form


def names(*asked, form=Form.FULL):
    return [addon.name for addon in choose(asked, form)]


def test_what_an_addon_needs_comes_before_it():
    assert names("istio") == ["gateway-api", "istio"]


def test_nothing_is_installed_twice():
    assert names("gateway-api", "istio", "gateway-api") == ["gateway-api", "istio"]


@pytest.mark.parametrize("form", Form)
def test_all_means_all_of_the_form_but_the_optional(form):
    expected = {name for name, addon in ADDONS.items() if form in addon.forms and not addon.optional}
    assert set(names("all", form=form)) == expected


def test_an_optional_addon_is_installed_where_it_is_asked_for():
    assert names("all", "kthena") == [*names("all"), "kthena"]


def test_an_unknown_addon_is_refused_with_the_known_ones():
    with pytest.raises(ClusterError, match="there is no add-on nonsense; there are: flux, registry"):
        names("nonsense")


def test_an_addon_of_the_other_form_is_refused():
    with pytest.raises(ClusterError, match="coredns does not work in the form plane"):
        names("coredns", form=Form.PLANE)


@pytest.fixture
def apt_get(tmp_path, monkeypatch):
    """Put an apt-get in the way that only writes down what it was asked."""
    asked = tmp_path / "asked"
    program = tmp_path / "apt-get"
    program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return asked


@pytest.mark.parametrize(("install", "ci"), [(True, ""), (False, "true")], ids=["asked for", "root in CI"])
def test_missing_packages_are_installed_after_an_update(apt_get, monkeypatch, install, ci):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    ensure([Package("first", "no-such-program"), Package("here", "sh")], install=install)
    update, installed = apt_get.read_text().splitlines()
    assert update.startswith("update")
    assert installed.startswith("install")
    assert installed.endswith(" first")


def test_missing_packages_are_named_in_one_command(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    packages = [
        Package("here", "sh"),
        Package("here", __file__),
        Package("first", "no-such-program"),
        Package("second", "/no/such/file"),
    ]
    with pytest.raises(MissingPackagesError, match=r"apt-get install .* first second\n\n\(or give --install-packages\)$"):
        ensure(packages, install=False)
    with pytest.raises(MissingPackagesError, match=r"apt-get install .* first second$"):
        ensure(packages, install=False, option="")
