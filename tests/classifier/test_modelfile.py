from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from provenance.classifier.alphabet import build_table
from provenance.classifier.modelfile import Bin, ModelArrays, decode, encode, read
from provenance.errors import ModelError


def bin_of(**changes: object) -> Bin:
    values: dict[str, object] = {
        "language": "en", "words_from": 100, "words_below": 200, "slope": 2.0, "offset": -0.5,
        "human_margins": (0.0, 1.0), "human_p": (0.2, 0.004), "synthetic_margins": (-1.0, 0.0),
        "synthetic_p": (0.01, 0.3), "documents": (700, 900),
    }  # fmt: skip
    return Bin(**{**values, **changes})  # type: ignore[arg-type]


def model_of(*bins: Bin) -> ModelArrays:
    weights = (np.arange(4 << 8) % 200 - 100).astype(np.int8).reshape(2, 2 << 8)
    return ModelArrays(build_table(), weights, 8, 512, ((0.1, 0.2, 0.3), (0.4, 0.5, -0.6)), bins, {"sets": []})


def forged(change: dict[str, object], payload: bytes | None = None) -> bytes:
    """A file with another header, or other arrays, and a checksum that fits."""
    content = encode(model_of(bin_of()))
    size = int.from_bytes(content[8:16], "little")
    header = {**json.loads(content[16 : 16 + size]), **change}
    text = json.dumps(header).encode()
    body = (
        content[:8]
        + len(text).to_bytes(8, "little")
        + text
        + (content[16 + size : -32] if payload is None else payload)
    )
    return body + hashlib.sha256(body).digest()


def test_round_trip_is_exact() -> None:
    model = model_of(bin_of(), bin_of(words_from=200, words_below=0))
    again = decode(encode(model), "here")
    assert again.bins == model.bins
    assert [bin_.name for bin_ in again.bins] == ["en:100-199", "en:200+"]
    assert (again.weights == model.weights).all()
    assert (again.symbols == model.symbols).all()
    assert encode(again) == encode(model)


@pytest.mark.parametrize("position", [0, 9, 60, 3000, -1])
def test_any_flipped_byte_is_refused(position: int) -> None:
    content = bytearray(encode(model_of(bin_of())))
    content[position] ^= 0x10
    with pytest.raises(ModelError, match="no usable style model"):
        decode(bytes(content), "here")


@pytest.mark.parametrize("size", [0, 7, 20, 5000, 100_000])
def test_any_cut_is_refused(size: int) -> None:
    with pytest.raises(ModelError):
        decode(encode(model_of(bin_of()))[:size], "here")


@pytest.mark.parametrize(
    "change",
    [
        {"bits": 60},
        {"bits": "8"},
        {"bits": True},
        {"window": 0},
        {"scales": [1.0, 2.0, 3.0]},
        {"scales": [[1.0, 2.0, 3.0], [1.0, 2.0]]},
        {"scales": [[1.0, 2.0, 3.0], [1.0, 2.0, float("nan")]]},
        {"scales": [[1.0, 2.0, 3.0]]},
        {"scales": [[1.0, 2.0, 3.0]] * 4},
        {"scales": []},
        {"scales": None},
        {"arrays": []},
        {"arrays": [{"name": "symbols", "dtype": "object", "shape": [131072]}]},
        {"bins": [{}]},
        {"bins": 3},
        {"card": "x"},
        {"bins": [vars(bin_of(human_p=(0.1, 0.2)))]},
        {"bins": [vars(bin_of(human_margins=(1.0, 1.0)))]},
        {"bins": [vars(bin_of(synthetic_p=(0.3, 0.1)))]},
        {"bins": [vars(bin_of(human_p=(0.1, 0.0)))]},
        {"bins": [vars(bin_of(slope=-1.0))]},
        {"bins": [vars(bin_of(language="../en"))]},
        {"bins": [vars(bin_of()), vars(bin_of())]},
        {"scales": [[10**400, 1, 1], [1, 1, 1]]},
        {"scales": {"a": 1}},
        {"bins": {"a": 1}},
        {"bins": [[1, 2]]},
        {"bins": [{**vars(bin_of()), "words_from": 10**400}, {**vars(bin_of()), "slope": 10**400}]},
        {"populations": 7},
        {"populations": [None]},
        {"bits": 24},
        {"window": 2_701},
    ],
)
def test_a_forged_header_is_refused_though_its_checksum_fits(change: dict[str, object]) -> None:
    decode(forged({}), "here")
    with pytest.raises(ModelError, match="here"):
        decode(forged(change), "here")


def test_arrays_of_another_size_are_refused() -> None:
    with pytest.raises(ModelError, match="cut short or too long"):
        decode(forged({}, payload=b"\0" * 100), "here")


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    trap = tmp_path / "ran"
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(trap).encode() + b"'\ntR.")
    with pytest.raises(ModelError):
        read(path)
    assert not trap.exists()


@pytest.mark.parametrize("header", [b"[" * 100_000, b"7", b"null", b"\xff\xfe", b'{"bits": ' + b"9" * 5000 + b"}"])
def test_a_header_that_is_no_header_is_refused(header: bytes) -> None:
    body = b"PVSTYLE2" + len(header).to_bytes(8, "little") + header
    with pytest.raises(ModelError, match="here"):
        decode(body + hashlib.sha256(body).digest(), "here")


def test_a_header_longer_than_the_file_is_refused() -> None:
    body = b"PVSTYLE2" + (1 << 62).to_bytes(8, "little") + b"{}"
    with pytest.raises(ModelError, match="longer than the file"):
        decode(body + hashlib.sha256(body).digest(), "here")


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.model"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        with pytest.raises(ModelError, match="can't be read"):
            read(path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't be read"):
        read(tmp_path / "none.model")
