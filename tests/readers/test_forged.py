"""A payload can hold whole records, with old dates and declarations: whatever breaks around it, none is believed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import random
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

OLD = "2003-01-01T00:00:00Z"
HONEST = "2024-05-06T07:08:09Z"


def forged(build, text: str = "forged", length: int | None = None) -> bytes:
    """A record as a payload would forge it: captured long ago, declared by its publisher."""
    block = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nAI-Disclosure: mode=none\r\n\r\n<p>{text}</p>"
    return build(block, "response", length, WARC_Date=OLD, WARC_Record_ID="<urn:forged>")


def check(rows: list[dict]) -> None:
    """No row has the date or declaration that a payload forged."""
    for row in rows:
        if "forged" in row["raw"] and row["own_id"] == "urn:forged":
            assert row["recovered"]
            assert row["declarations"] == []
        assert row["captured_at"] is None or row["captured_at"].year == 2024


def stored(record: bytes) -> bytes:
    """A gzip member that holds its content as it is, so that what is packed in it shows in the file."""
    deflater = zlib.compressobj(0, wbits=31)
    return deflater.compress(record) + deflater.flush()


@pytest.fixture
def carrier(record):
    """A sound record around some bytes."""
    return lambda payload, length=None: record(b"page\r\n\r\n" + payload, length=length, WARC_Date=HONEST)


@pytest.mark.parametrize("lie", [-40, -3, 7, 4_000, 10**9, 10**15])
@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_behind_a_wrong_length(read, record, carrier, lie, packed):
    payload = forged(record) + b"\r\n\r\n" + forged(record, length=10**6)
    bad = carrier(payload, len(payload) + 8 + lie)
    rows, _ = read(packed(record("first", WARC_Date=HONEST) + bad + record("last", WARC_Date=HONEST)), "x.warc")
    check(rows)
    assert {"first", "last"} <= {row["raw"] for row in rows}


def test_members_in_a_damaged_member(read, record, carrier):
    """Two members in a row, behind one that can't be inflated: the second begins as a sound one would."""
    inner = gzip.compress(forged(record)) + gzip.compress(forged(record, "forged again"))
    parts = [gzip.compress(record("first", WARC_Date=HONEST)), stored(carrier(inner)), gzip.compress(record("last"))]
    whole = bytearray(b"".join(parts))
    whole[len(parts[0]) + 12] ^= 0xFF
    rows, tally = read(bytes(whole), "x.warc.gz")
    check([row for row in rows if row["raw"] != "last"])
    assert {"first", "last"} <= {row["raw"] for row in rows}
    assert any(row["own_id"] == "urn:forged" for row in rows)
    assert tally.rejects


def test_members_cut_without_regard_to_records(read, record, carrier):
    """In such a file a payload can come to stand at the head of a member."""
    first = record("first", WARC_Date=HONEST)
    rest = b"".join(carrier(b"x" * 900 + forged(record)) for _ in range(4))
    cut = rest.index(b"WARC/1.0", 20)
    parts = [first, rest[:500], rest[500:cut], rest[cut:]]
    rows, _ = read(b"".join(map(gzip.compress, parts)), "x.warc.gz")
    check(rows)


def test_a_forged_length_swallows_no_sound_record(read, record, carrier):
    after = [record(f"after {number}", WARC_Date=HONEST) for number in range(3)]
    claimed = forged(record, length=10**4)
    covering = len(claimed.partition(b"\r\n\r\n")[2]) + sum(map(len, after))
    for length in (covering, covering - len(after[2]), 10**7):
        bad = carrier(forged(record, length=length), 10**12)
        rows, _ = read(record("first", WARC_Date=HONEST) + bad + b"".join(after))
        check(rows)
        assert {f"after {number}" for number in range(3)} <= {row["raw"] for row in rows}


def digest_of(block: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(block, usedforsecurity=False).digest()).decode()


@pytest.mark.parametrize(
    ("lost_from", "lost_to"),
    [
        (b"Content-Length: ", b"HTTP/1.1 200"),
        (b"Content-Length: ", b"Content-Type: text/html"),
        (b"Content-Type: application", b"Content-Type: text/html"),
        (b"WARC-Record-ID", b"Content-Type: text/html"),
        (b"\r\n\r\nHTTP", b"HTTP"),
        (b"\n\r\nHTTP", b"\nHTTP"),
    ],
)
@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_a_header_that_found_its_end_in_the_payload(read, record, lost_from, lost_to, packed):
    """What is left is a file of whole records, one of which is forged: the header that was joined of two tells."""
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<p>abc\r\n\r\n"
    carrier = record(http + forged(record), "response", WARC_Date=HONEST)
    damaged = carrier[: carrier.index(lost_from)] + carrier[carrier.index(lost_to) :]
    rows, _ = read(packed(record("first", WARC_Date=HONEST) + damaged + record("last", WARC_Date=HONEST)), "x.warc")
    check(rows)
    assert {"first", "last"} <= {row["raw"] for row in rows}
    assert any(row["own_id"] == "urn:forged" for row in rows)


@pytest.mark.parametrize("field", ["WARC_Block_Digest", "WARC_Payload_Digest"])
@pytest.mark.parametrize("lost", ["length and end", "a digit of the length"])
@pytest.mark.parametrize("layout", ["plain", "one member"])
def test_a_block_that_ends_too_early_disagrees_with_its_digest(read, record, field, lost, layout):
    inner = forged(record)
    if lost == "length and end":
        payload = b"Content-Length: 4\r\n\r\ntext\r\n\r\n" + inner
        begin, end = b"Content-Length: ", b"Content-Length: 4\r"
    else:
        payload = (b"x" * 96 + b"\r\n\r\n" + inner).ljust(1000, b"x")  # forged at 100; 1000 without a 0 is 100
        begin, end = b"0\r\n\r\nxxx", b"\r\n\r\nxxx"
    carrier = record(payload, WARC_Date=HONEST, **{field: digest_of(payload)})
    damaged = carrier[: carrier.index(begin)] + carrier[carrier.index(end) :]
    content = record("first", WARC_Date=HONEST) + damaged + record("last", WARC_Date=HONEST)
    rows, _ = read(content if layout == "plain" else gzip.compress(content))
    check(rows)
    assert {"first", "last"} <= {row["raw"] for row in rows}
    assert any(row["own_id"] == "urn:forged" for row in rows)


@pytest.mark.parametrize("write", [
    lambda digest: base64.b32encode(digest).decode(),
    lambda digest: base64.b32encode(digest).decode().lower().rstrip("="),
    lambda digest: digest.hex().upper(),
    lambda digest: base64.b64encode(digest).decode(),
])  # fmt: skip
@pytest.mark.parametrize("algorithm", ["sha1", "SHA-256", "md5", "sha512"])
def test_a_record_whose_digests_agree_is_believed(read, record, write, algorithm):
    """As is one with a digest that nobody here can check, and a payload digest without the codings."""
    page = b"<p>" + b"some words " * 9
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n"
    name = algorithm.lower().replace("-", "")
    stated = f"{algorithm}:{write(hashlib.new(name, page).digest())}"
    content = record("first", WARC_Block_Digest="crc32:abc", WARC_Payload_Digest="nothing")
    content += record(head + gzip.compress(page), "response", WARC_Payload_Digest=stated)
    content += record("first", "revisit", WARC_Payload_Digest=stated) + record("last")
    rows, tally = read(content)
    assert [row["recovered"] for row in rows] == [False] * 3
    assert rows[-1]["captured_at"] is not None
    assert not tally.rejects


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32), layout=st.sampled_from(["plain", "members", "stored", "one"]), harm=st.integers(1, 3)
)
def test_whatever_breaks(read, record, carrier, seed, layout, harm):
    noise = random.Random(seed)
    payload = b"".join(
        noise.choice([
            forged(record, length=noise.choice([None, 3, 10**4, 10**15])),
            gzip.compress(forged(record)),
            b"\r\n" * noise.randint(0, 3) + b"filler " * noise.randint(0, 400),
        ])
        for _ in range(noise.randint(1, 6))
    )  # fmt: skip
    records = [record(f"sound {number}", WARC_Date=HONEST) for number in range(3)]
    place = noise.randint(0, 3)
    # A digest is what tells, in a plain file, that a forged header has ended one that lost its own end.
    block = b"page\r\n\r\n" + payload
    records.insert(place, record(block, WARC_Date=HONEST, WARC_Block_Digest=digest_of(block)))
    pack = {"members": gzip.compress, "stored": stored}.get(layout, bytes)
    whole = bytearray(b"".join(map(pack, records)))
    if layout == "one":
        whole = bytearray(gzip.compress(whole))
    for _ in range(harm):
        at = noise.randrange(40, len(whole))
        if noise.random() < 0.5:
            whole[at] ^= noise.randint(1, 255)
        else:
            del whole[at : at + noise.randint(1, 300)]
    rows, _ = read(bytes(whole), "x.warc" if layout == "plain" else "x.warc.gz")
    # Damage can turn the year of a sound record into another; the forged one has an id of its own.
    check([row for row in rows if row["own_id"] == "urn:forged"])
    assert len({row["position"] for row in rows}) == len(rows)
