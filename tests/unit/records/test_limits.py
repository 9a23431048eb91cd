"""How large what others write may be to be kept in memory: just as large as that, and no larger."""

import json
import secrets

import pytest

from workspace_ctrl.api.labels import FIELD_MANAGER, STATUS_ANNOTATION
from workspace_ctrl.records.companion_status import parse_companion_record
from workspace_ctrl.records.gateways import parse_http_route
from workspace_ctrl.records.managed_fields import owned_fields, unpacked
from workspace_ctrl.records.unreadable_objects import isolated
from workspace_ctrl.records.workspaces import pack_status, parse_workspace_record

KIB = 1024
META = {"name": "x", "namespace": "ns", "uid": "1"}


def room(document, size):
    """How many characters an empty text in a document can have, for so many bytes of JSON in all."""
    return size - len(json.dumps(document, separators=(",", ":")))


def is_read_route(size):
    """Whether a route with a spec of so many bytes of JSON is read."""
    spec = {"hostnames": [""]}
    spec["hostnames"] = ["h" * room(spec, size)]
    return not isolated(parse_http_route)({"metadata": META, "spec": spec}, "HTTPRoute").meta.unreadable


def keeps_fields(size, text=None):
    """Whether fields of ours of so many bytes of JSON are kept; without another `text` for their name, they compress well."""
    empty = {"f:metadata": {}, "f:spec": {"": {}}}
    name = (text or "n" * size)[: room(empty, size)]
    entry = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": empty | {"f:spec": {name: {}}}}
    return bool(unpacked(owned_fields({"managedFields": [entry]})))


def keeps_status(size):
    """Whether a status of so many bytes of JSON is kept with what is not ours."""
    status = {"other": ""}
    status["other"] = secrets.token_hex(size)[: room(status, size)]
    return len(pack_status(status)) > KIB


def reads_noted_status(size):
    """Whether a status in the annotation of companion mode with so many characters is read."""
    noted = {"gateway": {"url": "http://gateway"}, "other": ""}
    noted["other"] = "o" * (size - len(json.dumps(noted)))
    raw = {"metadata": {**META, "annotations": {STATUS_ANNOTATION: json.dumps(noted)}}}
    return parse_companion_record(raw, "Workspace").status.gateway is not None


def is_plain_spec(size):
    """Whether a spec of so many bytes of JSON is kept as it is, which is faster, and not compressed."""
    fields = {"inference": {"x": ""}}
    fields["inference"]["x"] = "x" * room(fields, size)
    record = parse_workspace_record({"metadata": META, **fields}, "Workspace")
    return len(record.spec) == record.spec_size == size


@pytest.mark.parametrize(
    ("holds", "most"),
    [
        pytest.param(is_read_route, 64 * KIB, id="an HTTPRoute"),
        pytest.param(keeps_fields, KIB * KIB, id="our managed fields"),
        pytest.param(keeps_status, 64 * KIB, id="a status"),
        pytest.param(reads_noted_status, 64 * KIB, id="a status in an annotation"),
        pytest.param(is_plain_spec, 16 * KIB, id="a spec that is not compressed"),
    ],
)
def test_the_limit_is_where_it_is_said(holds, most):
    assert (holds(most), holds(most + 1)) == (True, False)


def test_fields_that_compress_badly_have_a_smaller_limit():
    """Hexadecimal digits take half a byte each."""
    digits = secrets.token_hex(160 * KIB)
    assert (keeps_fields(100 * KIB, digits), keeps_fields(160 * KIB, digits)) == (True, False)
