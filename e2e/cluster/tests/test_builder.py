"""What names a build, and where versions come from."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import re
import threading
from pathlib import Path

import pytest

from e2e.cluster import builder, cache
from e2e.cluster.addons.coredns import corefile
from e2e.cluster.builder import build, build_all, fingerprint
from e2e.cluster.catalog import COREDNS, FLUX, FOLDERS, GWIE, INFERENCE, ISTIO, KUBERNETES, KWOK, Asset
from e2e.cluster.errors import ClusterError
from e2e.cluster.time_left import TimeLeft, Usual
from e2e.waiting import WAIT_SECONDS

INPUTS = {"go_mod": "module a", "go_sum": "sum", "version": "go1.26", "ldflags": "-s"}


def name(assets=(), sources=(), **changed):
    return fingerprint(**{**INPUTS, **changed}, assets=assets, sources=sources)


def test_the_same_input_names_the_same_build():
    assert name() == name()


@pytest.mark.parametrize("changed", INPUTS)
def test_every_input_changes_the_name(changed):
    assert name(**{changed: "other"}) != name()


def test_a_new_asset_changes_the_name():
    assert name(assets=[Asset("crds", "example.org/m", "config")]) != name()


def test_a_folder_s_own_code_is_a_part_of_the_name():
    assert len({name(), name(sources=["package main"]), name(sources=["package main\n"])}) == 3


def test_text_cannot_move_from_one_input_to_the_next():
    assert name(go_mod="module ", go_sum="asum") != name()


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_every_folder_has_something_to_build_and_checksums(folder):
    assert folder.has_programs or folder.assets
    assert folder.has_programs == ("\ntool " in folder.go_mod)
    assert (folder.path / "go.sum").stat().st_size


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_every_asset_comes_from_a_pinned_module(folder):
    assert all(folder.version(asset.module).startswith("v") for asset in folder.assets)


def test_the_version_stamp_is_that_of_go_mod():
    version = KUBERNETES.version("k8s.io/kubernetes")
    assert f"-X k8s.io/component-base/version.gitVersion={version}" in KUBERNETES.ldflags


def test_a_module_that_is_not_required_is_named():
    with pytest.raises(ClusterError, match=r"example\.org/none"):
        INFERENCE.version("example.org/none")


def test_the_chart_version_is_that_of_the_module():
    assert INFERENCE.version(GWIE) == "v1.5.0"


def test_coredns_is_built_with_the_plugins_that_the_cluster_s_corefile_names():
    named = re.findall(r"^  (\w+)", corefile(Path("kubeconfig")), re.MULTILINE)
    assert named == re.findall(r'_ "github\.com/coredns/coredns/plugin/(\w+)"', "".join(COREDNS.sources))


LARGE = re.compile(r"^\t((?:k8s\.io|sigs\.k8s\.io|golang\.org/x/(?:net|sys|text)|google\.golang\.org)/?\S*) (v\S+)", re.MULTILINE)
"""The libraries that take long, with their versions."""


@pytest.mark.parametrize(("folder", "model"), [(COREDNS, KUBERNETES), (KWOK, FLUX)], ids=["coredns", "kwok"])
def test_what_is_not_tested_shares_the_large_libraries_of_what_is(folder, model):
    own, others = (dict(LARGE.findall(each.go_mod)) for each in (folder, model))
    shared = own.keys() & others.keys()
    assert "k8s.io/client-go" in shared
    assert {module: own[module] for module in shared} == {module: others[module] for module in shared}


def test_folders_are_built_in_the_order_of_the_catalog(monkeypatch):
    built: list[object] = []
    monkeypatch.setattr(builder, "build", lambda folder, _left: built.append(folder))
    monkeypatch.setattr(builder, "AT_ONCE", 1)
    build_all([COREDNS, KWOK, ISTIO, KUBERNETES, FLUX, ISTIO])
    assert built == [KUBERNETES, FLUX, ISTIO, KWOK, COREDNS]


def test_two_folders_are_built_at_once_and_each_once(monkeypatch):
    both, built = threading.Barrier(2), []

    def build(folder, _left):
        built.append(folder)
        both.wait(WAIT_SECONDS)

    monkeypatch.setattr(builder, "build", build)
    folders = list(FOLDERS.values())[:4]
    build_all([*folders, *folders])
    assert set(built) == set(folders)
    assert len(built) == 4


def test_what_another_process_has_built_meanwhile_is_done(monkeypatch):
    there = iter((False, True))  # it was built while we waited for the lock
    monkeypatch.setattr(cache, "take", lambda _path: next(there))
    left = TimeLeft({"kwok": Usual(90, 1000)})
    build(KWOK, left)
    assert left.seconds() == 0


def test_the_error_of_a_build_that_fails_is_raised(monkeypatch):
    def build(folder, _left):
        if folder is KUBERNETES:
            raise ClusterError("no such module")

    monkeypatch.setattr(builder, "build", build)
    with pytest.raises(ClusterError, match="no such module"):
        build_all(FOLDERS.values())


def test_the_lines_of_a_build_are_shown_and_their_end_is_in_the_error(monkeypatch):
    monkeypatch.setattr(builder, "ERROR_LINES", 2)
    shown: list[str] = []
    builder.follow("x", ["sh", "-c", "echo one; echo two >&2"], shown.append)
    assert shown == ["one", "two"]
    with pytest.raises(ClusterError, match=r"^building x failed:\n  two\nthree$"):
        builder.follow("x", ["sh", "-c", "echo one; echo '  two'; echo three; exit 1"], shown.append)
