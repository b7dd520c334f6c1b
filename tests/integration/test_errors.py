"""Errors as people make them: one paragraph with cause, place and next step, exit code 2, and the store as it was."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import provenance
from provenance import pipeline
from provenance.cli import run

SOURCE = Path(provenance.__file__).parents[1]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A folder with a file of one record and a store that holds it."""
    folder = tmp_path_factory.mktemp("sound")
    row = json.dumps({"text": "some words of a page " * 20, "date": "2010-01-01"})
    (folder / "good.jsonl").write_text(row + "\n")
    provenance.scan(folder / "good.jsonl", store=folder / "provenance-store", jobs=1)
    return folder


@pytest.fixture
def failing(sound, tmp_path, monkeypatch, capfd):
    """Run a command line that must fail as promised, in a folder with a sound store; return its message."""
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def call(*arguments, sound=True):
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert code == 2
        assert out == ""
        assert "Traceback" not in err
        assert err.startswith("provenance: ")
        assert "\n\n" not in err.strip()
        if sound:
            report = pipeline.verify(store="provenance-store")
            assert report.problems == []
            assert report.records == 1
            assert [scan["state"] for scan in pipeline.status(store="provenance-store")["scans"]] == ["finished"]
        return " ".join(err.split())

    return call


def test_a_wrong_path(failing):
    assert failing("scan", "gone.warc.gz").endswith("(gone.warc.gz). Check the path with ls.")
    assert "pattern" in failing("scan", "*.warc")


def test_an_empty_file(failing, tmp_path):
    (tmp_path / "empty.jsonl").touch()
    message = failing("scan", "empty.jsonl")
    assert "empty" in message
    assert "empty.jsonl" in message


def test_a_folder_without_text(failing, tmp_path):
    (tmp_path / "pictures").mkdir()
    assert "pictures" in failing("scan", "pictures")
    (tmp_path / "pictures" / "a.png").write_bytes(b"\x89PNG")
    assert "pictures" in failing("scan", "pictures")
    (tmp_path / "pictures" / "noise.dat").write_bytes(bytes(range(256)) * 20)
    assert "noise.dat" in failing("scan", "pictures", "--jobs", 1)


def test_an_unknown_column(failing):
    message = failing("scan", "good.jsonl", "--text-column", "body", "--jobs", 1)
    assert "body" in message
    assert "text" in message


def test_a_broken_parquet_footer(failing, tmp_path):
    pq.write_table(pa.table({"text": ["a b c"] * 1000}), tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    for name, content in (("cut", whole[:-9]), ("bent", whole[:-60] + b"x" * 52 + whole[-8:]), ("short", whole[:6])):
        (tmp_path / f"{name}.parquet").write_bytes(content)
        message = failing("scan", f"{name}.parquet", "--jobs", 1)
        assert f"{name}.parquet" in message


def test_no_permission_to_read(failing, tmp_path, monkeypatch):
    denied = tmp_path / "secret.jsonl"
    shutil.copy(tmp_path / "good.jsonl", denied)
    monkeypatch.setattr(os, "access", lambda path, *_, **__: Path(path).resolve() != denied)
    message = failing("scan", "secret.jsonl")
    assert "ermission" in message
    assert "secret.jsonl" in message
    monkeypatch.undo()
    opened = Path.open

    def refuse(path, *arguments, **more):
        if path.name == denied.name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **more)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "open", refuse)
    assert "ermission" in failing("scan", "secret.jsonl")


def test_no_permission_as_another_user():
    """The real refusal of the system: for root's tests, a process that gives root up."""
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o777)
        (folder / "secret.jsonl").write_text('{"text": "x"}\n')
        (folder / "secret.jsonl").chmod(0)
        # Everything is imported first: another user may not be able to read this interpreter's packages.
        code = (
            "import os; from provenance.cli import main, run; run(['scan', 'absent'])\n"
            "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
            "main()"
        )
        path = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-c", code, "scan", "secret.jsonl"],
            cwd=folder,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            check=False,
        )
        assert done.returncode == 2
        assert "No permission to read" in done.stderr
        assert "secret.jsonl" in done.stderr
        assert not (folder / "provenance-store").exists()
    finally:
        shutil.rmtree(folder)


def test_a_store_of_a_newer_version(failing, tmp_path):
    current = provenance.Store("provenance-store").current
    with duckdb.connect(str(current)) as connection:
        connection.execute("update store_meta set value = '99' where key = 'schema_version'")
    for command in (
        ["status"],
        ["scan", "good.jsonl"],
        ["sql", "select 1"],
        ["filter", "good.jsonl", "--out", "o.jsonl"],
    ):
        message = failing(*command, sound=False)
        assert "version 99" in message
        assert "pip install --upgrade" in message


def test_no_store_and_no_such_folder(failing):
    assert "provenance init" in failing("status", "--store", "none")
    assert "provenance init" in failing("sql", "select 1", "--store", ".")


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("place", ["provenance.store.parts._write", "provenance.store.publish.shutil.copyfile"])
def test_a_full_disk(failing, tmp_path, monkeypatch, place):
    (tmp_path / "more.jsonl").write_text('{"text": "%s"}\n' % ("other words " * 50))
    with monkeypatch.context() as patch:
        patch.setattr(place, full)
        message = failing("scan", "more.jsonl", "--jobs", 1, sound=False)
    assert "disk is full" in message
    assert "Free some space" in message
    report = pipeline.verify(store="provenance-store")
    assert report.problems == []
    assert run(["scan", "more.jsonl", "--jobs", "1"]) == 0
    assert pipeline.verify(store="provenance-store").records == 2


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs to mount a small file system")
def test_a_disk_that_is_really_full(tmp_path, capfd):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], check=False).returncode:
        pytest.skip("may not mount")
    try:
        big = tmp_path / "big.jsonl"
        lines = (json.dumps({"text": os.urandom(400).hex() + f" {n} " + "word " * 20}) for n in range(9000))
        big.write_text("\n".join(lines))
        assert run(["init", "--store", str(small / "s")]) == 0
        capfd.readouterr()
        assert run(["scan", str(big), "--jobs", "1", "--store", str(small / "s")]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert "disk is full" in err
        assert "Traceback" not in err
        assert pipeline.verify(store=small / "s").problems == []
    finally:
        subprocess.run(["umount", "-l", small], check=False)


def test_an_output_that_cannot_be_written(failing, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert "file" in failing("filter", "good.jsonl", "--out", "file/o.jsonl")
    assert "file" in failing("scan", "good.jsonl", "--out", "file")
    with monkeypatch.context() as patch:
        patch.setattr("provenance.pipeline.sinks._write_jsonl", full)
        message = failing("filter", "good.jsonl", "--out", "o.jsonl")
    assert "No space left" in message
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".o", "o."))]


def test_a_folder_that_is_not_a_store(failing, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").touch()
    message = failing("scan", "good.jsonl", "--store", "docs", "--jobs", 1)
    assert "not a store" in message
    mode = stat.S_IMODE((tmp_path / "docs").stat().st_mode)
    assert mode
    assert [path.name for path in (tmp_path / "docs").iterdir()] == ["a.txt"]


def test_a_policy_with_a_wrong_number(failing, tmp_path):
    (tmp_path / "mine.toml").write_text('name = "mine"\n[style]\nalpha = 7\n')
    message = failing("retag", "good.jsonl", "--policy", "mine.toml")
    assert "style.alpha" in message
    assert "mine.toml" in message
