"""The compact protocol of Parquet's metadata, against a writer made after its specification."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.readers.thrift import MalformedError, read_struct

TRUE, FALSE, BYTE, I32, I64, DOUBLE, BINARY, LIST, MAP, STRUCT, UUID = 1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13


def unsigned(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def signed(value):
    return unsigned(2 * value if value >= 0 else -2 * value - 1)


def text(value):
    return unsigned(len(value)) + value


def listed(kind, values):
    head = bytes([len(values) << 4 | kind]) if len(values) < 15 else bytes([15 << 4 | kind]) + unsigned(len(values))
    return head + b"".join(values)


def struct(*fields):
    """Fields of (number, kind, bytes)."""
    out, last = b"", 0
    for number, kind, value in fields:
        step = number - last
        out += (bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + signed(number)) + value
        last = number
    return out + b"\0"


NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)


@settings(deadline=None)
@given(
    st.dictionaries(st.integers(1, 400), NUMBERS, max_size=8), st.binary(max_size=200), st.lists(NUMBERS, max_size=20)
)
def test_what_is_written_is_read(numbers, value, values):
    fields = [(number, I64, signed(one)) for number, one in sorted(numbers.items())]
    fields += [(500, BINARY, text(value)), (501, LIST, listed(I64, [signed(one) for one in values]))]
    fields += [(502, STRUCT, struct((1, I32, signed(-5)), (2, BINARY, text(value))))]
    fields += [(503, LIST, listed(STRUCT, [struct((3, I32, signed(one))) for one in values]))]
    data = struct(*fields)
    wanted = {**dict.fromkeys(range(502)), 502: {1: None}, 503: {3: None}}
    found, end = read_struct(b"\xff" + data + b"\xff", 1, wanted)
    expected = {**numbers, 500: value, 501: values, 502: {1: -5}, 503: [{3: one} for one in values]}
    assert found == expected
    assert end == 1 + len(data)


def test_what_is_not_wanted_is_passed_over_whatever_it_is():
    fields = [
        (1, TRUE, b""), (2, FALSE, b""), (3, BYTE, b"\x07"), (4, DOUBLE, b"12345678"), (5, UUID, b"u" * 16),
        (6, MAP, b"\0"), (7, MAP, unsigned(2) + bytes([BINARY << 4 | I32]) + (text(b"key") + signed(9)) * 2),
        (8, LIST, listed(TRUE, [b"\1"] * 20)), (9, LIST, listed(DOUBLE, [b"12345678"] * 3)),
        (10, LIST, listed(BINARY, [text(b"a"), text(b"")])), (11, STRUCT, struct((1, STRUCT, struct()))),
        (12, BINARY, text(b"x" * 300)), (13, LIST, listed(LIST, [listed(I32, [signed(1)])])), (40, I32, signed(42)),
    ]  # fmt: skip
    data = struct(*fields)
    assert read_struct(data, 0, {40: None}) == ({40: 42}, len(data))
    found, _ = read_struct(data, 0, dict.fromkeys([1, 2, 3, 10, 40]))
    assert found == {1: True, 2: False, 3: 7, 10: [b"a", b""], 40: 42}


def test_data_that_ends_within_a_struct_is_asked_for():
    data = struct((1, BINARY, text(b"some text")), (2, LIST, listed(DOUBLE, [b"12345678"] * 20)), (3, UUID, b"u" * 16))
    for size in range(len(data)):
        with pytest.raises(IndexError):
            read_struct(data[:size], 0, {})


def test_a_list_can_not_have_more_elements_than_bytes():
    with pytest.raises(IndexError):
        read_struct(struct((1, LIST, bytes([15 << 4 | STRUCT]) + unsigned(1 << 40))), 0, {1: {}})


def test_depth_numbers_and_types_are_bounded():
    def nested(levels):
        value = struct()
        for _ in range(levels):
            value = struct((1, STRUCT, value))
        return value

    assert read_struct(nested(33), 0, {})[0] == {}
    with pytest.raises(MalformedError, match="nested too deeply"):
        read_struct(nested(34), 0, {})
    with pytest.raises(MalformedError, match="more than 64 bits"):
        read_struct(struct((1, I64, b"\xff" * 10 + b"\1")), 0, {})
    with pytest.raises(MalformedError, match="unknown type 14"):
        read_struct(struct((1, 14, b"")), 0, {})
