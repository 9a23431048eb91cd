"""One object that is too deep never spoils the reading of others, and what cannot be written is refused with the reason."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.kube.decoding import KEPT_LEVELS, decode, encode, without_depths
from workspace_ctrl.kube.errors import RejectedError

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(alphabet='a"\\[]{}é\n'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='k"\\[{', max_size=3), inner, max_size=4),
    max_leaves=40,
)


def cut(value, levels):
    """The same by recursion over the document: what `without_depths` must leave."""
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        return None
    if isinstance(value, dict):
        return {name: cut(child, levels - 1) for name, child in value.items()}
    return [cut(child, levels - 1) for child in value]


@given(document=DOCUMENTS, levels=st.integers(0, 6), spaced=st.booleans())
def test_what_is_too_deep_becomes_null_and_all_else_stays(document, levels, spaced):
    text = json.dumps(document, indent=1 if spaced else None, ensure_ascii=False).encode()
    assert orjson.loads(without_depths(text, levels)) == cut(document, levels)


@given(document=DOCUMENTS)
async def test_sound_texts_are_read_as_they_are(document):
    assert await decode(json.dumps(document).encode()) == document


def nested(levels: int, opening: bytes, closing: bytes) -> bytes:
    return opening * levels + b"1" + closing * levels


@pytest.mark.parametrize("levels", [1_500, 20_000])
@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        pytest.param(b"[", b"]", id="lists"),
        pytest.param(b'{"a":', b"}", id="mappings"),
        pytest.param(b'[{"]":', b"}]", id="both"),
        pytest.param(b'{"b":[],"a":[{}, ', b'],"c":"{"}', id="with neighbours"),
    ],
)
async def test_objects_around_one_that_is_too_deep_are_read(levels, opening, closing):
    text = b'{"items":[{"name":"first"},{"name":"deep","spec":%b},{"name":"last"}]}' % nested(levels, opening, closing)
    first, deep, last = (await decode(text))["items"]
    assert (first, deep["name"], last) == ({"name": "first"}, "deep", {"name": "last"})


async def test_what_is_kept_can_be_written_again():
    document = await decode(nested(5_000, b"[", b"]"))
    assert len(encode(document)) == 2 * KEPT_LEVELS + len(b"null")


@pytest.mark.parametrize("text", [b"", b"[" * 5_000, b'{"a":' * 5_000 + b'"', b"[1,]", b"NaN", b"1" * 10_000, b'"\\ud800"'])
async def test_what_is_no_json_is_no_json_however_deep_it_is(text):
    with pytest.raises(ValueError, match="line 1|zero-length"):
        await decode(text)


DEEP: list[object] = []
for _ in range(300):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"spec": DEEP}, id="too deep"),
        pytest.param({"spec": 2**70}, id="a number beyond 64 bits"),
        pytest.param({"spec": "\ud800"}, id="half a character"),
        pytest.param({"spec": {1: 2}}, id="a key that is no text"),
        pytest.param({"spec": object()}, id="no data"),
    ],
)
def test_what_json_cannot_hold_is_refused_as_the_api_server_would(document):
    with pytest.raises(RejectedError, match="cannot be encoded as JSON"):
        encode(document)
