"""YAML of others: read as JSON, or refused with place and way out; in little time and memory whatever it is."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.api.yaml.documents import FILES, TENANTS, Limits, YamlError, parse_documents
from workspace_ctrl.cli.output import to_yaml

in_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)
ODD = ["<<", "*a", "&a ", "!!bool ", "!!int ", "0x", ".inf", "\\ud800", "---\n", "\t"]
pieces = st.lists(st.sampled_from([*"[]{},:?-&*!|>%@`'\"#\n ab1", *ODD]))


def refused(text, limits=TENANTS):
    with pytest.raises(YamlError) as caught:
        parse_documents(text, limits)
    return caught.value.problem, caught.value.remedy


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        pytest.param("a" * 65_537, "is larger than 65536 bytes", "remove what is not needed, including comments", id="size"),
        pytest.param(
            "é" * 32_769, "is larger than 65536 bytes", "remove what is not needed, including comments", id="size in bytes"
        ),
        pytest.param("[" * 65_000, "is nested deeper than 64 levels in line 1", "reduce the nesting", id="brackets"),
        pytest.param("- " * 32_000, "is nested deeper than 64 levels in line 1", "reduce the nesting", id="dashes"),
        pytest.param("? " * 32_000, "is nested deeper than 64 levels in line 1", "reduce the nesting", id="keys of keys"),
        pytest.param("a: &x 1\nb: *x", "has an alias in line 2", "replace it with the value", id="alias"),
        pytest.param("a: {<<: {b: 1}}", "has the merge key << in line 1", "replace it with the keys and values", id="merge key"),
        pytest.param(
            "- 1\n" * 2048,
            "has more than 2048 keys and values in line 2048",
            "shorten it, or split it",
            id="values",
        ),
        pytest.param(
            "a: 1\nb: " + "9" * 10_000,
            "has a number of 10000 characters in line 2",
            "quote it",
            id="a number of 10,000 digits",
        ),
        pytest.param(
            "0x" + "f" * 16,
            "has a number that JSON cannot represent in line 1",
            "quote it",
            id="more than 64 bits",
        ),
        pytest.param("-.inf", "has a number that JSON cannot represent in line 1", "quote it", id="infinity"),
        pytest.param(".nan", "has a number that JSON cannot represent in line 1", "quote it", id="NaN"),
        pytest.param(
            "a: !!bool x",
            "has a tag in line 1, which is not JSON",
            "remove the tag",
            id="a tag for which the value is none",
        ),
        pytest.param(
            "{a: 1, \ud800: 2}", "contains half of a surrogate pair in line 1", "save it as UTF-8", id="half a surrogate pair"
        ),
        pytest.param(
            "a: {x: 1, y: 2}\nb: 3\na: 4",
            "has the key a twice in the same mapping, again in line 3",
            "keep one of them",
            id="a key twice",
        ),
        pytest.param(
            "- {x: 1}\n- {x: [y, y], 'x': 2}",
            "has the key x twice in the same mapping, again in line 2",
            "keep one of them",
            id="a key twice, once in quotes",
        ),
        pytest.param("{null: 1}", "has a key of type NoneType", "write it as a string", id="null as a key"),
        pytest.param(
            "{[a]: 1}",
            "has a mapping or list as a key in line 1",
            "write it as a string; a template such as {{ .Values.x }} has to be rendered first",
            id="a list as a key",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_place_and_way_out(text, problem, remedy):
    assert refused(text) == (problem, remedy)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("kind: Workspace\nname: {{ .Release.Name }}-x\n", 2, id="a value that goes on after a template"),
        pytest.param("- a\n- {{ .Values.a }}-b\n", 2, id="an item that goes on after a template"),
        pytest.param("spec:\n  {{- if .Values.a }}\n  b: 1\n  {{- end }}\n", 2, id="a block"),
        pytest.param(
            "kind: Workspace\n{{- if .Values.a }}\nb: 1\n{{- end }}\n", 3, id="a block that ends a value; the next line is said"
        ),
    ],
)
def test_a_template_that_is_not_rendered_is_named_as_the_cause(text, line):
    problem, remedy = refused(text)
    assert problem.startswith("is not YAML: ")
    assert problem.endswith(f" in line {line}")
    assert remedy == "a template such as {{ .Values.x }} has to be rendered first"


@pytest.mark.parametrize(
    "text", [pytest.param("a: '{{ .Values.x }}'\nb: [\n", id="braces elsewhere"), pytest.param("a: \x00", id="no place")]
)
def test_no_template_is_named_where_braces_are_not_at_the_place(text):
    assert refused(text)[1] == ""


def test_a_key_may_be_overridden_where_it_is_merged_and_repeated_elsewhere():
    text = "a: &a {x: 1, z: 2}\nb: {<<: *a, x: 3}\nc: [{x: x}, {x: x}]\n---\na: 1"
    assert parse_documents(text, FILES) == [{"a": {"x": 1, "z": 2}, "b": {"x": 3, "z": 2}, "c": [{"x": "x"}, {"x": "x"}]}, {"a": 1}]


def test_half_a_surrogate_pair_in_an_escape_is_refused():
    by_libyaml = "is not YAML: found invalid Unicode character escape code in line 1"
    assert refused('"\\ud800"')[0] in {"contains half of a surrogate pair", by_libyaml}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a0: &a0 [x, x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)), id="aliases"),
        pytest.param(
            "a0: &a0 {x: 1}\n" + "\n".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)),
            id="merge keys",
        ),
    ],
)
def test_files_may_use_references_until_they_stand_for_too_much(text):
    assert parse_documents("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}") == [{"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}]
    assert refused(text, FILES)[0].startswith(("has more than 400000 keys and values", "repeats too many values by merge keys"))


@pytest.mark.parametrize("text", [pytest.param("&a [*a]", id="list"), pytest.param("&a {b: *a}", id="mapping")])
def test_what_holds_itself_is_refused(text):
    assert refused(text, FILES)[0] == "is nested deeper than 100 levels"


def test_what_merges_itself_is_refused():
    assert refused("&a {<<: *a, b: 1}", FILES) == ("refers to itself by merge keys", "replace them with the keys and values")


def test_larger_files_are_read():
    objects = [{"kind": "Workspace", "metadata": {"name": f"w{n}"}, "text": "x" * 100} for n in range(2000)]
    assert parse_documents(yaml.dump_all(objects, Dumper=yaml.CSafeDumper)) == objects


SCALARS = "[2026-01-01, =, !!str 1, 0o17, 017, 08, 1e3, 1.5e1, +.5, 1., 1_0, 0x_1F, -0b11, 1:30, y, Off, yes, ~, .5e, 1__]"


def test_scalars_are_read_as_by_kubectl():
    expected = ["2026-01-01", "=", "1", 15, 15, 8, 1000, 15, 0.5, 1, 10, 31, -3, "1:30", True, False, True, None, ".5e", 1]
    (found,) = parse_documents(SCALARS, TENANTS)
    assert [(type(value), value) for value in found] == [(type(value), value) for value in expected]


def test_scalars_are_read_as_by_python():
    expected = [
        "2026-01-01",
        "=",
        "1",
        "0o17",
        15,
        "08",
        "1e3",
        "1.5e1",
        "+.5",
        1.0,
        10,
        31,
        -3,
        90,
        "y",
        False,
        True,
        None,
        ".5e",
        1,
    ]
    (found,) = parse_documents(SCALARS, TENANTS, for_python=True)
    assert [(type(value), value) for value in found] == [(type(value), value) for value in expected]


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".NaN", "1e400", "9223372036854775808"])
@pytest.mark.parametrize("for_python", [False, True])
def test_numbers_that_json_has_not_are_refused(text, for_python):
    if for_python and text == "1e400":
        assert parse_documents(text, for_python=True) == [text]
        return
    with pytest.raises(YamlError, match="JSON cannot represent"):
        parse_documents(text, for_python=for_python)


@given(document=in_json)
def test_what_json_knows_is_read_as_it_was_written(document):
    assert parse_documents(yaml.safe_dump(document), TENANTS, for_python=True) == [document]
    assert parse_documents(to_yaml(document), TENANTS) == parse_documents(to_yaml(document), TENANTS, for_python=True) == [document]


@given(text=st.from_regex(r"[-+.0-9xXoObBeE_:yYnNoOfF]{1,12}", fullmatch=True))
def test_a_text_that_looks_like_something_else_is_printed_in_quotes(text):
    assert parse_documents(to_yaml({"key": text})) == parse_documents(to_yaml({"key": text}), for_python=True) == [{"key": text}]


def test_a_number_that_is_none_for_python_is_refused():
    with pytest.raises(YamlError, match="has an invalid number in line 1; quote it"):
        parse_documents("0b_", for_python=True)
    assert parse_documents("0b_") == ["0b_"]


@given(text=st.text() | pieces.map("".join), limits=st.sampled_from([FILES, TENANTS, Limits(values=5, depth=2)]))
def test_any_text_is_read_or_refused(text, limits):
    try:
        documents = parse_documents(text, limits)
    except YamlError as error:
        assert str(error).isprintable()
    else:
        assert all(_is_json(document) for document in documents)


def _is_json(value):
    if isinstance(value, dict):
        return all(_is_json(key) and isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, str):
        return value == value.encode().decode()
    return value is None or isinstance(value, bool) or (isinstance(value, int | float) and math.isfinite(value))


@given(text=st.text(), longest=st.integers(0, 30))
def test_an_excerpt_prints_and_is_short(text, longest):
    quoted = excerpt(text, longest)
    assert (len(quoted) <= longest, quoted.isprintable()) == (True, True)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("no\n such\tmodel", "no such model"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("a\u202eb\u2066c", "a\ufffdb\ufffdc"),
        ("\ud800x", "\ufffdx"),
        ("ärger 模型", "ärger 模型"),
        ("x" * 100, "x" * 20),
    ],
)
def test_an_excerpt_shows_what_prints(text, quoted):
    assert excerpt(text, 20) == quoted


def test_an_error_is_one_sentence_with_the_way_out_where_there_is_one():
    assert str(YamlError("is not YAML")) == "is not YAML"
    assert str(YamlError("has a number", "quote it")) == "has a number; quote it"
