"""What requests through Gateways carry is read from a Secret of the installation."""

import json

import pytest

from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError
from workspace_ctrl.probe.credentials import Credentials, credentials_reader


@pytest.fixture
def read(installed, connection, plane_namespace):
    """Return what makes a Secret and reads it as the controller does."""

    async def create_and_read(**values):
        metadata = {"name": "probe", "namespace": plane_namespace}
        document = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
        installed.kubectl("apply", "-f", "-", input=json.dumps(document))
        return await credentials_reader(Client(connection, "tests"), (plane_namespace, "probe"))()

    return create_and_read


async def test_a_token_is_read_without_the_line_break_that_editors_add(read):
    assert await read(token="abc\n") == Credentials(token="abc")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"password": "hunter2"}, "has neither token nor ca.crt, nor tls.crt with tls.key"),
        ({"ca.crt": "hunter2"}, "contains no PEM certificates"),
    ],
)
async def test_a_secret_that_cannot_be_used_is_said_without_its_content(read, values, words):
    with pytest.raises(ApiError) as caught:
        await read(**values)
    assert words in str(caught.value)
    assert not any(value in str(caught.value) for value in values.values())


async def test_without_a_secret_nothing_is_read(connection):
    assert await credentials_reader(Client(connection, "tests"), None)() == Credentials()


async def test_a_secret_that_is_missing_is_said(connection, plane_namespace):
    with pytest.raises(ApiError, match='secrets "gone" not found'):
        await credentials_reader(Client(connection, "tests"), (plane_namespace, "gone"))()
