"""Bytes only: quantisation, entropy coding, lists of integers and the `.dnerv` container. See docs/format.md."""

from dnerv.bitstream.container import Container, Identity
from dnerv.bitstream.container_writing import Appender, changed_container, check_target, new_container
from dnerv.bitstream.header import FORMAT_VERSION, Section
from dnerv.bitstream.integers import (
    Cursor,
    Integers,
    decode_integers,
    encode_integers,
    split_integers,
    unzigzag,
    zigzag,
)
from dnerv.bitstream.json_section import JSON_LIMIT, decode_json, encode_json
from dnerv.bitstream.quantisation import QuantisedTensor, quantisation_axis, quantise
from dnerv.bitstream.storage import is_url
from dnerv.bitstream.weights import describe_weights, pack_weights, unpack_weights

__all__ = [
    "FORMAT_VERSION",
    "JSON_LIMIT",
    "Appender",
    "Container",
    "Cursor",
    "Identity",
    "Integers",
    "QuantisedTensor",
    "Section",
    "changed_container",
    "check_target",
    "decode_integers",
    "decode_json",
    "describe_weights",
    "encode_integers",
    "encode_json",
    "is_url",
    "new_container",
    "pack_weights",
    "quantisation_axis",
    "quantise",
    "split_integers",
    "unpack_weights",
    "unzigzag",
    "zigzag",
]
