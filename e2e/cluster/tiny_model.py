"""A language model of some 40 KB in llama.cpp's file format (GGUF version 3), with weights that chance made.

It babbles letters, but it is a model to every program that reads the format: with a vocabulary, a chat template and attention.
The layout of the file is that of ggml's description of GGUF: header, metadata, directory of tensors, tensors.
"""

import random
import struct
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

ALIGNMENT: Final = 32
CONTEXT: Final = 4096
_WIDTH: Final = 16
_HEADS: Final = 2
_INNER: Final = 32
_SEED: Final = 20

_U32, _I32, _F32, _STRING, _ARRAY = 4, 5, 6, 8, 9
"""Numbers of value types in the metadata."""
_FLOATS: Final = 0
"""Number of the tensor type: 32-bit floats."""

_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
"""Kinds of tokens."""
_LETTERS: Final = " etaoinshrdlucmfwypvbgkqjxz"
_TEMPLATE: Final = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}assistant:"

_Value: TypeAlias = int | float | str | Sequence[int] | Sequence[float] | Sequence[str]
_Tensor: TypeAlias = tuple[str, tuple[int, ...], list[float]]


def gguf() -> bytes:
    """Return the file; always the same bytes."""
    metadata, tensors = list(_metadata()), list(_tensors())
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(_text(key) + _value(value) for key, value in metadata)
    offset, data = 0, b""
    for name, shape, weights in tensors:
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, _FLOATS, offset)
        data += _padded(struct.pack(f"<{len(weights)}f", *weights))
        offset = len(data)
    return _padded(head) + data


def _metadata() -> Iterable[tuple[str, _Value]]:
    tokens = _tokens()
    yield from (("general.architecture", "llama"), ("general.name", "tiny"), ("general.alignment", ALIGNMENT))
    yield from (("llama.context_length", CONTEXT), ("llama.embedding_length", _WIDTH), ("llama.block_count", 1))
    yield from (("llama.feed_forward_length", _INNER), ("llama.rope.dimension_count", _WIDTH // _HEADS))
    yield from (("llama.attention.head_count", _HEADS), ("llama.attention.head_count_kv", _HEADS))
    yield ("llama.attention.layer_norm_rms_epsilon", 1e-5)
    yield ("tokenizer.ggml.model", "llama")
    yield ("tokenizer.ggml.tokens", [token for token, _ in tokens])
    yield ("tokenizer.ggml.scores", [-float(index) for index in range(len(tokens))])
    yield ("tokenizer.ggml.token_type", [kind for _, kind in tokens])
    yield from (("tokenizer.ggml.unknown_token_id", 0), ("tokenizer.ggml.bos_token_id", 1), ("tokenizer.ggml.eos_token_id", 2))
    yield ("tokenizer.chat_template", _TEMPLATE)


def _tokens() -> list[tuple[str, int]]:
    special = [("<unk>", _UNKNOWN), ("<s>", _CONTROL), ("</s>", _CONTROL)]
    octets = [(f"<0x{octet:02X}>", _BYTE) for octet in range(256)]
    letters = [(letter.replace(" ", "\N{LOWER ONE EIGHTH BLOCK}"), _NORMAL) for letter in _LETTERS]
    return [*special, *octets, *letters]


def _tensors() -> Iterable[_Tensor]:
    chance = random.Random(_SEED)  # noqa: S311 - weights, not secrets
    vocabulary = len(_tokens())

    def noise(name: str, *shape: int, scale: float = 0.3) -> _Tensor:
        count = shape[0] * shape[1]
        return name, shape, [chance.gauss(0, scale) for _ in range(count)]

    def ones(name: str) -> _Tensor:
        return name, (_WIDTH,), [1.0] * _WIDTH

    yield noise("token_embd.weight", _WIDTH, vocabulary)
    yield ones("blk.0.attn_norm.weight")
    for part in ("q", "k", "v", "output"):
        yield noise(f"blk.0.attn_{part}.weight", _WIDTH, _WIDTH)
    yield ones("blk.0.ffn_norm.weight")
    yield noise("blk.0.ffn_gate.weight", _WIDTH, _INNER)
    yield noise("blk.0.ffn_up.weight", _WIDTH, _INNER)
    yield noise("blk.0.ffn_down.weight", _INNER, _WIDTH)
    yield ones("output_norm.weight")
    # Letters alone have a chance: an answer is text, and it ends only where the request says so.
    silent = vocabulary - len(_LETTERS)
    name, shape, spoken = noise("output.weight", _WIDTH, len(_LETTERS), scale=3.0)
    yield name, (shape[0], vocabulary), [0.0] * (_WIDTH * silent) + spoken


def _value(value: _Value) -> bytes:
    if isinstance(value, Sequence) and not isinstance(value, str):
        kind, _ = _scalar(value[0])
        kind = _I32 if kind == _U32 else kind  # the same bytes for small numbers; kinds of tokens are read as signed
        return struct.pack("<IIQ", _ARRAY, kind, len(value)) + b"".join(_scalar(entry)[1] for entry in value)
    kind, packed = _scalar(value)
    return struct.pack("<I", kind) + packed


def _scalar(value: float | str) -> tuple[int, bytes]:
    match value:
        case str():
            return _STRING, _text(value)
        case int():
            return _U32, struct.pack("<I", value)
        case _:
            return _F32, struct.pack("<f", value)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGNMENT)
