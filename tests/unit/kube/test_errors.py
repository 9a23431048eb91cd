"""Errors are typed once, by what to do about them."""

import json

import pytest

from workspace_ctrl.kube.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    KindNotServedError,
    NotFoundError,
    RejectedError,
    RetryableError,
    error_of,
)

CRD_GOING = "x is forbidden: create not allowed while custom resource definition is terminating"


def status(message):
    return json.dumps({"kind": "Status", "message": message}).encode()


@pytest.mark.parametrize(
    ("code", "body", "type_", "message"),
    [
        (400, status("bad"), RejectedError, "bad"),
        (401, status("who?"), RetryableError, "who?"),
        (403, status("exceeded quota"), ForbiddenError, "exceeded quota"),
        (
            403,
            status("x is forbidden: create not allowed while custom resource definition is terminating"),
            RetryableError,
            "x is forbidden: create not allowed while custom resource definition is terminating",
        ),
        (404, status('deployments.apps "x" not found'), NotFoundError, 'deployments.apps "x" not found'),
        (404, b"404 page not found\n", KindNotServedError, "404 page not found"),
        (
            404,
            b"<html><h1>Not\nFound</h1></html>\n",
            RetryableError,
            "the response is not one of a Kubernetes API server (404: '<html><h1>Not\\nFound</h1></html>'); check the API server's address",
        ),
        (409, status("conflict"), ConflictError, "conflict"),
        (410, status("too old"), GoneError, "too old"),
        (422, status("invalid"), RejectedError, "invalid"),
        (429, status("slow down"), RetryableError, "slow down"),
        (500, b"", RetryableError, "HTTP 500"),
        (
            500,
            status("failed to create typed patch object: errors:\n  .b: is no number\n  .a: is no text"),
            RejectedError,
            "failed to create typed patch object: errors: .a: is no text; .b: is no number",
        ),
        (500, status("etcdserver: request is too large"), RejectedError, "etcdserver: request is too large"),
        (503, b"\xff\xfe", RetryableError, "��"),
    ],
)
def test_error_of(code, body, type_, message):
    error = error_of(code, body)
    assert type(error) is type_
    assert error.message == message
    assert error.status == code


@pytest.mark.parametrize(
    ("headers", "seconds"), [({}, 0), ({"Retry-After": "7"}, 7), ({"Retry-After": "Sat, 21 Nov 2026 08:00:00 GMT"}, 0)]
)
def test_the_wait_that_the_server_asks_for_is_kept(headers, seconds):
    assert error_of(429, status("slow down"), headers).retry_after == seconds
