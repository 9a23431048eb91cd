"""Scalars of YAML: our commands read and print them as kubectl reads them."""

import json

import pytest

from workspace_ctrl.api.yaml.documents import parse_documents
from workspace_ctrl.cli.output import to_yaml

NUMBERS = """
1e3 1E3 1.5e3 1e+3 -1e3 12e03 5. .5 +.5 -.5e1 .5e 0.1e 1_000 1_0.5 1__0 _1 1,000
0o17 0O17 017 08 00 0o 0x1F +0x1 0x_1 0x_ 0b11 -0b1 0b2 -0 +1 9223372036854775807
"""
OTHERS = """
1:30 12:30:45 1:30.5 22:22 2024-01-01 2024-01-01T00:00:00Z = <<x "1" v1.0 1.2.3
y Y n N yes Yes YES yEs no on On off true True TRUE tRUE ~ null Null nULL
"""
SCALARS = (*NUMBERS.split(), *OTHERS.split(), "!!str 1")


@pytest.fixture
def as_kubectl_reads(plane):
    def read(text):
        head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: any}\n"
        command = ("patch", "--local", "-f", "-", "--type=merge", "-p", "{}", "-o", "json")
        return json.loads(plane.kubectl(*command, input=head + text))["x"]

    return read


def test_they_are_read_as_by_kubectl(as_kubectl_reads):
    text = "x:\n" + "".join(f"  v{number}: {scalar}\n" for number, scalar in enumerate(SCALARS))
    ours, theirs = parse_documents(text)[0]["x"], as_kubectl_reads(text)
    for number, scalar in enumerate(SCALARS):
        mine, other = ours[f"v{number}"], theirs.get(f"v{number}")
        assert (type(mine), mine) == (type(other), other), scalar


def test_texts_that_are_printed_are_texts_for_kubectl(as_kubectl_reads):
    document = {f"v{number}": scalar for number, scalar in enumerate(SCALARS)}
    assert as_kubectl_reads(to_yaml({"x": document})) == document
