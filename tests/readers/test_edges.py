"""Small tables, deep folders and long dictionaries: where a count is zero, or a bound is just met."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.readers import ReadOptions, Source, pages
from provenance.readers.card import card_declarations


@pytest.mark.parametrize("rows", [0, 1, 100_000])
def test_a_table_that_takes_less_than_a_byte_a_row(read, tmp_path, rows):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": ["the same words"] * rows}, schema=pa.schema([("text", pa.string())])), path)
    found, _ = read(path)
    assert len(found) == rows


def test_of_long_values_in_a_dictionary_the_longest_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "_AT_ONCE", 1 << 16)
    path = tmp_path / "x.parquet"
    values = [letter * (1000 + 500 * place) for place, letter in enumerate("abcdefghi")]
    pq.write_table(pa.table({"text": values * 400}), path, compression="none")
    ((chunk,),) = pages.chunks_of(str(path))
    assert pages.rows_at_once(str(path), [(chunk, False)], 4_096, ReadOptions())[0] == (1 << 16) // 5000
    # A dictionary that is too large to be looked through may be one value.
    monkeypatch.setattr(pages, "_WALKED", 1 << 10)
    assert pages.rows_at_once(str(path), [(chunk, False)], 4_096, ReadOptions())[0] == (1 << 16) // (27_000 + 9 * 4)


def test_numbers_in_a_dictionary_take_what_they_take(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"n": [number % 50 for number in range(3000)]}), path, compression="none")
    ((chunk,),) = pages.chunks_of(str(path))
    with path.open("rb") as file:
        found = pages._pages(file, chunk, ReadOptions())
    assert [page.values for page in found] == [50, 3000]
    assert found[0].size == found[0].stored == 50 * 8
    assert found[1].body + found[1].stored == chunk.offset + chunk.size


@pytest.mark.parametrize(("levels", "found"), [(0, True), (7, True), (8, False)])
def test_a_card_is_looked_for_in_eight_folders(tmp_path, levels, found):
    (tmp_path / "README.md").write_text("---\ntags:\n- synthetic\n---\n")
    folder = tmp_path.joinpath(*"abcdefghi"[:levels])
    folder.mkdir(parents=True, exist_ok=True)
    uri = "/".join([*"zyx", *"abcdefghi"[:levels], "x.jsonl"])
    assert bool(card_declarations(Source(str(folder / "x.jsonl"), uri, 1))) == found


def test_a_card_above_the_source_s_name_is_not_its_own(tmp_path):
    (tmp_path / "README.md").write_text("---\ntags:\n- synthetic\n---\n")
    (tmp_path / "a").mkdir()
    assert not card_declarations(Source(str(tmp_path / "a" / "x.jsonl"), "x.jsonl", 1))
    assert card_declarations(Source(str(tmp_path / "a" / "x.jsonl"), "a/x.jsonl", 1))


def test_a_table_that_ends_inside_a_character_says_so(read):
    content = ("id,text\n" + "".join(f"{number},some words here\n" for number in range(9))).encode("utf-16")
    rows, tally = read(content[:-1], "x.csv")
    assert len(rows) >= 8
    assert [reject.reason for reject in tally.rejects] == ["truncated"]
