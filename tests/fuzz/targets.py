"""The targets: each takes bytes of others, as they come, and holds a property that no input may break.

The common property is that nothing is raised but the error that the reader names; each check adds what the result has to be.
"""

import asyncio
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from math import isfinite
from typing import Any

import orjson
from aiohttp import web
from hypothesis import strategies as st

from tests.fuzz import samples
from tests.fuzz.inputs import ODD_TEXTS, anything, as_json, deep_mappings, mutated, pieces
from tests.fuzz.inputs import text as texts
from tests.fuzz.properties import assert_message, assert_writable
from tests.fuzz.server import AnsweringServer
from tests.unit.factories import NOW
from tests.unit.factories import status as status_of
from workspace_ctrl.api.conditions import ConditionType
from workspace_ctrl.api.endpoint_picker_spec import EndpointPicker
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import in_set_words, parse_inference_set
from workspace_ctrl.api.names import names
from workspace_ctrl.api.printable_text import excerpt, printable
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.api.value_limits import MOST_LEVELS, check_values
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.api.yaml.documents import CHARTS, FILES, TENANTS, Limits, YamlError, parse_documents
from workspace_ctrl.cache.watches import WATCHED
from workspace_ctrl.catalog.charts import chart_layouts, value_at
from workspace_ctrl.catalog.hub_model import hub_model, note_of, read_note, read_total_size
from workspace_ctrl.catalog.instance_types import instance_types
from workspace_ctrl.catalog.model_config import ModelFileError, read_config
from workspace_ctrl.cli.output import to_yaml
from workspace_ctrl.helm.chart_layout_checks import Rendered, checks, renderings
from workspace_ctrl.kube.decoding import KEPT_LEVELS, decode, without_depths
from workspace_ctrl.load.picker_metrics import parse_load
from workspace_ctrl.load.server_figures import parse_counters
from workspace_ctrl.model.probe_results import LONGEST_NAME, MOST_NAMES
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.admission.admission_verdict import Known, judge, judge_change
from workspace_ctrl.planning.chart.values import PROTECTED, PoolValues, chart_values, check_installed
from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import Mode, PickerSettings, PlanSettings
from workspace_ctrl.planning.preset.gpu_sizing import size
from workspace_ctrl.planning.preset.vllm_config import parse_engine_config
from workspace_ctrl.planning.preview_cluster import kind_of_owner
from workspace_ctrl.probe.model_list import read_models
from workspace_ctrl.process.admission_server import _parse
from workspace_ctrl.readiness.event_policy import transition
from workspace_ctrl.records.chart_inventory import content_checksum
from workspace_ctrl.records.companion_status import condition_patch, divided, parse_companion_record
from workspace_ctrl.records.flux import HelmRelease, OCIRepository, Stage
from workspace_ctrl.records.managed_fields import owned_by_others, owned_fields, packed, unpacked
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.selectors import parse_selector as parse_label_selector
from workspace_ctrl.records.unreadable_objects import isolated
from workspace_ctrl.records.workloads import Workload
from workspace_ctrl.records.workspaces import MAX_SPEC_BYTES, parse_workspace_record
from workspace_ctrl.settings.settings_file import SettingsError, parse_settings_file
from workspace_ctrl.settings.settings_without_effect import settings_without_effect
from workspace_ctrl.settings.workspace_scope import SelectorError
from workspace_ctrl.settings.workspace_scope import parse_selector as parse_scope


@dataclass(frozen=True)
class Target:
    """A reader of input."""

    check: Callable[[bytes], None]
    inputs: st.SearchStrategy[bytes]

    @property
    def name(self) -> str:
        """Name of the target, and of its folder in the corpus."""
        return self.check.__name__.removeprefix("check_")


@cache
def runner() -> asyncio.Runner:
    """The event loop of the targets that need one."""
    return asyncio.Runner()


def _json(data: bytes) -> Any:
    """Return what our client would decode of `data`; None if it is not JSON."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            return orjson.loads(without_depths(data))
        except orjson.JSONDecodeError:
            return None


def _object(data: bytes) -> dict[str, Any]:
    document = _json(data)
    return document if isinstance(document, dict) else {}


# -- Workspaces


def check_workspace_record(data: bytes) -> None:
    """Every Workspace has a record, small, and the same again from what is kept of it."""
    raw = _object(data)
    kind = kind_of_owner(raw)
    record = isolated(parse_workspace_record)(raw, kind)
    assert len(record.spec) <= MAX_SPEC_BYTES
    assert_message(record.meta.unreadable)
    fields = record.fields()
    again = parse_workspace_record({"metadata": raw.get("metadata"), **fields}, kind) if not record.meta.unreadable else record
    assert again.fields() == fields
    status = record.status
    for condition in status.conditions:
        assert_message(condition.message)
    written = status.as_object()  # without parts that are empty
    assert parse_status(written, kind).as_object() == written


def check_workspace_model(data: bytes) -> None:
    """A spec is parsed, or refused in one sentence."""
    fields = _object(data)
    try:
        check_values(fields)
        parse_workspace("phi", fields)
    except SpecError as error:
        assert_message(str(error))


def check_inference_set_model(data: bytes) -> None:
    """The spec of an InferenceSet is parsed, or refused in one sentence that names its fields."""
    try:
        _, copies = parse_inference_set("phi", _object(data))
    except SpecError as error:
        assert_message(in_set_words(str(error)))
    else:
        assert 0 <= copies.on(1) <= copies.wanted


def check_verdict(data: bytes) -> None:
    """Every Workspace gets a verdict, and objects that can be written."""
    raw, settings = _object(data), PlanSettings(gateway_extension=True)
    verdict = judge(raw, Known(), settings)
    for text in (*verdict.refusals, *verdict.warnings):
        assert_message(text)
    if verdict.preview is not None:
        for manifest in verdict.preview.manifests:
            assert_writable(manifest)
    judge_change(raw, {"resource": raw.get("resource")}, Known(), settings)


def check_status(data: bytes) -> None:
    """Whatever the objects around a Workspace say, its status and its Event are printable texts."""
    raw = _object(data)
    read = {watched.name: watched.read(_object_at(raw, watched.name), watched.resource.kind) for watched in WATCHED}
    workspace = isolated(parse_workspace_record)(_object_at(raw, "Workspace"), "Workspace")
    world = Snapshot(
        source=read["OCIRepository"],
        release=read["HelmRelease"],
        pool=read["InferencePool"],
        route=read["HTTPRoute"],
        pods=(read["Pod"],),
        gateways=(read["Gateway"],),
        gateway_classes=(read["GatewayClass"],),
    )
    outcome = plan(workspace, world, PlanSettings(gateway_extension=True))
    written = status_of(workspace, world, outcome.decisions, NOW)
    for text in _texts(written.as_object()):
        assert_message(text)
    event = transition(workspace.status, written)
    if event is not None:
        assert_message(event.message)


def check_companion(data: bytes) -> None:
    """Beside KAITO, whatever status and annotations contain: ours is read, and a patch of it names entries that there are."""
    raw = _object(data)
    settings = PlanSettings(mode=Mode.COMPANION, gateway_extension=True, restricted_fields=True)
    for kind in ("Workspace", "InferenceSet"):
        record = isolated(parse_companion_record)(raw, kind)
        parts = divided(record.status)
        assert len(parts.annotation) <= len(data) + 1024
        types = record.condition_types
        for operation in condition_patch(record.meta, types, parts.condition, samples.CONDITION):
            place = operation["path"].split("/")[3:]
            assert not place or place[0] == "-" or types[int(place[0])] in {*ConditionType, operation.get("value")}
        for problem in plan(record, Snapshot(), settings).decisions.problems:
            assert_message(problem.message)


def _object_at(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {"metadata": {"name": "phi", "namespace": "default"}}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(item)


# -- YAML


def _check_yaml(data: bytes, limits: Limits) -> None:
    try:
        documents = parse_documents(data.decode(errors="surrogateescape"), limits)
    except YamlError as error:
        assert_message(str(error))
        return
    assert_writable(documents)
    if documents and all(isinstance(document, Mapping) for document in documents):
        assert parse_documents(to_yaml(*documents)) == documents


def check_yaml_of_tenants(data: bytes) -> None:
    """YAML of a ConfigMap is small values, or refused."""
    _check_yaml(data, TENANTS)
    try:
        config = parse_engine_config(data.decode(errors="surrogateescape"))
    except SpecError as error:
        assert_message(str(error))
    else:
        assert all(isinstance(flag, str) and "\0" not in flag for flag in config.flags)


def check_yaml_of_files(data: bytes) -> None:
    """YAML with aliases and merge keys is bounded values, or refused."""
    _check_yaml(data, dataclasses.replace(FILES, values=20_000))


def check_settings_file(data: bytes) -> None:
    """A settings file is settings, or refused in one sentence; each setting without effect is told in one."""
    try:
        file = parse_settings_file(data.decode(errors="surrogateescape"))
        plan = file.plan_settings()
        check_installed(plan)
    except (SettingsError, SpecError) as error:
        assert_message(str(error))
        return
    for is_on in (False, True):
        for text in settings_without_effect(file, replace(plan, gateway_extension=is_on), file.probe.settings()):
            assert_message(text)


# -- Records


def check_managed_fields(data: bytes) -> None:
    """Ownership of any shape is read, kept small, and unpacked to what it was."""
    metadata = {"managedFields": document} if isinstance(document := _json(data), list) else {"managedFields": [document]}
    meta: list[Meta] = []

    def read(raw: Mapping[str, Any], _kind: str) -> Workload:
        fields = owned_fields(raw["metadata"])
        assert len(fields) <= 64 << 10
        assert not fields or packed(unpacked(fields)) == packed(json.loads(packed(unpacked(fields))))
        owned_by_others(raw["metadata"], "spec", "replicas")
        assert 0 <= content_checksum(raw["metadata"]) < 2**32
        meta.append(Meta(samples.REF, owned=fields))
        return Workload(meta=meta[-1])

    isolated(read)({"metadata": metadata}, "Deployment")
    for each in meta:
        is_ours(samples.MANIFEST, each.owned)


def check_records(data: bytes) -> None:
    """Every object of every watched kind has a record, whose answers raise nothing."""
    raw = _object(data)
    for watched in WATCHED:
        record = watched.read(raw, watched.resource.kind)
        watched.owner_key(record)
        for name in dir(type(record)):
            if isinstance(getattr(type(record), name), property):
                getattr(record, name)
        assert_message(record.meta.unreadable)


def check_flux(data: bytes) -> None:
    """A status of Flux has a stage."""
    raw = _object(data)
    for watched in WATCHED:
        record = watched.read(raw, watched.resource.kind) if watched.name in {"HelmRelease", "OCIRepository"} else None
        if isinstance(record, HelmRelease):
            assert record.stage("sha256:a") in {Stage.DONE, Stage.UNSEEN} or not record.has_installed("sha256:a")
            assert len(record.inventory) <= len(data)
        elif isinstance(record, OCIRepository):
            assert record.digest in record.revision
            assert record.stage.patience is None or record.stage.patience > 0
        if record is not None:
            for condition in record.conditions:
                assert_message(condition.message)
                assert_message(condition.reason)


def check_label_selector(data: bytes) -> None:
    """A LabelSelector decides, or makes the record unreadable."""
    raw = _object(data)

    def read(each: Mapping[str, Any], _kind: str) -> Workload:
        if "metadata" not in each:
            selector = parse_label_selector(each)
            assert isinstance(selector.selects({"app": "x"}), bool)
            assert isinstance(str(selector), str)
        return Workload(meta=Meta(samples.REF))

    raw.pop("metadata", None)
    isolated(read)(raw, "Namespace")


def check_scope(data: bytes) -> None:
    """A selector on the command line has one canonical form, or is refused."""
    try:
        selector = parse_scope(data.decode(errors="surrogateescape"))
    except SelectorError as error:
        assert_message(str(error))
    else:
        assert parse_scope(selector) == selector


def check_watch_line(data: bytes) -> None:
    """Any JSON is decoded; what is too deep loses only what is too deep."""
    try:
        document = runner().run(decode(data))
    except ValueError:
        return
    try:
        assert orjson.loads(data) == document
    except orjson.JSONDecodeError:
        assert_writable(document)
        assert len(without_depths(data)) < len(data)
        assert without_depths(without_depths(data), KEPT_LEVELS) == without_depths(data)


# -- Charts


_POOL = PoolValues({"kaito.sh/workspace": "phi"}, 5000, "istio")


def check_chart_values(data: bytes) -> None:
    """A Workspace's values are merged under ours, or refused in one sentence."""
    raw = _object(data)
    try:
        check_values({"gateway": {"endpointPicker": raw}})
        asked = parse_workspace("phi", {**samples.QUICKSTART, "gateway": {"endpointPicker": raw}}).gateway.endpoint_picker
    except SpecError:
        return
    installed = PickerSettings(allowed_values=("inferenceExtension.flags", "inferenceExtension.sidecar"))
    for layout in chart_layouts():
        plain = chart_values(layout, names("phi"), _POOL, namespace="default", installed=installed, asked=EndpointPicker())
        try:
            values = chart_values(
                layout, names("phi"), _POOL, namespace="default", installed=installed, asked=asked or EndpointPicker()
            )
        except SpecError as error:
            assert_message(str(error))
            continue
        assert_writable(values)
        for decision in PROTECTED:
            place = layout.place(decision)
            assert place is None or value_at(values, place) == value_at(plain, place)


def check_helm_output(data: bytes) -> None:
    """What a chart renders is checked, or cannot be read."""
    try:
        documents = parse_documents(data.decode(errors="replace"), CHARTS)
    except YamlError as error:
        assert_message(str(error))
        return
    layout = next(layout for layout in chart_layouts() if not layout.refused)
    objects = [document for document in documents if isinstance(document, dict)]
    rendered = [Rendered(entry, objects) for entry in renderings(layout)]
    for check in checks(layout, objects[0] if objects else {}, rendered):
        assert_message(check.found)


# -- Answers of servers


def check_model_list(data: bytes) -> None:
    """A list of models gives some names that can be a header's value."""
    models = read_models(data, "phi")
    assert len(models.names) <= MOST_NAMES
    assert all(0 < len(name) <= LONGEST_NAME and name.isprintable() and name.isascii() for name in models.names)
    assert len(set(models.names)) == len(models.names)
    assert_message(str(models))


def check_model_files(data: bytes) -> None:
    """Files of a model give figures by which it can be sized and remembered, or one printable line about what is wrong."""
    weights = 1
    try:
        weights = read_total_size(data)
    except ModelFileError as error:
        assert_message(str(error))
    read_note(data.decode(errors="surrogateescape"), "o/m")
    try:
        found = hub_model("o/m", read_config(data), weights, "index")
    except ModelFileError as error:
        assert_message(str(error))
        return
    assert_message(str(found))
    assert read_note(note_of(found), "o/m") == found
    with suppress(SpecError):  # it may be too large
        assert size(found.model, instance_types()["Standard_NC96ads_A100_v4"]).nodes >= 1


@cache
def _server() -> AnsweringServer:
    return runner().run(AnsweringServer.start())


def check_probe_answer(data: bytes) -> None:
    """Any bytes of a Gateway are a result with a printable message."""
    result = runner().run(_server().probe(data))
    assert_message(result.message)
    assert len(result.models) <= MOST_NAMES


def check_admission_request(data: bytes) -> None:
    """A request to the webhook is a review, or none of an API server."""
    try:
        uid, review = _parse(data)
    except web.HTTPBadRequest:
        return
    assert isinstance(uid, str)
    assert isinstance(review.operation, str)


def check_printable_text(data: bytes) -> None:
    """Text of others is one line, and stays as it is after that."""
    text = data.decode("utf-8", errors="surrogateescape")
    shown = printable(text)
    assert_message(shown)
    assert printable(shown) == shown
    assert excerpt(text, 200).isprintable()
    assert len(excerpt(text, 200)) <= 200


def check_metrics(data: bytes) -> None:
    """Metrics of a server are numbers that can be reckoned with, or one printable line about what is wrong."""
    text = data.decode(errors="replace")
    with _reported():
        load = parse_load(text)
        assert all(isfinite(value) and value >= 0 for value in dataclasses.astuple(load))
    with _reported():
        counters = parse_counters(text)
        assert all(isfinite(value) and value >= 0 for value in (*counters.statuses.values(), counters.answers, counters.seconds))
        assert counters.process is None or isfinite(counters.process)


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        assert_message(str(error))


_YAML = pieces(*samples.YAML_FRAGMENTS)
_LABELS = st.dictionaries(texts, texts, max_size=3) | anything
TARGETS = {
    target.name: target
    for target in (
        Target(check_workspace_record, mutated([*samples.WORKSPACES, *samples.INFERENCE_SETS]).map(as_json)),
        Target(check_workspace_model, mutated(samples.WORKSPACES).map(as_json)),
        Target(check_inference_set_model, mutated(samples.INFERENCE_SETS).map(as_json)),
        Target(check_verdict, mutated([*samples.WORKSPACES, *samples.INFERENCE_SETS]).map(as_json)),
        Target(check_status, mutated(samples.WORLDS).map(as_json)),
        Target(check_companion, mutated(samples.COMPANIONS).map(as_json)),
        Target(check_yaml_of_tenants, _YAML),
        Target(check_yaml_of_files, _YAML),
        Target(check_metrics, pieces(*samples.METRICS_FRAGMENTS)),
        Target(check_settings_file, mutated(samples.SETTINGS).map(as_json) | _YAML),
        Target(check_managed_fields, (mutated([samples.MANAGED_FIELDS]) | deep_mappings).map(as_json)),
        Target(check_records, mutated(samples.OBJECTS).map(as_json)),
        Target(check_flux, mutated(samples.FLUX).map(as_json)),
        Target(check_label_selector, mutated([samples.SELECTOR]).map(as_json)),
        Target(check_scope, pieces("a", "=", "==", "!=", "!", " in ", "notin", "(", ")", ",", " ", "b/c", "x-y_z.")),
        Target(check_watch_line, pieces("[", "]", "{", "}", '"a":', '"', "\\", ",", "1", "null", "1e9", "\\ud800", '{"a":', '"x"')),
        Target(check_chart_values, mutated(samples.PICKERS).map(as_json)),
        Target(check_helm_output, mutated(samples.RENDERED).map(as_json) | _YAML),
        Target(check_model_list, mutated([samples.MODELS]).map(as_json) | pieces('{"data":', "[", "]", '{"id":', '"a"', "}", ",")),
        Target(
            check_model_files,
            mutated(samples.MODEL_CONFIGS).map(as_json)
            | pieces('{"metadata": {"total_size": ', "1", "}", "{", "[", '"a":', "NaN", "1e999"),
        ),
        Target(check_probe_answer, pieces(*samples.HTTP_FRAGMENTS)),
        Target(
            check_admission_request,
            mutated([samples.REVIEW]).map(as_json) | pieces('"uid": "a"', '"operation": "CREATE"', "{", "}"),
        ),
        Target(check_printable_text, pieces(*ODD_TEXTS)),
    )
}
assert MOST_LEVELS < KEPT_LEVELS
