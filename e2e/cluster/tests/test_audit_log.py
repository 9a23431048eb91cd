"""What was seen to happen is in the audit log when somebody reads it."""

import json
import threading
import time
from pathlib import Path

import pytest

from e2e.cluster import audit_log
from e2e.cluster.local import LocalCluster

RECEIVED, FINISHED, PANIC = "RequestReceived", "ResponseComplete", "Panic"


def line(number: int, stage: str, **target: str) -> str:
    return json.dumps({"auditID": str(number), "stage": stage, "objectRef": target}) + "\n"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(audit_log, "_PATIENCE_SECONDS", 0.2)
    return tmp_path / "audit.log"


def numbers(log: Path, word: str = "") -> list[str]:
    return [event["auditID"] for event in audit_log.AuditLog(log).finished_calls(word, 0)]


def test_a_write_that_has_begun_is_waited_for(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "_PATIENCE_SECONDS", 60.0)
    log.write_text(line(1, RECEIVED) + line(1, FINISHED) + line(2, RECEIVED))
    waited = threading.Event()

    def finish(_: float) -> None:
        waited.set()
        with log.open("a") as end:
            end.write(line(2, FINISHED))

    monkeypatch.setattr(time, "sleep", finish)
    assert numbers(log) == ["1", "2"]
    assert waited.is_set()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param(line(1, FINISHED), ["1"], id="a read"),
        pytest.param(line(1, RECEIVED) + line(1, PANIC), [], id="a write that was cut off"),
        pytest.param(line(1, RECEIVED, subresource="exec"), [], id="a stream that lasts"),
        pytest.param(line(1, RECEIVED)[:-1], [], id="half a line"),
    ],
)
def test_nothing_else_is_waited_for(log: Path, lines: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_text(lines)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    assert numbers(log) == expected


def test_the_writes_of_a_killed_api_server_are_not_waited_for_long(log: Path) -> None:
    log.write_text(line(1, RECEIVED) + line(2, RECEIVED) + line(2, FINISHED))
    assert numbers(log) == ["2"]


def test_and_only_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_text(line(1, RECEIVED))
    calls = audit_log.AuditLog(log)
    assert calls.finished_calls("", 0) == []
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    assert calls.finished_calls("", 0) == []


def test_a_line_that_is_half_written_is_read_when_it_is_whole(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "_PATIENCE_SECONDS", 60.0)
    text = line(1, FINISHED)
    log.write_text(line(1, RECEIVED) + text[:30])

    def finish(_: float) -> None:
        with log.open("a") as end:
            end.write(text[30:])

    monkeypatch.setattr(time, "sleep", finish)
    assert numbers(log) == ["1"]


def test_other_people_s_writes_are_not_waited_for(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_text(line(1, RECEIVED, namespace="theirs") + line(2, FINISHED, namespace="ours"))
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    assert numbers(log, "ours") == ["2"]


def test_a_log_that_is_not_there_has_no_calls(log: Path) -> None:
    assert numbers(log) == []


def test_the_api_server_logs_when_a_write_begins_and_only_the_end_of_a_read(plane: LocalCluster, plane_namespace: str) -> None:
    since = plane.audit_place()
    plane.kubectl("create", "configmap", "one", "-n", plane_namespace, actor="user")
    plane.kubectl("get", "configmap", "one", "-n", plane_namespace, actor="user")
    calls = [event for event in plane.audit_events("user", since) if event.get("objectRef", {}).get("name") == "one"]
    by_id = {event["auditID"]: event["verb"] for event in calls}
    with plane.places.audit_log.open() as whole:
        events = [json.loads(text) for text in whole if any(number in text for number in by_id)]
    stages = [(by_id[event["auditID"]], event["stage"]) for event in events]
    assert stages == [("create", RECEIVED), ("create", FINISHED), ("get", FINISHED)]
