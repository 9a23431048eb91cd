"""The option -f: files, folders, https URLs."""

import pytest

from workspace_ctrl.cli.arguments.manifest_files import read_objects, repeated_names


def names(*sources, recursive=False):
    return [found["metadata"]["name"] for found in read_objects([*map(str, sources)], recursive=recursive)]


def write(path, *of):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("---\n".join(f"metadata: {{name: {name}}}\n" for name in of))


def test_folders_are_read_by_name_and_deeper_ones_on_request(tmp_path):
    write(tmp_path / "b.yaml", "b1", "b2")
    write(tmp_path / "a.json", "a")
    write(tmp_path / "c.txt", "c")
    write(tmp_path / "below/d.yml", "d")
    assert names(tmp_path) == ["a", "b1", "b2"]
    assert names(tmp_path, recursive=True) == ["a", "b1", "b2", "d"]
    assert names(tmp_path / "c.txt") == ["c"]


def test_objects_that_are_given_twice_are_named():
    def of(kind, name, **metadata):
        group = "kaito.sh" if kind in {"Workspace", "InferenceSet"} else "other"
        return {"apiVersion": f"{group}/v1beta1", "kind": kind, "metadata": {"name": name, **metadata}}

    twice = [of("Workspace", "phi"), of("Workspace", "phi", namespace="here"), of("Workspace", "phi", namespace="there")]
    shared = [of("InferenceSet", "phi"), of("InferenceSet", "set"), of("Gateway", "phi"), of("Gateway", "set")]
    nameless = [{"kind": "Workspace"}, {"kind": "Workspace"}, {"metadata": 1, "kind": "Gateway"}]
    repeated, with_one_name = repeated_names([*twice, *shared, *nameless], "here")
    assert repeated == "Workspace here/phi is given 2 times; an apply leaves what the last one says"
    assert with_one_name.startswith("Workspace and InferenceSet here/phi have the same name, so only the one that is created first")
    assert [*repeated_names([*twice, *shared][1:], "elsewhere")] == []


def test_items_of_lists_are_objects(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("kind: List\nitems: [{metadata: {name: a}}, 7, {metadata: {name: b}}]\n")
    assert names(path) == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"kind": "NodeList", "apiVersion": "v1", "items": [{"metadata": {"name": "a"}}]}', id="of the API server"),
        pytest.param('[{"kind": "Node", "apiVersion": "v1", "metadata": {"name": "a"}}]', id="no kind"),
        pytest.param(
            "kind: List\nitems: [{kind: List, items: [{kind: Node, apiVersion: v1, metadata: {name: a}}]}]", id="in a List"
        ),
        pytest.param("kind: NodeList\nitems: [{kind: Node, apiVersion: v1, metadata: {name: a}}]", id="kinds repeated"),
    ],
)
def test_lists_of_other_forms_are_unpacked(text, tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text(text)
    (found,) = read_objects([str(path)], recursive=False)
    assert (found["kind"], found["apiVersion"], found["metadata"]) == ("Node", "v1", {"name": "a"})


def test_an_object_whose_kind_ends_with_list_is_not_unpacked_without_items(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("kind: AllowList\nmetadata: {name: a}\n")
    assert names(path) == ["a"]
