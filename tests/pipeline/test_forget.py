"""What is forgotten is in no byte of the store any more, and everything else is as it was."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import duckdb
import pyarrow.parquet as pq
import pytest

import provenance as pv
from provenance import pipeline
from provenance.errors import StoreError, UsageError
from provenance.store import write_part
from provenance.store.search import search

HOST = "gone.example"


@pytest.fixture(scope="module")
def filled(tmp_path_factory, text, jsonl):
    """A store with two scans, a dataset, duplicates, references of a model, and a reject that quotes a URL."""
    folder = tmp_path_factory.mktemp("forget")
    pages = [{"text": text(seed), "url": f"https://stays.example/page/{seed}"} for seed in range(6)]
    pages += [{"text": text(seed), "url": f"https://{HOST}/a/page/{seed}"} for seed in range(6, 9)]
    pages += [{"text": text(6), "url": "https://stays.example/a/copy/of/it"}]
    jsonl(folder / "a.jsonl", pages)
    jsonl(folder / "b.jsonl", [{"text": text(20), "url": f"https://{HOST}/b/another"}, {"text": text(21)}])
    jsonl(folder / "gens.jsonl", [{"text": text(seed)} for seed in (1, 2, 6)])
    jsonl(folder / "others.jsonl", [{"text": text(3)}])
    store = folder / "store"
    pv.scan([folder / "a.jsonl"], store=store, name="one", jobs=1)
    pv.scan([folder / "b.jsonl"], store=store, name="two", jobs=1)
    pv.register([folder / "gens.jsonl"], label="synthetic", model="m1", name="the-generations", store=store)
    pv.register([folder / "others.jsonl"], label="human", name="the-others", store=store)
    pipeline.dedup("one", store=store, jobs=1)
    pv.filter("one", keep={"human", "unknown", "synthetic"}, out=folder / "all.jsonl", dataset="all", store=store)
    return store


@pytest.fixture
def store(filled, tmp_path):
    """A copy, which a commit makes at home where it is."""
    shutil.copytree(filled, tmp_path / "store")
    return pv.Store(tmp_path / "store")


def rows(store, query):
    return store.sql(query).fetchall()


def test_a_host_is_forgotten(store):
    gone = [row[0] for row in rows(store, f"select record_id from observations where host = '{HOST}'")]
    urls = [row[0] for row in rows(store, f"select url from observations where host = '{HOST}'")]
    others = "select * exclude (evidence) from records where host is null or host <> 'gone.example' order by record_id"
    before = rows(store, others)
    assert search(store.root, gone)
    result = pipeline.forget(host=HOST.upper(), reason="the owner asked", store=store.root, wait=5)
    assert result.gone
    assert result.records == len(gone) == 4
    assert result.scans == ("one", "two")
    assert result.datasets == ("dataset:all",)
    assert search(store.root, [*gone, *urls]) == []
    assert rows(store, others) == before
    assert pipeline.verify(store=store.root).problems == []
    assert rows(store, "select sum(rows)::int from tombstones where kind = 'observations'") == [(4,)]
    assert HOST not in str(rows(store, "from tombstones"))
    assert any("dedup one" in remark for remark in result.remarks)


def test_a_host_is_forgotten_however_it_is_written(tmp_path, text, jsonl):
    spelled = [f"http://u@{HOST}.:8080/x", f"{HOST}/path", f"//{HOST.upper()}?q", f"https://{HOST}"]
    others = [f"https://sub.{HOST}/", f"{HOST}.other/x", f"https://other.example/{HOST}"]
    jsonl(tmp_path / "a.jsonl", [{"text": text(n), "url": url} for n, url in enumerate([*spelled, *others])])
    pv.scan([tmp_path / "a.jsonl"], store=tmp_path / "s", name="one", jobs=1)
    assert pipeline.forget(host=f"{HOST}.", reason="asked", store=tmp_path / "s", wait=5).records == len(spelled)
    left = rows(pv.Store(tmp_path / "s"), "select url from records order by position")
    assert [url for (url,) in left] == others


def test_what_is_left_adds_up_and_says_why(store):
    sealed = rows(store, "select digest, records from datasets")
    pipeline.forget(url_prefix=f"https://{HOST}/a/", reason="robots", store=store.root, wait=5)
    assert rows(store, "select digest, records from datasets") == sealed
    assert rows(store, "select count(*) from dataset_records") == [(sealed[0][1] - 3,)]
    ((counted, held, forgotten),) = rows(
        store,
        "select sum(records)::int, (select count(*)::int from observations), "
        "(select sum(rows)::int from tombstones where kind = 'observations') from sources",
    )
    assert counted == held + forgotten
    assert rows(store, f"select count(*) from observations where host = '{HOST}'") == [(1,)]


def test_verify_still_sees_what_else_is_missing(store):
    pipeline.forget(url_prefix=f"https://{HOST}/a/", reason="robots", store=store.root, wait=5)
    with store.commit("break it") as commit:
        commit.execute("update tombstones set rows = rows - 1 where kind = 'observations'")
    assert any("has forgotten 2" in problem for problem in pipeline.verify(store=store.root).problems)


def test_one_record_is_forgotten_and_its_copies_url_stays(store):
    ((record, url),) = rows(store, "select record_id, url from observations where url like '%/a/page/7'")
    result = pipeline.forget(records=[record], reason="asked", store=store.root, wait=5)
    assert result.gone
    assert search(store.root, [record, url]) == []
    assert rows(store, "select count(*) from observations") == [(11,)]


def test_a_set_is_forgotten(store):
    ((set_id,),) = rows(store, "select set_id from reference_sets where name = 'the-generations'")
    assert rows(store, f"select count(*) > 0 from matches where set_id = '{set_id}'") == [(True,)]
    result = pipeline.forget(reference_set="the-generations", reason="the licence ended", store=store.root, wait=5)
    assert result.gone
    assert search(store.root, [set_id, "the-generations"]) == []
    assert pipeline.verify(store=store.root).problems == []
    # The lineage keeps that a set of that model was there.
    assert rows(store, "select count(*) from reference_sets where model = 'm1' and withdrawn_at is not null") == [(1,)]
    assert rows(store, "select count(distinct set_id) from matches") == [(1,)]
    assert rows(store, "select count(*) > 0 from changes where cause = 'unregister'") == [(True,)]


def test_a_set_that_was_unregistered_is_forgotten_too(store):
    pipeline.unregister("the-generations", store=store.root)
    assert pipeline.forget(reference_set="the-generations", reason="x", store=store.root, wait=5).gone


def test_looking_ahead_changes_nothing(store):
    before = {path: path.read_bytes() for path in sorted(store.root.rglob("*")) if path.is_file()}
    result = pipeline.forget(host=HOST, reason="x", dry_run=True, store=store.root)
    assert not result.done
    assert result.rows["observations"] == result.rows["fingerprints"] == 4
    assert {path: path.read_bytes() for path in sorted(store.root.rglob("*")) if path.is_file()} == before


def test_an_unfinished_scan_reads_its_sources_again(store):
    with store.commit("as if it had been interrupted") as commit:
        commit.execute("insert into scan_log select * replace ('running' as state, now()::timestamp as recorded_at) "
                       "from scans where name = 'two'")  # fmt: skip
    result = pipeline.forget(url_prefix=f"https://{HOST}/a/", reason="x", store=store.root, wait=5)
    assert any("two has not ended" in remark for remark in result.remarks)


def test_a_reader_of_an_older_snapshot_is_waited_for(store):
    older = store.current
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(older)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        reader.stdout.readline()
        result = pipeline.forget(host=HOST, reason="x", store=store.root, wait=0)
        assert result.pending == (older.relative_to(store.root).as_posix(),)
        assert not result.gone
        assert rows(store, f"select count(*) from observations where host = '{HOST}'") == [(0,)]
        reader.stdin.close()
        reader.wait()
    assert pipeline.finish_forgetting(store=store.root, wait=5).gone
    assert not older.exists()


def test_nothing_is_erased_while_somebody_writes(store):
    with store.session(), pytest.raises(StoreError, match="writing"):
        pipeline.forget(host=HOST, reason="x", store=store.root)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({}, "One thing at a time"),
        ({"host": HOST, "url_prefix": "https://"}, "One thing at a time"),
        ({"host": "unknown.example"}, "no record of the host"),
        ({"records": ["f" * 32]}, "no record"),
        ({"reference_set": "nothing"}, "no reference set"),
        ({"host": HOST, "reason": f"{HOST} asked"}, "says what"),
        ({"host": HOST, "reason": " "}, "reason is wanted"),
    ],
)
def test_what_can_not_be_forgotten(store, what, said):
    before = store.current
    with pytest.raises(UsageError, match=said):
        pipeline.forget(**{"reason": "x", "store": store.root, **what})
    assert store.current == before


def test_rejects_lose_what_they_quote_and_stay_counted(tmp_path, jsonl, text):
    source = jsonl(tmp_path / "a.jsonl", [{"text": text(1), "url": f"https://{HOST}/page/of/it"}, {"text": text(2)}])
    with source.open("a") as file:
        file.write("{broken\n")
    store = pv.Store.create(tmp_path / "store")
    pv.scan([source], store=store.root, jobs=1)
    (path,) = [row[0] for row in rows(store, "select path from parts where kind = 'rejects'")]
    table = pq.read_table(store.root / path)
    quoting = table.set_column(4, "detail", [[f"at https://{HOST}/page/of/it: broken"]])
    part = write_part(store.root, "rejects", table["scan_id"][0].as_py(), "quoting", quoting, source_id=None)
    with store.commit("quote") as commit:
        commit.withdraw_part(path)
        commit.add_part(part)
    assert pipeline.forget(host=HOST, reason="x", store=store.root, wait=5).gone
    assert rows(store, "select reason <> '', detail from rejects") == [(True, "")]
    assert pipeline.verify(store=store.root).problems == []


def test_the_log_forgets_too(store):
    folder = store.root / "logs"
    folder.mkdir(exist_ok=True)
    url = rows(store, f"select url from observations where host = '{HOST}'")[0][0]
    (folder / "x.jsonl").write_text(
        json.dumps({"event": "reject", "url": url}) + "\n" + json.dumps({"event": "end"}) + "\n"
    )
    assert pipeline.forget(host=HOST, reason="x", store=store.root, wait=5).gone
    assert (folder / "x.jsonl").read_text() == '{"event": "end"}\n'


def test_the_rewritten_catalogue_is_one_that_plain_duckdb_reads(store):
    pipeline.forget(host=HOST, reason="x", store=store.root, wait=5)
    with duckdb.connect(str(store.current), read_only=True) as connection:
        assert connection.execute("select count(*) from records").fetchall() == [(8,)]
    with store.commit("go on") as commit:
        commit.insert("models", [{"model": "m9"}])
    assert rows(store, "select count(*) from models where model = 'm9'") == [(1,)]
