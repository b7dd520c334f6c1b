"""The publish protocol: what readers see while writers write, crash, or race."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from provenance.errors import StoreError
from provenance.schema import SCHEMA_VERSION
from provenance.store import Store, write_part

SRC = Path(__file__).resolve().parents[2] / "src"


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_commit_is_seen_whole_or_not_at_all(store: Store) -> None:
    before = store.current

    def fail() -> None:
        with store.commit("fails") as commit:
            commit.insert("models", [{"model": "m1"}])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.current == before
    assert store.sql("from models").fetchall() == []
    assert list((store.root / "staging").iterdir()) == []
    with store.commit("works") as commit:
        commit.insert("models", [{"model": "m1"}])
        assert store.sql("from models").fetchall() == []
    assert store.sql("select model from models").fetchall() == [("m1",)]
    assert store.current != before


def test_a_reader_keeps_its_snapshot(store: Store) -> None:
    with store.read() as connection:
        for number in range(6):  # more than the catalogues that are kept
            with store.commit("more") as commit:
                commit.insert("models", [{"model": f"m{number}"}])
        assert connection.execute("select count(*) from models").fetchall() == [(0,)]
    assert len(list((store.root / "catalogue").iterdir())) <= 4


def test_a_catalogue_that_a_plain_duckdb_has_open_stays_on_disk(store: Store) -> None:
    held = store.current
    reader = python(
        "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print('open', flush=True); sys.stdin.readline()",
        str(held),
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "open\n"
    for _ in range(5):
        with store.commit("nothing"):
            pass
    assert held.exists()
    reader.communicate("\n", timeout=20)
    with store.commit("nothing"):
        pass
    assert not held.exists()


COMMIT_MANY = """
import sys
from provenance.store import Store
store = Store.open_or_create(sys.argv[1])
for number in range(int(sys.argv[3])):
    with store.commit("race") as commit:
        commit.insert("models", [{"model": f"{sys.argv[2]}{number}"}])
"""


def test_two_writers_and_a_reader_all_finish(tmp_path: Path) -> None:
    path = tmp_path / "store"
    writers = [python(COMMIT_MANY, str(path), name, "8") for name in ("a", "b")]
    seen: list[int] = []
    while any(writer.poll() is None for writer in writers):
        if (path / "CURRENT").exists():
            seen.append(Store(path).sql("select count(*) from models").fetchall()[0][0])
        else:
            time.sleep(0.01)
    assert [writer.communicate()[1] for writer in writers] == ["", ""]
    assert Store(path).sql("select count(*) from models").fetchall() == [(16,)]
    assert seen == sorted(seen)
    assert len(set(seen)) > 3


DIE_AT = """
import os, signal, sys
import provenance.store.layout as layout
import provenance.store.store as module
from provenance.store import Store
step = sys.argv[2]
def die(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)
if step == "pointer":
    module.layout.write_pointer = die
elif step == "catalogue":
    layout.sync_file = die
elif step == "retire":
    module.retire = die
store = Store(sys.argv[1])
with store.commit("dies") as commit:
    commit.insert("models", [{"model": "m2"}])
    if step == "insert":
        die()
"""


@pytest.mark.parametrize(("step", "published"), [("insert", 1), ("catalogue", 1), ("pointer", 1), ("retire", 2)])
def test_a_writer_killed_at_any_step_leaves_the_old_store_or_the_new(store: Store, step: str, published: int) -> None:
    with store.commit("first") as commit:
        commit.insert("models", [{"model": "m1"}])
    writer = python(DIE_AT, str(store.root), step)
    assert writer.wait(timeout=30) == -signal.SIGKILL
    reopened = Store(store.root)
    assert reopened.sql("select count(*) from models").fetchall() == [(published,)]
    with reopened.commit("goes on") as commit:
        commit.insert("models", [{"model": "m3"}])
    assert reopened.sql("select count(*) from models").fetchall() == [(published + 1,)]
    assert reopened.verify(repair=True).sound
    assert list((store.root / "staging").iterdir()) == []


def test_waiting_for_another_writer_ends_with_an_error(store: Store) -> None:
    error = pytest.raises(StoreError, match="Another process has been committing")
    with store.commit("slow"), error, store.commit("impatient", timeout=0.1):
        pass


def test_threads_of_one_process_take_turns(store: Store) -> None:
    def add(name: str) -> None:
        with store.commit("thread") as commit:
            commit.insert("models", [{"model": name}])

    threads = [threading.Thread(target=add, args=(f"m{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.sql("select count(*) from models").fetchall() == [(4,)]


@pytest.mark.parametrize("content", [None, "", "0000", "../../etc/passwd.duckdb\n", "000999.duckdb\n"])
def test_a_lost_or_torn_pointer_is_named_and_recovered(store: Store, content: str | None) -> None:
    with store.commit("something") as commit:
        commit.insert("models", [{"model": "m1"}])
    pointer = store.root / "CURRENT"
    if content is None:
        pointer.unlink()
    else:
        pointer.write_text(content)
    with pytest.raises(StoreError, match=r"verify --repair"):
        Store(store.root)
    assert Store.recover(store.root).sql("select model from models").fetchall() == [("m1",)]


def test_a_store_of_a_newer_version_is_refused(store: Store) -> None:
    with duckdb.connect(str(store.current)) as connection:
        connection.execute("update store_meta set value = '99' where key = 'schema_version'")
    with pytest.raises(StoreError, match=rf"version 99.*up to {SCHEMA_VERSION}.*upgrade"):
        Store(store.root)


def test_a_damaged_catalogue_is_refused_with_a_next_step(store: Store) -> None:
    store.current.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match="verify --repair"):
        Store(store.root)


def test_missing_and_foreign_folders(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no store here"):
        Store(tmp_path / "nothing")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="not a store"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="not empty"):
        Store.create(tmp_path)
    with pytest.raises(StoreError, match="A file stands where"):
        Store.create(tmp_path / "notes.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt"]


def test_an_unwritable_store_is_readable_and_says_why_it_cannot_be_written(bound_folder: Path) -> None:
    store = Store.create(bound_folder / "store")
    (store.root / "staging").chmod(0o500)
    with pytest.raises(StoreError, match="Permission"), store.commit("never"):
        pass
    assert store.sql("from models").fetchall() == []


def test_a_full_disk_while_publishing_leaves_the_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("provenance.store.publish.shutil.copyfile", full)
    with pytest.raises(StoreError, match=r"The disk is full.*Free some space"), store.commit("never"):
        pass
    monkeypatch.undo()
    assert store.verify().sound


def test_a_failed_sync_is_told_as_one_though_duckdb_does_not_say_why(tmp_path: Path) -> None:
    from provenance.store.publish import refused

    error = duckdb.FatalException("FATAL Error: Failed to create checkpoint because of error: fsync failed!")
    assert "The disk did not take what was written" in str(refused(error, tmp_path))


def test_plain_duckdb_gives_the_same_answers_from_anywhere(
    store: Store,
    observations: Callable[..., pa.Table],
    fill: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(store, observations("scan", "r1", "r2"))
    monkeypatch.chdir(tmp_path)
    query = "select record_id, tag, reason from records order by all"
    with duckdb.connect(str(store.current), read_only=True) as connection:
        plain = connection.execute(query).fetchall()
    assert plain == store.sql(query).fetchall()
    assert [row[0] for row in plain] == ["r1", "r2"]


@pytest.mark.parametrize("name", ["moved", "it's [a] *strange* {place}"])
def test_a_moved_store_answers_and_is_mended_by_the_next_commit(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None], tmp_path: Path, name: str
) -> None:
    fill(store, observations("scan", "r1", "r2"))
    shutil.move(store.root, tmp_path / name)
    moved = Store(tmp_path / name)
    assert moved.sql("select count(*) from records").fetchall() == [(2,)]
    with moved.commit("nothing"):
        pass
    with duckdb.connect(str(moved.current), read_only=True) as connection:
        assert connection.execute("select count(*) from records").fetchall() == [(2,)]
    assert moved.verify().sound


def test_rows_that_do_not_fit_are_refused_by_name(store: Store) -> None:
    with pytest.raises(StoreError, match="no column 'colour'"), store.commit("no") as commit:
        commit.insert("models", [{"model": "m", "colour": "red"}])
    with pytest.raises(StoreError, match="no table 'modles'"), store.commit("no") as commit:
        commit.insert("modles", [{"model": "m"}])
    with pytest.raises(StoreError, match="don't fit the table 'scan_log'"), store.commit("no") as commit:
        commit.insert("scans", [{"scan_id": "s", "name": "n", "state": "resting"}])


def test_the_latest_state_of_a_scan_is_shown_and_the_earlier_kept(store: Store) -> None:
    for state in ("running", "finished"):
        with store.commit(state) as commit:
            commit.insert("scans", [{"scan_id": "s", "name": "n", "state": state, "configuration": {"jobs": 2}}])
    assert store.sql("select state, configuration->>'jobs' from scans").fetchall() == [("finished", "2")]
    assert store.sql("select count(*) from scan_log").fetchall() == [(2,)]


def test_an_interrupted_scan_withdraws_what_it_did_not_finish(
    store: Store, observations: Callable[..., pa.Table]
) -> None:
    parts = [
        write_part(store.root, "observations", "scan", source, observations("scan", source), source_id=source)
        for source in ("done", "cut")
    ]
    with store.commit("scan") as commit:
        for part in parts:
            commit.add_part(part)
        source = {
            "source_id": "done",
            "scan_id": "scan",
            "uri": "u",
            "read": 1,
            "records": 1,
            "rejects": 0,
            "skipped": 0,
        }
        commit.insert("sources", [source])
    with store.commit("again") as commit:
        commit.withdraw_unfinished_parts("scan")
    assert store.sql("select record_id from observations").fetchall() == [("done",)]


def test_a_part_that_was_swept_is_not_published(store: Store, observations: Callable[..., pa.Table]) -> None:
    part = write_part(store.root, "observations", "scan", "0", observations("scan", "r1"))
    (store.root / part.path).unlink()
    with pytest.raises(StoreError, match="missing or cut off"), store.commit("no") as commit:
        commit.add_part(part)


def test_a_part_can_be_added_twice_and_again_after_it_was_withdrawn(
    store: Store, observations: Callable[..., pa.Table]
) -> None:
    rows = observations("scan", "r1")
    for _ in range(2):
        with store.commit("add") as commit:
            commit.add_part(write_part(store.root, "observations", "scan", "0", rows))
    assert store.sql("select record_id from observations").fetchall() == [("r1",)]
    with store.commit("withdraw") as commit:
        ((path,),) = commit.execute("select path from parts").fetchall()
        commit.withdraw_part(path)
    assert store.sql("select record_id from observations").fetchall() == []
    with store.commit("add") as commit:
        commit.add_part(write_part(store.root, "observations", "scan", "0", rows))
    assert store.sql("select record_id from observations").fetchall() == [("r1",)]


def test_rows_that_are_not_of_a_kind_are_refused(store: Store, observations: Callable[..., pa.Table]) -> None:
    with pytest.raises(StoreError, match=r"missing columns \['words'\]"):
        write_part(store.root, "observations", "scan", "0", observations("scan", "r1").drop(["words"]))
    with pytest.raises(StoreError, match="cannot be the name"):
        write_part(store.root, "observations", "../scan", "0", observations("scan", "r1"))
    assert list((store.root / "staging").iterdir()) == []


def test_a_path_that_names_nobodys_home_is_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Store.create("~no-such-user/s")
    assert (tmp_path / "~no-such-user" / "s" / "CURRENT").is_file()
    Store.create("~/s")
    assert (tmp_path / "home" / "s" / "CURRENT").is_file()
