"""Flags that the rest of the chain depends on: refused with the way out, unless they are off, as they are by default."""

import pytest

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.vllm import flags, refused_flags
from workspace_ctrl.planning.preset.vllm_config import parse_engine_config
from workspace_ctrl.planning.vllm.refused_flags import check_refused


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("model: a/b", "set inference.preset.name"),
        ("served-model-name: a", "set gateway.aliases"),
        ("lora-modules: ['a=/b']", "set inference.adapters"),
        ("port: 80", "remove it"),
        ("uds: /x", "remove it"),
        ("config: /x.yaml", "write its flags under vllm"),
        ("ssl-certfile: /x", "set TLS on a listener of the Gateway"),
        ("ssl-ca-certs: /x", "set TLS on a listener of the Gateway"),
        ("enable_ssl_refresh: true", "set TLS on a listener of the Gateway"),
        ("root-path: /x", "set gateway.match.path"),
        ("grpc: true", "remove it"),
        ('grpc: "True"', "remove it"),
        ("no-grpc: false", "remove it"),
        ("grpc-port: 50051", "remove it"),
        ("tokens-only: true", "remove it"),
        ("disable-log-stats: true", "remove it"),
        ("headless: true", "remove it"),
        ("hf-token: hf_abc", "set inference.preset.presetOptions.modelAccessSecret"),
        ("data-parallel-external-lb: true", "set only data-parallel-size"),
        ("api-server-count: 0", "must be a whole number of at least 1"),
        ("port: false", "remove it"),
    ],
)
@pytest.mark.parametrize("version", [(0, 11, 2), (0, 33, 0), None])
def test_it_is_refused_with_the_way_out_by_every_version(text, way_out, version):
    with pytest.raises(SpecError, match="inference.config") as caught:
        parse_engine_config(f"vllm: {{{text}}}", version)
    assert way_out in str(caught.value)
    assert "hf_abc" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("disable-log-stats: false", ()),
        ("no-disable-log-stats: true", ()),
        ("headless: 'false'", ()),
        ("data-parallel-hybrid-lb: false", ("--no-data-parallel-hybrid-lb",)),
        ("port: null", ()),
        ("api-server-count: 2", ("--api-server-count=2",)),
        ("disable-frontend-multiprocessing: true", ("--disable-frontend-multiprocessing",)),
        ("disable-fastapi-docs: true", ("--disable-fastapi-docs",)),
    ],
)
def test_what_is_off_or_takes_nothing_away_is_accepted(text, arguments):
    assert parse_engine_config(f"vllm: {{{text}}}").flags == arguments


def test_all_of_them_are_flags():
    assert refused_flags().keys() - flags().keys() == set()


@pytest.mark.parametrize("name", refused_flags())
def test_each_says_why(name):
    with pytest.raises(SpecError, match=f"vllm.{name} cannot be set: .+; .+"):
        check_refused({name: "x"})
