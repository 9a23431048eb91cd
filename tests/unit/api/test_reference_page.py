"""The reference page: nothing of the CRD is missing, and all of it is explained."""

import pytest

from tests.unit.api.test_crd import _nodes
from tests.unit.cli.test_cli import REPOSITORY, run
from workspace_ctrl.api.conditions import MEANINGS, ConditionType
from workspace_ctrl.api.crd import KINDS, crd
from workspace_ctrl.api.labels import BYPASS_ANNOTATION, GATEWAY_LABELS, LOAD_BALANCER_ANNOTATION, RUNTIME_ANNOTATION
from workspace_ctrl.api.reference_page import _limits, reference

SCHEMA = crd()["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]
NODES = [(path.removeprefix("."), node) for path, node in _nodes(SCHEMA) if path and not path.endswith("[]")]


PAGE = reference()


def _row(path):
    return next((line for line in PAGE.splitlines() if line.startswith(f"| `{path}` |")), "")


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_in_the_repository_is_the_one_that_is_printed(kind):
    printed = run("crd", kind.lower(), "-o", "markdown").output
    assert printed == reference(kind)
    assert (REPOSITORY / f"docs/reference/{kind.lower()}.md").read_text() == printed


@pytest.mark.parametrize(("path", "node"), [pytest.param(path, node, id=path) for path, node in NODES])
def test_every_field_has_a_row_with_its_limits(path, node):
    row = _row(path)
    assert " ".join(node.get("description", "Standard Kubernetes field.").split()) in row
    limits = [node[key] for key in ("minimum", "maximum", "maxLength", "maxItems", "maxProperties") if key in node]
    for limit in [*limits, *node.get("enum", ())]:
        assert str(limit) in row


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"maxItems": 1}, "at most 1 item"),
        ({"maxItems": 2}, "at most 2 items"),
        ({"maxProperties": 2}, "at most 2 items"),
        ({"minLength": 1, "maxLength": 2}, "not empty, at most 2 characters"),
    ],
)
def test_limits_are_words(schema, words):
    assert ", ".join(_limits(schema, (), required=False)) == words


def test_every_rule_is_there_at_the_field_that_it_names():
    messages = [rule["message"] for _, node in [("", SCHEMA), *NODES] for rule in node.get("x-kubernetes-validations", ())]
    assert len(messages) > 10
    for message in messages:
        path, _, rest = message.partition(" ")
        assert rest in _row(path) or f"- {message}\n" in PAGE or path == "must", message


@pytest.mark.parametrize(("path", "node"), [pytest.param(path, node, id=path) for path, node in NODES if node["type"] == "string"])
def test_what_a_text_must_be_is_in_the_row_of_its_field_in_words(path, node):
    assert "pattern" not in node
    for rule in node.get("x-kubernetes-validations", ()):
        if rule["message"].startswith("must be "):
            assert rule["message"] in _row(path.removesuffix("[]"))


def test_every_condition_annotation_and_label_is_explained():
    assert set(MEANINGS) == set(ConditionType)
    for word in (*ConditionType, RUNTIME_ANNOTATION, LOAD_BALANCER_ANNOTATION, BYPASS_ANNOTATION, *GATEWAY_LABELS):
        assert f"| `{word}` |" in PAGE
