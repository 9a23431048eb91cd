"""By which names requests ask for a model."""

import pytest

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import Workspace
from workspace_ctrl.planning.workload import container_commands
from workspace_ctrl.planning.workload.argument_names import ArgumentNames, names_in_arguments
from workspace_ctrl.planning.workload.model_names import check_model_name, model_names, names_in_spec, unserved_names
from workspace_ctrl.planning.workload.model_server import ModelServer


def spec(name=None, aliases=(), **container):
    template = {"spec": {"containers": [container or {"name": "a"}]}}
    gateway = {"aliases": [*aliases]} | ({"modelName": name} if name else {})
    return Workspace.model_validate({"inference": {"template": template}, "gateway": gateway})


def server(asked, known=()):
    return ModelServer(port=8000, model_names=known, arguments=names_in_arguments(asked.inference.template))


@pytest.mark.parametrize(
    ("asked", "known", "served", "names"),
    [
        pytest.param(spec("mine"), (), ("theirs",), ("mine", "theirs"), id="the user's first"),
        pytest.param(spec(aliases=("chat", "told")), (), ("told",), ("told", "chat"), id="aliases last, and once"),
        pytest.param(spec("poet"), ("phi", "poet"), (), ("poet", "phi"), id="the user's choice among several"),
        pytest.param(spec(), ("phi",), ("other",), ("phi",), id="the preset's before the server's"),
        pytest.param(spec(), (), ("told", "adapter"), ("told", "adapter"), id="the server's own"),
        pytest.param(spec(args=["--served-model-name=x"]), (), ("told",), ("told",), id="the server's before the template's"),
        pytest.param(spec(), (), (), (), id="nobody knows"),
        pytest.param(spec(), (), ("a\x1b", "", " b", "\ud800", "x" * 254, "c"), ("c",), id="those that a header can hold"),
        pytest.param(spec(), (), [f"m{n}" for n in range(200)], tuple(f"m{n}" for n in range(128)), id="so many of the server's"),
        pytest.param(spec(args=["--served-model-name=x"]), (), (), ("x",), id="the template's"),
        pytest.param(
            spec("mine", ("chat",), args=["--served-model-name", "x", "y", "--lora-modules", "sql=/a"]),
            (),
            (),
            ("mine", "x", "y", "sql", "chat"),
            id="all of the template's",
        ),
        pytest.param(spec(args=["--lora-modules", "sql=/a"]), (), (), (), id="an adapter's name is not the model's"),
        pytest.param(spec("mine", args=["--lora-modules", "sql=/a"]), (), (), ("mine", "sql"), id="an adapter behind the user's"),
        pytest.param(
            spec(args=["--served-model-name", *(f"m{n}" for n in range(200)), "--lora-modules", "a=/a"]),
            (),
            (),
            tuple(f"m{n}" for n in range(128)),
            id="so many of the template's",
        ),
    ],
)
def test_names(asked, known, served, names):
    assert model_names(asked, server(asked, known), served) == names
    assert served or names_in_spec(asked, server(asked, known)) == names


NAME = {"name": "NAME", "value": "qwen3"}
NAMES = {"name": "NAMES", "value": "qwen3 chat"}
FLAGS = {"name": "FLAGS", "value": "--served-model-name $(NAME) --max-num-seqs 8"}
LONG = {"name": "LONG", "value": "--served-model-name z" + " " * 1024}
SECRET = {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
FLAG = "--served-model-name"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param([FLAG, "x", "--port=1"], ["x"], id="two words"),
        pytest.param([f"{FLAG}=x", "y"], ["x"], id="one word"),
        pytest.param(["--served_model_name", "x"], ["x"], id="underscores"),
        pytest.param([FLAG, "x", "y", "x", "z", "--port", "1"], ["x", "y", "z"], id="several"),
        pytest.param([FLAG, "x", f"{FLAG}=y"], ["y"], id="the last of two flags"),
        pytest.param([FLAG], [], id="no word"),
        pytest.param([FLAG, "--port"], [], id="another flag instead"),
        pytest.param([f"{FLAG}=a\nb"], [], id="a line break"),
        pytest.param([FLAG, "$(NAME)", "$(NAMES)"], ["qwen3"], id="a variable, and one that is no name"),
        pytest.param([FLAG, "$(SECRET)", "$(NONE)", "$(NAME)-$(NAME)"], ["qwen3-qwen3"], id="variables that only the pod knows"),
        pytest.param([FLAG, "chat-$(SECRET)"], [], id="a name that ends with one"),
        pytest.param([FLAG, "chat$(EMPTY)"], ["chat"], id="a variable without a value is empty"),
        pytest.param([FLAG, "$$(NAME)", "$NAME", "a$"], [], id="what the kubelet does not replace"),
        pytest.param([FLAG, "$(FIRST)", "$(SECOND)", "$(AGAIN)"], ["qwen3-1", "b"], id="variables of variables, in their order"),
    ],
)
def test_names_in_arguments(arguments, names):
    env = [
        NAME,
        {"name": "FIRST", "value": "$(NAME)-1"},
        {"name": "SECOND", "value": "$(LATER)"},
        {"name": "LATER", "value": "late"},
        {"name": "AGAIN", "value": "a"},
        {"name": "AGAIN", "value": "b"},
        NAMES,
        SECRET,
        {"name": "EMPTY"},
        {"name": ["NAME"]},
        1,
    ]
    container = {"command": ["vllm", "serve"], "args": arguments, "env": env}
    assert [*names_in_arguments({"spec": {"containers": [{}, container]}}).served] == names


@pytest.mark.parametrize(
    ("script", "names"),
    [
        pytest.param("vllm serve m --port 8000 --served-model-name 'z' --x", ["z"], id="quoted"),
        pytest.param(f"vllm serve m \\\n  {FLAG} \\\n  z \\\n  --port 1\n", ["z"], id="over several lines"),
        pytest.param(f"vllm serve m {FLAG} z\nsleep infinity", ["z"], id="until the end of the line"),
        pytest.param(f"vllm serve m {FLAG} z; sleep infinity", ["z"], id="until a semicolon"),
        pytest.param(f"(vllm serve m {FLAG} z) & wait", ["z"], id="until a parenthesis"),
        pytest.param(f"vllm serve m {FLAG} z 2>&1 | tee log", ["z"], id="until a redirection"),
        pytest.param(f"# it's {FLAG} old\nvllm serve m {FLAG} z # {FLAG} new", ["z"], id="no comments"),
        pytest.param(f"echo '# {FLAG}' it\\'s; vllm serve a#b {FLAG}=z", ["z"], id="no comment in quotes and in words"),
        pytest.param(f'vllm serve m {FLAG} $NAME "${{NAME}}-b"', ["qwen3", "qwen3-b"], id="variables"),
        pytest.param(f"vllm serve m {FLAG} $NAMES", ["qwen3", "chat"], id="words of a variable"),
        pytest.param(f'vllm serve m {FLAG} "$NAMES"', [], id="a variable in quotes is one word"),
        pytest.param("vllm serve m $FLAGS", ["qwen3"], id="flags in a variable"),
        pytest.param("vllm serve m $LONG", [], id="flags in a variable that is too long"),
        pytest.param(f"vllm serve m {FLAG} '$NAME' \\$NAME \"\\$NAME\"", [], id="variables that the shell does not replace"),
        pytest.param(f"vllm serve m {FLAG} $NONE $1 $SECRET $(cat f)", [], id="what only the pod knows"),
        pytest.param(f"vllm serve m {FLAG} `cat f` {{a,b}} q*", [], id="what only a shell knows"),
        pytest.param(f"export NAME=x\nvllm serve m {FLAG} $NAME", [], id="a variable that the script sets"),
        pytest.param(f"MINE=z\nvllm serve m {FLAG} $MINE", ["z"], id="a variable that the script sets to plain text"),
        pytest.param(f"ARGS='--port 1 {FLAG} z'; vllm serve m $ARGS", ["z"], id="flags in such a variable"),
        pytest.param(f'export ARGS="{FLAG} z" && exec vllm serve m ${{ARGS}}', ["z"], id="flags in an exported one"),
        pytest.param(f'A=y; A="{FLAG} z"; vllm serve m $A', [], id="a variable that the script sets twice"),
        pytest.param(f'A="{FLAG} z"; A+=" y"; vllm serve m $A', [], id="a variable that the script extends"),
        pytest.param(f'A="{FLAG} $(cat f)"; vllm serve m $A', [], id="a variable that the script sets to what a program prints"),
        pytest.param(f"A=({FLAG} z); vllm serve m $A", ["z"], id="an array"),
        pytest.param(f"vllm serve m {FLAG} $(NAME)", ["qwen3"], id="the kubelet's variables first"),
        pytest.param(f"vllm serve m {FLAG} a & vllm serve n {FLAG} b", ["a"], id="the first of two commands"),
        pytest.param(f"vllm serve m {FLAG} 'z", [], id="an open quote"),
        pytest.param(f"vllm serve m {FLAG} z" + " " * 40_000, [], id="too long"),
    ],
)
@pytest.mark.parametrize("shell", [["sh", "-c"], ["bash", "-euxc"]])
def test_names_in_a_shell_s_script(shell, script, names):
    container = {"command": shell, "args": [script], "env": [NAME, NAMES, FLAGS, LONG, SECRET]}
    assert [*names_in_arguments({"spec": {"containers": [container]}}).served] == names


@pytest.mark.parametrize(
    ("adapters", "names"),
    [
        pytest.param(["sql=/a", "chat=/b"], ("sql", "chat"), id="name and path"),
        pytest.param(['{"name": "sql", "path": "/a", "base_model_name": "x"}', "chat=/b"], ("sql", "chat"), id="JSON"),
        pytest.param(["{", "[]", '{"path": "/a"}', "[" * 9999, "a b=/c"], (), id="no names"),
    ],
)
def test_names_of_adapters(adapters, names):
    arguments = ["--served-model-name", "x", "--lora-modules", *adapters, "--port", "1"]
    assert names_in_arguments({"spec": {"containers": [{"args": arguments}]}}).adapters == names


@pytest.mark.parametrize(("length", "names"), [(1024, ("z",)), (1025, ())])
def test_a_variable_is_used_up_to_a_length(length, names):
    env = [{"name": "LONG", "value": f"{FLAG} z".ljust(length)}]
    container = {"command": ["sh", "-c"], "args": ["vllm serve m $LONG"], "env": env}
    assert names_in_arguments({"spec": {"containers": [container]}}).served == names


@pytest.mark.parametrize(("length", "names"), [(32 * 1024 - 3, ("z",)), (32 * 1024 - 2, ())])
def test_a_script_is_read_up_to_a_length(length, names):
    """Three characters less than all, as each of three words counts as one before."""
    container = {"command": ["sh", "-c"], "args": [f"vllm serve m {FLAG} z".ljust(length)]}
    assert names_in_arguments({"spec": {"containers": [container]}}).served == names


def test_variables_that_grow_are_not_read():
    env = [{"name": "V0", "value": "x" * 32}, *({"name": f"V{n + 1}", "value": f"$(V{n})" * 64} for n in range(64))]
    container = {"args": ["--served-model-name", "$(V64)", "x", "$(V0)" * 9000], "env": env}
    assert names_in_arguments({"spec": {"containers": [container]}}).served == ("x",)


BLANKS = {"name": "BLANKS", "value": "a " * 500}


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param({"command": ["sh", "-c", "; a" * 10_000]}, id="commands"),
        pytest.param({"command": ["sh", "-c", "$BLANKS " * 4000], "env": [BLANKS]}, id="a script that grows"),
        pytest.param({"command": ["sh", "-c", "$(BLANKS)" * 30], "env": [BLANKS]}, id="a script that its references grow"),
        pytest.param({"args": ["$(BLANKS)" * 30] * 2000, "env": [BLANKS]}, id="arguments that grow"),
        pytest.param(
            {"args": ["a"], "env": [BLANKS, *({"name": f"V{n}", "value": "$(A)" * 200} for n in range(2000))]}, id="variables"
        ),
    ],
)
def test_of_all_containers_together_only_so_much_is_read(hostile, monkeypatch):
    read = []
    for name, longest in (("_PIECE", max), ("_REFERENCE", min)):  # words are made of what the first one finds
        monkeypatch.setattr(container_commands, name, Counted(getattr(container_commands, name), read, longest))
    assert names_in_arguments({"spec": {"containers": [hostile] * 16}}) == ArgumentNames()
    assert sum(read) <= 2 * 32 * 1024


class Counted:
    """A pattern that notes the lengths of what it reads."""

    def __init__(self, pattern, read, longest):
        self.pattern, self.read, self.longest = pattern, read, longest

    def sub(self, replacement, text):
        found = self.pattern.sub(replacement, text)
        self.read.append(self.longest(len(text), len(found)))
        return found


@pytest.mark.parametrize(
    ("asked", "known", "served", "words"),
    [
        pytest.param(spec(aliases=("chat", "gpt")), ("phi", "chat", "gpt"), (), "", id="started with them"),
        pytest.param(spec(aliases=("chat", "gpt")), (), ("chat", "gpt", "phi"), "", id="reported"),
        pytest.param(
            spec(aliases=("chat", "gpt")),
            (),
            ("phi", "gpt"),
            "gateway.aliases: the model server does not serve chat, but phi, gpt; start it with",
            id="not all",
        ),
        pytest.param(spec("mine", ("chat",)), (), (), "", id="nobody knows"),
        pytest.param(
            spec("Qwen3", ("chat",), args=[FLAG, "qwen3", "--lora-modules", "sql=/a"]),
            (),
            (),
            "gateway.modelName and gateway.aliases: the model server does not serve Qwen3, chat, but qwen3, sql; start",
            id="not in the arguments",
        ),
        pytest.param(spec("sql", args=[FLAG, "qwen3", "--lora-modules", "sql=/a"]), (), (), "", id="an adapter's"),
        pytest.param(spec("Qwen3", args=[FLAG, "qwen3", "$(NAME)"]), (), (), "", id="not all arguments are known"),
        pytest.param(spec("Qwen3", args=[FLAG, "qwen3", "--config=f"]), (), (), "", id="a file with flags"),
        pytest.param(spec("Qwen3", args=[FLAG, "qwen3"]), (), ("qwen3",), "", id="a condition once the server reports its names"),
    ],
)
def test_names_that_the_server_does_not_know_are_a_warning(asked, known, served, words):
    found = unserved_names(asked, server(asked, known), served)
    assert found.startswith(words)
    assert bool(found) == bool(words)


def test_a_name_that_the_server_would_not_know_is_refused():
    check_model_name(spec("poet"), ("phi", "poet"))
    check_model_name(spec("anything"), ())
    with pytest.raises(SpecError, match=r"gateway.modelName is not a name of this model \(phi\); remove it"):
        check_model_name(spec("poet"), ("phi",))


@pytest.mark.parametrize(
    "template",
    [{}, {"spec": 1}, {"spec": {"containers": 1}}, {"spec": {"containers": [1, {"args": "x"}, {"env": {}, "command": [1, None]}]}}],
)
def test_strange_templates_have_no_name(template):
    assert names_in_arguments(template) == ArgumentNames()
