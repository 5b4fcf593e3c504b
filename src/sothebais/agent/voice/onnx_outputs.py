"""One more output of an ONNX model, without the package that edits them.

A Piper voice computes how long each phoneme lasts and tells nobody. ONNX files are protocol buffers, and two messages
one after the other are read as one merged message: so appending a model that holds nothing but a declared output
declares it. Wire format: https://protobuf.dev/programming-guides/encoding/; fields: onnx.proto3.
"""

from collections.abc import Iterator
from typing import Final

_MODEL_GRAPH: Final = 7
_GRAPH_NODE: Final = 1
_GRAPH_OUTPUT: Final = 12
_NODE_OUTPUT: Final = 2
_NODE_OPERATION: Final = 4
_BYTES: Final = 2
#: TypeProto { tensor_type { elem_type: FLOAT } }
_FLOAT_TENSOR: Final = b"\x0a\x02\x08\x01"
_FIXED_SIZES: Final = {1: 8, 5: 4}


class NotReadable(ValueError):
    """These bytes are not an ONNX model."""


def outputs_of(model: bytes, operation: str) -> list[str]:
    """Names of what all nodes of an operation, such as ``Ceil``, give out. Raises NotReadable."""
    view = memoryview(model)
    found: list[str] = []
    for graph in _children(view, _MODEL_GRAPH):
        for node in _children(graph, _GRAPH_NODE):
            if any(bytes(name) == operation.encode() for name in _children(node, _NODE_OPERATION)):
                found += [bytes(name).decode() for name in _children(node, _NODE_OUTPUT)]
    return found


def with_output(model: bytes, name: str) -> bytes:
    """The model with the float tensor ``name``, which one of its nodes computes, as one more output."""
    declared = _field(1, name.encode()) + _field(2, _FLOAT_TENSOR)
    return model + _field(_MODEL_GRAPH, _field(_GRAPH_OUTPUT, declared))


def _children(message: memoryview, wanted: int) -> Iterator[memoryview]:
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _BYTES:
            length, at = _varint(message, at)
            if at + length > end:
                raise NotReadable("a field is longer than its message")
            if number == wanted:
                yield message[at : at + length]
            at += length
        elif kind == 0:
            _, at = _varint(message, at)
        elif kind in _FIXED_SIZES:
            at += _FIXED_SIZES[kind]
        else:
            raise NotReadable(f"wire type {kind} is not used by ONNX")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        if at >= len(message):
            raise NotReadable("the message ends within a number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise NotReadable("a number is too long")


def _field(number: int, content: bytes) -> bytes:
    return _number(number << 3 | _BYTES) + _number(len(content)) + content


def _number(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
