"""Chart and controller agree on the settings: what the values may be, a pod does not reject at its start."""

import json
import operator
import re
from functools import reduce
from itertools import zip_longest
from typing import Annotated, Any, get_args, get_origin

import pytest
import yaml

from e2e.cluster.chart import SOURCE
from tests.chart.helm import GATE, find, refusal, render
from tests.chart.settings_cases import BESIDE, CASES, DIGEST, NOT_IN_THE_CHART, SET_BY_THE_CHART
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.charts import ChartValue, UnknownChartError, chart_layouts, find_layout
from workspace_ctrl.planning import resource_requirements
from workspace_ctrl.planning.chart.picker_settings_without_effect import keys_by_chart
from workspace_ctrl.planning.chart.value_validation import MOST_LEVELS
from workspace_ctrl.planning.chart.values import check_installed, protected_paths
from workspace_ctrl.planning.plan_settings import ChartSource
from workspace_ctrl.settings.process import SettingsError
from workspace_ctrl.settings.settings_file import SettingsFile, parse_settings_file
from workspace_ctrl.settings.stanza import Stanza
from workspace_ctrl.settings.workspace_scope import SelectorError, parse_selector

SCHEMA = json.loads((SOURCE / "values.schema.json").read_text())
RIGHT = [(path, value) for path, case in CASES.items() for value in case.right]
WRONG = [(path, value) for path, case in CASES.items() for value in case.wrong]


def put(tree, path, value):
    """Return `tree` with `value` at a dotted path, and beside it what it needs."""
    for place, beside in BESIDE.items():
        if f"{path}.".startswith(f"{place}."):
            tree = _put(tree, place.split("."), beside, keep=True)
    return _put(tree, path.split("."), value)


def _put(tree, names, value, *, keep=False):
    name, *below = names
    if name.isdigit():
        entries = [*(tree or []), *({} for _ in range(int(name) + 1 - len(tree or [])))]
        entries[int(name)] = (
            _put(entries[int(name)], below, value, keep=keep) if below else ({**value, **entries[int(name)]} if keep else value)
        )
        return entries
    tree = dict(tree or {})
    if below:
        tree[name] = _put(tree.get(name), below, value, keep=keep)
    else:
        tree[name] = {**value, **tree.get(name, {})} if keep else value
    return tree


def problem(given_settings: dict[str, Any] | str) -> str:
    """Return what the controller says of settings; empty if it takes them."""
    try:
        text = given_settings if isinstance(given_settings, str) else json.dumps(given_settings)
        check_installed(parse_settings_file(text).plan_settings())
    except (SettingsError, SpecError) as error:
        return str(error)
    return ""


def keys_of(model: type[Stanza], above=()):
    """Yield the dotted path of each setting, without the places in lists."""
    for name, field in model.model_fields.items():
        path = (*above, field.alias or name)
        inner = next((part for part in parts(field.annotation) if isinstance(part, type) and issubclass(part, Stanza)), None)
        yield from keys_of(inner, path) if inner is not None else (".".join(path),)


def parts(annotation):
    """Yield a type, and those that it is made of."""
    yield annotation
    for part in get_args(annotation)[: 1 if get_origin(annotation) is Annotated else None]:
        yield from parts(part)


def rounds(kind):
    """Return values that have all settings each: their first values of a kind, their second ones, and so on."""
    cases = [[(path, value) for value in getattr(case, kind)] for path, case in CASES.items()]
    return [[pair for pair in one if pair] for one in zip_longest(*cases)]


def joined(pairs):
    return reduce(lambda tree, pair: put(tree, *pair), pairs, {})


def test_every_setting_has_cases():
    without_places = {re.sub(r"\.\d+", "", path) for path in CASES}
    assert without_places | SET_BY_THE_CHART | NOT_IN_THE_CHART == set(keys_of(SettingsFile))
    assert all(case.right and case.wrong for case in CASES.values())


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_the_controller_refuses_what_is_wrong(path, value):
    assert problem(put({}, path, value))


@pytest.mark.parametrize("pairs", rounds("wrong"), ids=range(len(rounds("wrong"))))
def test_the_schema_refuses_all_that_is_wrong(pairs):
    named = re.findall(r"at '/([^']*)'", refusal(joined(pairs)))
    for path, value in pairs:
        place = path.replace(".", "/")
        assert any(f"{each}/".startswith(f"{place}/") for each in named), (path, value)


@pytest.mark.parametrize("pairs", rounds("right"), ids=range(len(rounds("right"))))
def test_what_is_right_becomes_settings_that_the_controller_takes(pairs):
    values = joined([*pairs, ("featureGates.gatewayAPIInferenceExtension", True)])
    assert not problem(find(render(values), "ConfigMap")["data"]["settings.yaml"])


def patterns():
    """Yield path and pattern of each setting that has one; of lists, that of an entry."""
    for path in CASES:
        schema, last = {"properties": SCHEMA["properties"]}, path
        for name in path.split("."):
            schema = resolved(schema.get("items") if name.isdigit() else schema.get("properties", {}).get(name, {}))
        if schema.get("type") == "array":
            schema, last = resolved(schema["items"]), f"{path}.0"
        if "pattern" in schema:
            yield last, schema["pattern"]


def resolved(schema):
    name = (schema or {}).get("$ref", "").rpartition("/")[2]
    return SCHEMA["definitions"][name] if name else schema or {}


DECIDED_BY_TEMPLATES = {"chartSources.0.url", "chartSources.0.version"}
PATTERNS = {path: pattern for path, pattern in patterns() if path not in DECIDED_BY_TEMPLATES}


def texts(value):
    """Yield all texts in a value."""
    if isinstance(value, dict):
        yield from (text for pair in value.items() for part in pair for text in texts(part))
    elif isinstance(value, list):
        yield from (text for each in value for text in texts(each))
    elif isinstance(value, str) and value:
        yield value


TEXTS = sorted({text for case in CASES.values() for value in (*case.right, *case.wrong) for text in texts(value)})


@pytest.mark.parametrize("path", PATTERNS)
def test_what_a_pattern_of_the_schema_matches_the_controller_takes(path):
    """Of the texts of all cases, whatever setting they are of."""
    matched = [text for text in TEXTS if re.fullmatch(PATTERNS[path], text)]
    assert matched
    for text in matched:
        assert SettingsFile.model_validate(put({}, path, text)), text


def test_settings_with_a_pattern_are_found():
    assert len(PATTERNS) > 25


def test_quantities_are_of_the_same_form():
    ((name, quantity),) = SCHEMA["definitions"]["quantities"]["patternProperties"].items()
    assert name == f"^{resource_requirements._RESOURCE_NAME}$"
    assert quantity["pattern"] == f"^{resource_requirements._QUANTITY}$"


SENTENCES = [
    pytest.param(
        "modelServer",
        {"resources": {"requests": {"cpu": 1}, "limits": {"nvidia.com/gpu": 1}}},
        "modelServer.resources must not name nvidia.com/gpu, which follows from the size of the model: remove it.",
        id="GPUs",
    ),
    pytest.param(
        "modelServer", {"resources": {"requests": {"amd.com/gpu": 1}}}, "resources must not name amd.com/gpu", id="other GPUs"
    ),
    pytest.param("chartSources", [{}, {"name": "default"}], "chartSources[1] is called default as one before it", id="equal names"),
    pytest.param(
        "chartSources",
        [{"url": "oci://registry.example/fork"}],
        "the values of the chart fork are not known: use inferencepool or llm-d-router-gateway; for a fork of one of them, set layout",
        id="an unknown chart",
    ),
    pytest.param(
        "chartSources", [{"version": "v1.6.0"}], "version v1.6.0 of the chart inferencepool is not supported", id="a version"
    ),
    pytest.param(
        "chartSources",
        [{"layout": "llm-d-router-gateway"}],
        "version v1.5.0 of the chart llm-d-router-gateway is not",
        id="a layout",
    ),
    pytest.param("chartSources", [{"allowedDigests": {"v9.9.9": DIGEST}}], "version v9.9.9 of", id="a version of Workspaces"),
    pytest.param(
        "chartSources", [{"digest": DIGEST, "allowedDigests": {"v1.4.0": DIGEST}}], "default has both digest and", id="two digests"
    ),
    pytest.param(
        "chartSources", [{"verify": {"provider": "notation"}}], "chartSources[0].verify needs secretRef with", id="no keys"
    ),
    pytest.param(
        "bodyBasedRouting",
        {"chart": {"verify": {"provider": "notation"}}},
        "bodyBasedRouting.chart.verify needs secretRef with",
        id="no keys of the router",
    ),
    pytest.param(
        "endpointPicker",
        {"values": {"inferenceExtension": {"flags": {"v": 1000000}}}},
        'inferenceExtension.flags sets v to a number that Helm renders with an exponent: write it in quotes: "1000000".',
        id="a large number",
    ),
    pytest.param(
        "endpointPicker",
        {"values": {"router": {"epp": {"flags": {"v": -1e6}}}}},
        "router.epp.flags sets v to a number that Helm",
        id="a large number of llm-d",
    ),
    pytest.param(
        "endpointPicker",
        {"values": {"inferenceExtension": {"flags": [{"name": "v", "value": 2000000}, "x"]}}},
        'write it in quotes: "2000000".',
        id="a large number in a list",
    ),
]
LLM_D = {"chartSources": [{"url": "oci://registry.example/llm-d-router-gateway", "version": "v0.10.0"}]}
OF_OLD = {"chartSources": [{"version": "v1.1.0"}]}


@pytest.mark.parametrize(("stanza", "value", "words"), SENTENCES)
def test_what_the_schema_cannot_say_is_said_in_words(stanza, value, words):
    assert all(words in refusal({**gate, stanza: value}) for gate in ({}, GATE))
    others = LLM_D if "router.epp" in words else {}
    assert problem({**others, stanza: value})


def test_a_selector_that_the_process_rejects_is_refused():
    for text in ("shard in a,b", "a>1", "a,,b=c=d"):
        with pytest.raises(SelectorError):
            parse_selector(text)
        assert f"scope.shardSelector: {text} is no label selector" in refusal({"scope": {"shardSelector": text}})
    right = "shard in (a, b),!paused, example.com/x == y,z!=,team notin (c)"
    assert parse_selector(right)
    assert render({"scope": {"shardSelector": right}})


def versions():
    """Yield charts with versions at the bounds of what is supported, and those that are refused."""
    for layout in chart_layouts():
        for bound in re.findall(r"[\d.]+", layout.versions):
            major, minor, patch = (*bound.split("."), "0")[:3]
            for number in (f"{major}.{minor}.{patch}", f"{major}.{minor}.{int(patch) + 1}", f"{major}.{int(minor) + 1}.0"):
                yield from ((layout.name, f"v{number}"), (layout.name, f"{number}-rc.1"))
        yield from ((layout.name, version) for version in layout.refused_versions)


def test_the_versions_of_charts_are_those_that_the_controller_knows():
    tried = sorted(set(versions()))
    unknown = set()
    for chart, version in tried:
        try:
            find_layout(chart, version)
        except UnknownChartError:
            unknown.add((chart, version))
    sources = [
        {"name": f"n{number}", "url": f"oci://registry.example/{chart}", "version": version}
        for number, (chart, version) in enumerate(tried)
    ]
    named = re.findall(r"^chartSources\[(\d+)\]: version", refusal({"chartSources": sources}), re.MULTILINE)
    assert {tried[int(number)] for number in named} == unknown
    assert len(unknown) < len(tried)


def test_the_charts_are_those_that_the_controller_knows():
    names = {layout.name for layout in chart_layouts()}
    assert set(SCHEMA["properties"]["chartSources"]["items"]["properties"]["layout"]["enum"]) == names
    assert (ChartSource().values_of, ChartSource().version) == ("inferencepool", "v1.5.0")  # of a source that names none


def test_the_keys_of_charts_are_those_that_the_controller_knows():
    text = (SOURCE / "templates" / "_settings.tpl").read_text()
    known = yaml.safe_load(text.partition('define "workspace-ctrl.knownCharts" -}}')[2].partition("{{- end }}")[0])
    assert {name: frozenset(chart["keys"]) for name, chart in known.items()} == keys_by_chart()
    pickers = {(layout.name, layout.values[ChartValue.REPLICAS]) for layout in chart_layouts()}
    assert {(name, f"{chart['picker']}.replicas") for name, chart in known.items()} == pickers


def test_values_that_the_controller_sets_are_refused():
    paths = sorted({".".join(path) for layout in chart_layouts() for path in protected_paths(layout)})
    values = reduce(lambda tree, path: put(tree, path, "x"), paths, {})
    said = refusal({"endpointPicker": {"values": values, "allowedValues": paths}})
    assert set(re.findall(r"endpointPicker\.values\.(\S+) has no effect, or is set by the controller", said)) == set(paths)
    assert set(re.findall(r"allowedValues contains (\S+), which has no effect, or which the controller sets", said)) == set(paths)
    for path in paths:
        sources = [
            {"name": f"n{number}", "url": f"oci://r/{layout.name}", "version": version_of(layout)} for number, layout in usable()
        ]
        assert problem({"chartSources": sources, "endpointPicker": {"values": put({}, path, "x")}})


def test_the_policy_looks_as_deep_into_values_as_the_controller_lets_them_be():
    text = (SOURCE / "templates" / "_releases.tpl").read_text()
    (steps,) = re.findall(r"range \$level := list ([\d ]+) ", text)
    assert [int(step) for step in steps.split()] == list(range(MOST_LEVELS, 0, -1))


def usable():
    return enumerate(layout for layout in chart_layouts() if not layout.refused)


def version_of(layout):
    major, minor, patch = (*re.findall(r"[\d.]+", layout.versions)[0].split("."), "0")[:3]
    return f"v{major}.{minor}.{patch}"


def test_what_only_the_controller_knows_is_left_to_plan():
    """The documents tell to try the settings with it before an upgrade."""
    left = [
        {"probe": {"networks": ["10.1.1.1/8"]}},
        {"modelHub": {"networks": ["1:2:3:4::5:6:7:8/8"]}},
        {"endpointPicker": {"values": {"inferenceExtension": {"flags": {"secure-serving": False}}}}},
    ]
    assert all(map(problem, left))
    assert problem(find(render(reduce(operator.or_, left, GATE)), "ConfigMap")["data"]["settings.yaml"])
