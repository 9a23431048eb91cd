"""By which names requests ask for a model."""

import pytest

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import Workspace
from workspace_ctrl.planning.workload.model_names import check_model_name, model_names, unserved_aliases


def spec(name=None, aliases=(), **container):
    template = {"spec": {"containers": [container or {"name": "a"}]}}
    gateway = {"aliases": [*aliases]} | ({"modelName": name} if name else {})
    return Workspace.model_validate({"inference": {"template": template}, "gateway": gateway})


@pytest.mark.parametrize(
    ("asked", "known", "served", "names"),
    [
        pytest.param(spec("mine"), (), ("theirs",), ("mine", "theirs"), id="the user's first"),
        pytest.param(spec(aliases=("chat", "told")), (), ("told",), ("told", "chat"), id="aliases last, and once"),
        pytest.param(spec("poet"), ("phi", "poet"), (), ("poet", "phi"), id="the user's choice among several"),
        pytest.param(spec(), ("phi",), ("other",), ("phi",), id="the preset's before the server's"),
        pytest.param(spec(), (), ("told", "adapter"), ("told", "adapter"), id="the server's own"),
        pytest.param(spec(args=["--served-model-name", "x", "--port=1"]), (), (), ("x",), id="two words in the template"),
        pytest.param(spec(command=["vllm", "--served-model-name=y"]), (), (), ("y",), id="one word in the template"),
        pytest.param(spec(args=["--served-model-name"]), (), (), (), id="a flag without its word"),
        pytest.param(
            spec(command=["sh", "-c"], args=["vllm serve m --port 8000 --served-model-name 'z' --x"]),
            (),
            (),
            ("z",),
            id="a shell's script",
        ),
        pytest.param(spec(args=["--served-model-name=x"]), (), ("told",), ("told",), id="the server's before the template's"),
        pytest.param(spec(), (), (), (), id="nobody knows"),
        pytest.param(spec(), (), ("a\x1b", "", " b", "\ud800", "x" * 254, "c"), ("c",), id="those that a header can hold"),
        pytest.param(spec(), (), [f"m{n}" for n in range(200)], tuple(f"m{n}" for n in range(128)), id="so many of the server's"),
        pytest.param(spec(args=["--served-model-name=a\nb"]), (), (), (), id="the template's with a line break"),
    ],
)
def test_names(asked, known, served, names):
    assert model_names(asked, known, served) == names


@pytest.mark.parametrize(
    ("known", "served", "words"),
    [
        pytest.param(("phi", "chat", "gpt"), (), "", id="started with them"),
        pytest.param((), ("chat", "gpt", "phi"), "", id="reported"),
        pytest.param(
            (), ("phi", "gpt"), "gateway.aliases: the model server does not serve chat, but phi, gpt; start it with", id="not all"
        ),
        pytest.param((), (), "", id="nobody knows"),
    ],
)
def test_aliases_that_the_server_does_not_know_are_a_warning(known, served, words):
    found = unserved_aliases(spec(aliases=("chat", "gpt")), known, served)
    assert found.startswith(words)
    assert bool(found) == bool(words)


def test_a_name_that_the_server_would_not_know_is_refused():
    check_model_name(spec("poet"), ("phi", "poet"))
    check_model_name(spec("anything"), ())
    with pytest.raises(SpecError, match=r"gateway.modelName is not a name of this model \(phi\); remove it"):
        check_model_name(spec("poet"), ("phi",))


@pytest.mark.parametrize("template", [{}, {"spec": 1}, {"spec": {"containers": 1}}, {"spec": {"containers": [1, {"args": "x"}]}}])
def test_strange_templates_have_no_name(template):
    assert model_names(Workspace.model_validate({"inference": {"template": template}}), (), ()) == ()
