"""Segments: their files, and what damage to them is called."""

from __future__ import annotations

import json

import pytest

from provenance.errors import SegmentError, UsageError
from provenance.index import Index, build, build_segment, verify
from provenance.index.segment import FORMAT_VERSION, _digest


def rewrite(folder, segment_id, **changes):
    """Give a segment another manifest with a checksum of its own."""
    path = folder / segment_id / "segment.json"
    manifest = {**json.loads(path.read_text()), **changes}
    del manifest["checksum"]
    name = _digest(manifest)
    path.write_text(json.dumps({**manifest, "checksum": name}))
    (folder / segment_id).rename(folder / name)
    return name


def test_every_flipped_byte_is_noticed(tmp_path, register, words):
    segment = register([words(40), words(30)])
    path = tmp_path / segment.id / "arrays.bin"
    whole = bytearray(path.read_bytes())
    entries = json.loads((tmp_path / segment.id / "segment.json").read_text())["arrays"]
    for name, entry in entries.items():
        assert entry["count"], name
        whole[entry["offset"]] ^= 1
        path.write_bytes(whole)
        with pytest.raises(SegmentError, match=name):
            verify(tmp_path, [segment.id])
        whole[entry["offset"]] ^= 1
    path.write_bytes(whole)
    verify(tmp_path, [segment.id])


@pytest.mark.parametrize("open_it", [lambda folder, name: Index.open(folder, [name]), lambda f, n: verify(f, [n])])
def test_missing_and_cut_files_are_named(tmp_path, register, words, open_it):
    segment = register([words(40)])
    arrays, manifest = tmp_path / segment.id / "arrays.bin", tmp_path / segment.id / "segment.json"
    whole = arrays.read_bytes()
    arrays.write_bytes(whole[:-4])
    with pytest.raises(SegmentError, match=r"arrays\.bin"):
        open_it(tmp_path, segment.id)
    arrays.unlink()
    with pytest.raises(SegmentError, match=r"arrays\.bin"):
        open_it(tmp_path, segment.id)
    arrays.write_bytes(whole)
    text = manifest.read_text()
    for broken in (text.replace('"texts": 1', '"texts": 2'), text[:-9], "[]", ""):
        manifest.write_text(broken)
        with pytest.raises(SegmentError, match=r"segment\.json"):
            open_it(tmp_path, segment.id)
    manifest.unlink()
    with pytest.raises(SegmentError, match=r"segment\.json"):
        open_it(tmp_path, segment.id)


def test_another_normaliser_is_refused(tmp_path, register, words):
    segment = register([words(40)])
    name = rewrite(tmp_path, segment.id, parameters={**segment.parameters, "normaliser": "of another age"})
    with pytest.raises(SegmentError, match="normaliser of another age"):
        Index.open(tmp_path, [name])


def test_a_newer_format_is_refused_with_a_way_out(tmp_path, register, words):
    segment = register([words(40)])
    name = rewrite(tmp_path, segment.id, format=FORMAT_VERSION + 1)
    with pytest.raises(SegmentError, match="Upgrade"):
        Index.open(tmp_path, [name])


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["arrays"]["tokens"].update(count=1 << 40),
        lambda m: m["arrays"]["tokens"].update(count=-1),
        lambda m: m["arrays"]["tokens"].update(offset=-64),
        lambda m: m["arrays"]["tokens"].update(offset=3),
        lambda m: m["arrays"]["tokens"].update(offset=1 << 62),
        lambda m: m["arrays"]["tokens"].update(offset=0.5),
        lambda m: m["arrays"]["tokens"].pop("xxh3"),
        lambda m: m["arrays"].pop("tokens"),
        lambda m: m["arrays"].update(more={"offset": 0, "count": 0, "xxh3": ""}),
        lambda m: m["arrays"]["token_offsets"].update(count=1),
        lambda m: m["arrays"]["checks"].update(count=15),
        lambda m: m["arrays"]["passage_texts"].update(count=0),
        lambda m: m["arrays"]["band_keys"].update(count=1),
        lambda m: m.update(texts=1 << 50),
        lambda m: m.update(texts=True),
        lambda m: m.update(references=-1),
        lambda m: m.update(sets=[["only one"]]),
        lambda m: m.update(sets=[[1, 2]]),
        lambda m: m.update(sets=None),
        lambda m: m.update(arrays=[]),
        lambda m: m.pop("bytes"),
    ],
)
@pytest.mark.parametrize("open_it", [lambda folder, name: Index.open(folder, [name]), lambda f, n: verify(f, [n])])
def test_a_forged_manifest_is_refused_though_its_checksum_fits(tmp_path, register, words, change, open_it):
    segment = register([words(40), words(30)])
    path = tmp_path / segment.id / "segment.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    manifest.pop("checksum")
    name = _digest(manifest)
    path.write_text(json.dumps({**manifest, "checksum": name}))
    (tmp_path / segment.id).rename(tmp_path / name)
    with pytest.raises(SegmentError):
        open_it(tmp_path, name)


@pytest.mark.parametrize("name", ["../../elsewhere", "a" * 31, "", "/etc"])
def test_a_segment_is_looked_for_in_its_folder_only(tmp_path, name):
    with pytest.raises(SegmentError, match="name that is none"):
        Index.open(tmp_path, [name])


def test_a_failed_build_leaves_nothing(tmp_path, corpus, words, monkeypatch):
    made = corpus([words(40)])

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(build, "write_references", fail)
    with pytest.raises(OSError, match="no space"):
        build_segment(
            tmp_path,
            build.ReferenceBatch(["a"], "set", "human", made.content_ids, made.content_checks, made.fingerprints),
        )
    assert list(tmp_path.iterdir()) == []


def test_columns_of_different_lengths_are_refused(tmp_path, corpus, words):
    made = corpus([words(40)])
    with pytest.raises(UsageError, match="different lengths"):
        build_segment(
            tmp_path,
            build.ReferenceBatch(["a", "b"], "set", "human", made.content_ids, made.content_checks, made.fingerprints),
        )


def test_a_posting_costs_at_most_13_bytes(tmp_path, register, words):
    segment = register([words(300) for _ in range(700)])
    assert len(segment["passage_keys"]) > 20_000
    for kind in ("band", "passage"):
        size = sum(array.nbytes for name, array in segment.arrays.items() if name.startswith(kind))
        assert size / len(segment[f"{kind}_keys"]) <= 13


def test_the_bytes_of_a_segment_are_those_of_its_format(tmp_path, register):
    """Segments outlive the program that wrote them: if this changes, FORMAT_VERSION has to, and a migration is due."""
    assert FORMAT_VERSION == 1
    source = [(k * 2654435761) % (1 << 32) for k in range(1, 400)]
    texts = [source[:90], source[40:160], source[100:103], [], source[7:27] * 3, source[200:380]]
    segment = register(texts, "set", names=["b", "a", "é", "d", "c", "long name"])
    entries = json.loads((tmp_path / segment.id / "segment.json").read_text())["arrays"]
    assert all(entry["offset"] % 64 == 0 for entry in entries.values())
    assert {name: (entry["count"], entry["xxh3"][:8]) for name, entry in entries.items()} == {
        "band_directory": (75, "5b60e359"),
        "band_keys": (125, "4a22f8f2"),
        "band_texts": (125, "0126185b"),
        "check_directory": (2, "286af50b"),
        "check_keys": (6, "73b158d4"),
        "checks": (96, "c8de620f"),
        "content_ids": (96, "8775b9a1"),
        "passage_directory": (9, "72840277"),
        "passage_keys": (53, "3d4e3d7d"),
        "passage_positions": (53, "05ce182b"),
        "passage_texts": (53, "b0ed99fd"),
        "reference_id_bytes": (15, "887a9eaf"),
        "reference_id_offsets": (7, "19f7ac46"),
        "reference_offsets": (7, "4863502d"),
        "reference_sets": (6, "10e45c7c"),
        "token_offsets": (7, "728751fb"),
        "tokens": (453, "642dd94c"),
    }
