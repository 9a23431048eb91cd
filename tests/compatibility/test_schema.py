"""What the API server has accepted for an earlier version, it accepts for this one, but for the exceptions that are listed here."""

import json
import re
from pathlib import Path

from workspace_ctrl.api.crd import crd

RECORDED = Path(__file__).with_name("0.1.0.schema.json")
"""The schema of 0.1.0, without descriptions."""
GUIDE = Path(__file__).parents[2] / "docs" / "upgrading.md"

TIGHTENED = {
    (".gateway.chart.version", "pattern"): "^[A-Za-z0-9_][A-Za-z0-9._+-]*$",  # other texts are no tags of a registry
    (".gateway.modelName", "pattern"): "^[!-,.-~][!-~]*$",  # vLLM takes a name that begins with a dash for a flag
}
NEW_RULES = {
    ".inference",  # of a new field
    ".inference.workloadRef",  # kinds without pods, which never served
    ".resource",  # of a new field
}


def fields(schema, path=""):
    """Path → the schema of that field."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from fields(child, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from fields(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from fields(schema["additionalProperties"], f"{path}{{}}")


MATCHES = re.compile(r"self\.matches\(r'(.*)'\)")
"""A pattern as a rule, which can say in words what is wrong."""


def limits(schema):
    found = {name: schema[name] for name in ("type", "enum", "pattern", "format") if name in schema}
    for rule in rules(schema):
        if matches := MATCHES.fullmatch(rule):
            found["pattern"] = matches[1]
    if "pattern" in found:
        found["pattern"] = found["pattern"].replace("[-.a-z0-9]", "[-a-z0-9.]")  # the same characters
    return found


def test_no_field_is_gone_and_none_has_become_required():
    before = dict(fields(json.loads(RECORDED.read_text())))
    for version in crd()["spec"]["versions"]:
        now = dict(fields(version["schema"]["openAPIV3Schema"]))
        assert before.keys() - now.keys() == set()
        for path, schema in before.items():
            assert set(now[path].get("required", ())) <= set(schema.get("required", ())), path


def test_the_upgrade_guide_names_each_new_field():
    before = dict(fields(json.loads(RECORDED.read_text())))
    now = dict(fields(crd()["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]))
    new = now.keys() - before.keys()
    outermost = {path for path in new if not any(path.startswith((f"{other}.", f"{other}[", f"{other}{{")) for other in new)}
    text = GUIDE.read_text()
    assert [path for path in sorted(outermost) if f"`{path.removeprefix('.')}`" not in text] == []


def test_no_limit_is_tighter_but_for_those_that_are_listed():
    before = dict(fields(json.loads(RECORDED.read_text())))
    now = dict(fields(crd()["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]))
    changed = {}
    for path, schema in before.items():
        changed |= {(path, key): value for key, value in limits(now[path]).items() if limits(schema).get(key) != value}
        for name, tighter in (("maxLength", min), ("maxItems", min), ("maximum", min), ("maxProperties", min)):
            if name in now[path]:
                assert name in schema, (path, name)
                assert tighter(schema[name], now[path][name]) == schema[name], (path, name)
        for name in ("minLength", "minItems", "minimum", "minProperties"):
            if name in now[path]:
                assert now[path][name] <= schema.get(name, 0), (path, name)
    assert changed == TIGHTENED


def test_no_rule_is_new_but_for_those_that_are_listed():
    before = dict(fields(json.loads(RECORDED.read_text())))
    now = dict(fields(crd()["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]))
    new = {path for path in before if any(not MATCHES.fullmatch(rule) for rule in rules(now[path]) - rules(before[path]))}
    assert new == NEW_RULES


def rules(schema):
    return {entry["rule"] for entry in schema.get("x-kubernetes-validations", ())}


def test_versions_are_stored_and_served_as_before():
    found = {version["name"]: (version["served"], version["storage"]) for version in crd()["spec"]["versions"]}
    assert found == {"v1alpha1": (True, False), "v1beta1": (True, True)}
    assert "conversion" not in crd()["spec"]  # None: both have the same schema, so nothing stored needs to be migrated
