"""Bytes only: quantisation, entropy coding and the `.dnerv` container. See docs/format.md."""

from dnerv.bitstream.chunks import (
    PacketGroup,
    PacketTable,
    decode_packet_table,
    encode_packet_table,
    packet_group_crc32s,
)
from dnerv.bitstream.container import Container
from dnerv.bitstream.container_writing import check_target, write_container
from dnerv.bitstream.json_section import JSON_LIMIT, decode_json, encode_json
from dnerv.bitstream.quantisation import QuantisedTensor, quantisation_axis, quantise
from dnerv.bitstream.section_table import FORMAT_VERSION
from dnerv.bitstream.weights import describe_weights, pack_weights, unpack_weights

__all__ = [
    "FORMAT_VERSION",
    "JSON_LIMIT",
    "Container",
    "PacketGroup",
    "PacketTable",
    "QuantisedTensor",
    "check_target",
    "decode_json",
    "decode_packet_table",
    "describe_weights",
    "encode_json",
    "encode_packet_table",
    "pack_weights",
    "packet_group_crc32s",
    "quantisation_axis",
    "quantise",
    "unpack_weights",
    "write_container",
]
