"""Names of sources are the same on every machine; formats are told by content."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pytest

from provenance.errors import SourceError, UsageError
from provenance.readers import find_sources


@pytest.fixture
def tree(tmp_path):
    for name in ("b/two.jsonl", "b/README.md", "b/.hidden.jsonl", "b/_SUCCESS", "a/one.jsonl", "a/index.cdxj",
                 "a/deep/three.jsonl.gz", "a/dataset_infos.json", "a/two.jsonl"):  # fmt: skip
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text('{"text": "x"}\n')
    return tmp_path / "in"


def names(paths, root=None):
    return [source.uri for source in find_sources([str(path) for path in paths], root and str(root))]


def test_a_store_in_a_folder_is_no_input(tmp_path):
    from provenance.store import Store

    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    Store.create(tmp_path / "kept")
    assert [source.uri for source in find_sources([str(tmp_path)], None)] == ["a.jsonl"]


def test_folders_are_walked_and_side_files_passed_over(tree):
    assert names([tree]) == ["a/deep/three.jsonl.gz", "a/one.jsonl", "a/two.jsonl", "b/two.jsonl"]


def test_names_do_not_depend_on_where_the_input_lies(tree, monkeypatch):
    expected = names([tree / "a"])
    monkeypatch.chdir(tree)
    assert names(["a"]) == names(["./a/"]) == names([f"{tree}/b/../a"]) == expected
    assert expected == ["deep/three.jsonl.gz", "one.jsonl", "two.jsonl"]


def test_root_names_and_files_outside_it(tree):
    assert names([tree / "a" / "one.jsonl"], tree) == ["a/one.jsonl"]
    with pytest.raises(UsageError, match="outside the root"):
        names([tree / "a" / "one.jsonl"], tree / "b")


def test_colliding_names_become_distinct(tree):
    assert names([tree / "a" / "two.jsonl", tree / "b" / "two.jsonl"]) == ["a/two.jsonl", "b/two.jsonl"]


def test_a_file_reached_twice_is_read_once(tree):
    assert names([tree, tree / "a" / "one.jsonl", tree / "b" / "*.jsonl"]) == names([tree])


def test_globs(tree):
    assert names([tree / "*" / "two.jsonl"]) == ["a/two.jsonl", "b/two.jsonl"]
    assert names([tree / "**" / "*.gz"]) == ["a/deep/three.jsonl.gz"]
    with pytest.raises(UsageError, match="matches"):
        names([tree / "*.warc"])


def test_a_file_named_outright_is_never_passed_over(tree):
    assert names([tree / "b" / ".hidden.jsonl"]) == [".hidden.jsonl"]


def test_names_are_nfc(tmp_path):
    (tmp_path / "cafe\u0301.jsonl").write_text("{}")
    assert names([tmp_path]) == ["caf\u00e9.jsonl"]


def test_errors_name_cause_place_and_next_step(tree, tmp_path):
    (tmp_path / "empty").mkdir()
    for path, cause in ((tree / "none", "no such file"), (tmp_path / "empty", "no file that could be read")):
        with pytest.raises(UsageError, match=cause) as caught:
            names([path])
        assert str(path) in caught.value.place
        assert caught.value.next_step


def test_no_permission(bound_folder):
    (bound_folder / "one.jsonl").write_text("{}\n")
    (bound_folder / "one.jsonl").chmod(0)
    with pytest.raises(SourceError, match="No permission"):
        names([bound_folder])
    (bound_folder / "shut").mkdir(mode=0)
    with pytest.raises(SourceError, match="No permission"):
        names([bound_folder / "shut"])


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("x.bin", b"ORC\x08", "an ORC file"),
        ("x.bin", lzma.compress(b"%PDF-1.7"), "a PDF"),
        ("x.bin", b"FEA1\0\0", "Feather file of version 1"),
        ("x.jsonl", '{"text": "x"}'.encode("utf-16"), "UTF-16"),
        ("x.bin", b"\x00\x01\x02", "no format"),
        ("x.bin", bz2.compress(gzip.compress(lzma.compress(b"x"), mtime=0)), "more than 2 times"),
    ],
)
def test_formats_that_are_not_read_are_named(read, name, content, kind):
    with pytest.raises(SourceError, match=kind):
        read(content, name)


def test_content_outranks_the_name(read, record):
    assert read(record("x"), "x.parquet")[1].format == "warc"
    assert read(b'{"text": "x"}', "x.warc.gz")[1].format == "jsonl"
    assert read(gzip.compress(b'{"text": "x"}'), "x.jsonl")[1].format == "jsonl.gz"
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: text/html\r\n\r\n"
    rows, tally = read(record(head + gzip.compress(b"<p>x</p>"), kind="response") * 3, "x.warc.gz")
    assert (tally.format, len(rows)) == ("warc", 3)


def test_a_damaged_first_member_is_still_one(read, record):
    members = [gzip.compress(record(f"text {n}"), mtime=0) for n in range(4)]
    rows, tally = read(b"\0\0" + members[0][2:] + b"".join(members[1:]), "x.warc.gz")
    assert (tally.format, len(rows), len(tally.rejects)) == ("warc.gz", 3, 1)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
def test_empty_file_has_no_records(read, content):
    rows, tally = read(content, "x.warc.gz")
    assert rows == []
    assert tally.read == 0
