"""CRDs of an earlier start are there as new ones, and only if everything that decides their content is the same."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import json

import pytest

from e2e.cluster import kept_crds
from e2e.cluster.builder import Build
from e2e.cluster.kept_crds import KeptCrds

PREFIX = "/registry/apiextensions.k8s.io/customresourcedefinitions/"
THEN = "2026-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("WORKSPACE_CTRL_CACHE", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "asset"
    made.mkdir()
    write(made, "as.example.org")
    return made


class Storage(dict[str, bytes]):
    """What an etcd has."""

    def put(self, values):
        self.update(values)

    def below(self, prefix):
        return {key: value for key, value in self.items() if key.startswith(prefix)}


def write(folder, *names):
    documents = [
        f"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: {name}\n" for name in names
    ]
    (folder / "all.yaml").write_text("---\n".join(documents))


def stored(*names, conditions=({"type": "Established", "status": "True", "lastTransitionTime": THEN},)):
    """An etcd with CRDs as an API server stores them, and with other objects."""
    documents = {
        f"{PREFIX}{name}": {
            "metadata": {"name": name, "uid": f"uid of {name}", "creationTimestamp": THEN},
            "spec": {"scope": "Namespaced"},
            "status": {"conditions": list(conditions), "storedVersions": ["v1"]},
        }
        for name in names
    }
    return Storage({key: json.dumps(value).encode() for key, value in documents.items()} | {"/registry/secrets/x/token": b"secret"})


def crds(folder, build="kubernetes-1"):
    return KeptCrds.of(Build(folder.parent / build), [folder])


def test_nothing_is_restored_before_anything_was_kept(folder):
    storage = Storage()
    assert crds(folder).restore(storage) == frozenset()
    assert storage == {}


def test_crds_are_restored_as_new_ones_and_nothing_else_is(folder):
    crds(folder).keep(stored("as.example.org", "others.example.org"))
    storage = Storage()
    assert crds(folder).restore(storage) == {"as.example.org"}
    (key,) = storage
    assert key == f"{PREFIX}as.example.org"
    document = json.loads(storage[key])
    assert document["spec"] == {"scope": "Namespaced"}
    assert document["status"]["storedVersions"] == ["v1"]
    assert document["metadata"]["uid"] != "uid of as.example.org"
    assert document["metadata"]["creationTimestamp"] > THEN
    assert [condition["lastTransitionTime"] > THEN for condition in document["status"]["conditions"]] == [True]


def test_two_clusters_have_different_ones(folder):
    crds(folder).keep(stored("as.example.org"))
    uids = set()
    for _ in range(2):
        storage = Storage()
        crds(folder).restore(storage)
        uids |= {json.loads(value)["metadata"]["uid"] for value in storage.values()}
    assert len(uids) == 2


def test_a_crd_that_a_start_has_not_installed_is_not_kept(folder):
    write(folder, "as.example.org", "bs.example.org")
    crds(folder).keep(stored("as.example.org"))
    assert crds(folder).restore(Storage()) == {"as.example.org"}


def test_a_crd_that_is_not_served_keeps_all_from_being_kept(folder):
    write(folder, "as.example.org", "bs.example.org")
    storage = stored("as.example.org") | stored("bs.example.org", conditions=())
    crds(folder).keep(Storage(storage))
    assert crds(folder).restore(Storage()) == frozenset()


def test_whatever_decides_the_content_makes_another_file(folder, tmp_path, monkeypatch):
    first = crds(folder).path
    assert crds(folder).path == first
    assert crds(folder, build="kubernetes-2").path != first
    sources = tmp_path / "sources"
    sources.mkdir()
    monkeypatch.setattr(kept_crds, "PACKAGE", sources)
    with_code = {crds(folder).path}
    (sources / "code.py").write_text("x = 1")
    with_code.add(crds(folder).path)
    (sources / "code.py").write_text("x = 2")
    with_code.add(crds(folder).path)
    assert len(with_code) == 3
    monkeypatch.undo()
    write(folder, "as.example.org", "bs.example.org")
    assert crds(folder).path.name != first.name


def test_a_start_that_is_broken_off_while_it_keeps_them_leaves_nothing_that_is_used(folder, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            crds(folder).keep(stored("as.example.org"))
    assert crds(folder).restore(Storage()) == frozenset()
