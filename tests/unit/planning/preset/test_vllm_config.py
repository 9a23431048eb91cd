"""`inference.config` of somebody who means harm: refused with the reason, and read in milliseconds."""

import time

import pytest

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.yaml.documents import TENANTS
from workspace_ctrl.planning.preset.vllm_config import EngineConfig, config_text, parse_engine_config

LONGEST = TENANTS.size
SLOWEST = {
    "flags": "vllm:\n" + "".join(f"  a{n}: 1\n" for n in range(1020)),
    "words": "vllm: {a: [" + "b," * 2040 + "]}",
    "numbers": "vllm: {a: [" + "1.5e+300," * 2040 + "]}",
    "numbers to the base of 60": "vllm: {a: [" + f"1{':59' * 20}," * 1000 + "]}",
    "too many words": "vllm: {a: [" + "b," * 30_000 + "]}",
    "brackets": "[" * LONGEST,
    "braces": "{" * LONGEST,
    "dashes": "- " * (LONGEST // 2),
    "questions": "? " * (LONGEST // 2),
    "anchors": "- &a b\n" * (LONGEST // 7),
    "documents": "---\n" * (LONGEST // 4),
    "escapes": 'a: "' + "\\n" * (LONGEST // 2 - 4) + '"',
    "lines of a text": "a\n" * (LONGEST // 2),
    "comments": "#\n" * (LONGEST // 2),
    "steps to the right": "\n".join(" " * n + "a:" for n in range(340)),
    "merge keys": "a: &a {x: 1}\n" + "".join(f"a{n}: &a {{<<: [{'*a,' * 9}]}}\n" for n in range(12)),
}


@pytest.mark.parametrize("text", SLOWEST.values(), ids=SLOWEST)
def test_the_worst_that_fits_takes_milliseconds(text):
    assert len(text.encode()) <= LONGEST

    def took():
        began = time.thread_time()
        try:
            parse_engine_config(text)
        except SpecError as error:
            assert error.path == "inference.config"
        return time.thread_time() - began

    assert any(took() < 0.05 for _ in range(5))


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        pytest.param(
            "a: &a {x: 1}\nvllm: {<<: *a}",
            "inference_config.yaml has the merge key << in line 2",
            "replace it with the keys and values",
            id="merge key",
        ),
        pytest.param(
            "vllm: {max-model-len: 4096, max_model_len: 8192}",
            "vllm.max-model-len is set twice, with underscores and with hyphens",
            "keep one of them",
            id="two spellings of a flag",
        ),
        pytest.param(
            "vllm: {no_enable_prefix_caching: true, enable-prefix-caching: true}",
            "vllm.enable-prefix-caching is set twice, also as no-enable-prefix-caching",
            "keep one of them",
            id="a switch and its opposite",
        ),
        pytest.param(
            "vllm: {a: 1}\n---\nvllm: {max-model-len: 4096}",
            "inference_config.yaml has 2 YAML documents, of which only one counts",
            "make them one mapping",
            id="documents",
        ),
        pytest.param(
            "vllm: {a: [" + "b," * 1000 + "]}",
            "inference_config.yaml has more than 1000 flags and list values",
            "remove some",
            id="1,001 words",
        ),
        pytest.param(
            "vllm:\n" + "".join(f"  a{n}: 1\n" for n in range(10_000)),
            "inference_config.yaml is larger than 65536 bytes",
            "remove what is not needed, including comments",
            id="10,000 flags",
        ),
        pytest.param(
            f"vllm: {{a: {'x' * 1_000_000}}}",
            "inference_config.yaml is larger than 65536 bytes",
            "remove what is not needed, including comments",
            id="a flag of 1 MB",
        ),
        pytest.param(
            f"vllm: {{{'a' * 1000}: 1}}",
            f"vllm.{'a' * 64} is not a valid flag name",
            "write its long name as in vllm serve --help, without the leading dashes",
            id="a name of 1,000 letters",
        ),
        pytest.param(
            'vllm: {"a\\e[31m\\u202e": 1}',
            "vllm.a\ufffd[31m\ufffd is not a valid flag name",
            "write its long name as in vllm serve --help, without the leading dashes",
            id="a name that does not print",
        ),
        pytest.param(
            "vllm: {max-model-len: 1" + "0" * 10_000 + "}",
            "inference_config.yaml has a number of 10001 characters in line 1",
            "quote it",
            id="a length of 10,000 digits",
        ),
        pytest.param(
            'vllm: {max-model-len: "\\e[31m"}',
            "vllm.max-model-len must be a whole number of tokens, or auto, not '\ufffd[31m'",
            "",
            id="a length that does not print",
        ),
        pytest.param(
            'vllm: {a: "b\\0c"}',
            "vllm.a contains a NUL character, which a program argument cannot have",
            "remove it",
            id="a NUL character",
        ),
        pytest.param(
            "vllm: {1.5: a, 7: b, true: {}, no-x: .nan}",
            "inference_config.yaml has a number that JSON cannot represent in line 1",
            "quote it",
            id="NaN",
        ),
    ],
)
def test_what_is_refused_says_where_and_what_to_do(text, problem, remedy):
    with pytest.raises(SpecError) as caught:
        parse_engine_config(text)
    assert caught.value == SpecError("inference.config", problem, remedy)


@pytest.mark.parametrize(
    "written",
    [
        "*sk-secret",
        "!sk-secret x",
        '"sk-secret\\q"',
        '"sk-secret\\0"',
        "[sk-secret",
        "[-sk-secret]",
        "@sk-secret",
        "sk-secret: x",
        "{? {sk-secret: 1} : 1}",
        "98765432109876543210",
        "0b_",
    ],
)
def test_no_error_shows_the_value_of_a_key_that_is_written_in_a_wrong_way(written):
    """What is said of a text is in the status and in Events, which more people may read than the ConfigMap."""
    with pytest.raises(SpecError) as caught:
        parse_engine_config(f"vllm:\n  api-key: {written}")
    assert all(part not in str(caught.value) for part in ("secret", "98765", "0b_"))


def test_the_most_that_is_allowed_is_read():
    text = "vllm:\n" + "".join(f"  flag-{n}: {'x' * 40}\n" for n in range(999)) + "  max-model-len: 4096\n"
    assert parse_engine_config(text) == EngineConfig(tuple(f"--flag-{n}={'x' * 40}" for n in range(999)), 4096)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"inference_config.yaml": "vllm: {}"}, "vllm: {}"),
        ({"inference_config.yaml": "x" * 1_000_000}, "x" * (LONGEST + 1)),
        ({"inference_config.yaml": 7}, None),
        ({}, None),
        (None, None),
    ],
)
def test_no_more_of_a_config_map_is_kept_than_shows_that_it_is_too_long(data, text):
    assert config_text(data) == text


def test_empty_documents_around_the_mapping_are_no_others():
    assert parse_engine_config("---\n# flags\n---\nvllm: {max-model-len: 4096}\n---\n").max_model_len == 4096


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("no-enable-prefix-caching: true", ("--no-enable-prefix-caching",)),
        ('no-enable-prefix-caching: "True"', ("--no-enable-prefix-caching",)),
        ("no-enable-prefix-caching: false", ("--enable-prefix-caching",)),
        ("enable-prefix-caching: false", ("--no-enable-prefix-caching",)),
        ("no-enable-prefix-caching: 3", ("--no-enable-prefix-caching=3",)),
        ("no-enable-prefix-caching:", ()),
    ],
)
def test_a_switch_that_is_off_is_written_in_one_way(text, flags):
    """There is no --no-no-x."""
    assert parse_engine_config(f"vllm: {{{text}}}" if text[-1] != ":" else f"vllm:\n  {text}").flags == flags


@pytest.mark.parametrize(("name", "field"), [("enable-chunked-prefill", "whole_prompts"), ("enable-lora", "lora")])
def test_sizing_reads_a_switch_in_both_spellings(name, field):
    on, off, also_off, also_on = (
        getattr(parse_engine_config(f"vllm: {{{text}}}").memory, field)
        for text in (f"{name}: true", f"{name}: false", f"no-{name}: true", f"no-{name}: false")
    )
    assert (on, off) == (also_on, also_off)
    assert on != off
