"""Copies inside a scan: found as brute force finds them, whatever the order, and dropped from filtered files."""

from __future__ import annotations

import functools
import itertools
import json
import random
from pathlib import Path

import networkx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

import provenance as pv
from provenance.errors import UsageError
from provenance.fingerprint import content_checks, fingerprint, pack
from provenance.pipeline.dedup import clusters, kernel, settle, texts
from provenance.pipeline.dedup.sketches import Stored, hexadecimal, load
from provenance.pipeline.dedup.texts.kernel import shingle_sets
from provenance.text.tokens import tokenize

LATE, EARLY = "2024-06-01", "2024-05-01"


def edited(text: str, words: int, seed: int) -> str:
    """Replace single words, evenly spread, so that each spoils five shingles."""
    chosen, row = random.Random(seed), text.split()
    for place in range(words):
        row[int((place + 0.5) * len(row) / words)] = f"new{chosen.randrange(10**6)}"
    return " ".join(row)


@functools.cache
def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))} if words else set()


def jaccard(left: str, right: str) -> float:
    a, b = shingles(left), shingles(right)
    return len(a & b) / len(a | b) if a | b else 1.0


def true_clusters(rows: list[str], threshold: float = 0.7) -> set[frozenset[int]]:
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(rows)))
    graph.add_edges_from(
        (i, j)
        for i, j in itertools.combinations(range(len(rows)), 2)
        if rows[i] == rows[j] or jaccard(rows[i], rows[j]) >= threshold
    )
    return {frozenset(found) for found in networkx.connected_components(graph) if len(found) > 1}


def clusters_of(store: Path, scan: str) -> set[frozenset[int]]:
    """Positions of the records of each cluster of a scan of one source."""
    found = (
        pv.Store(store)
        .sql(
            "select list(position) from duplicates join observations using (scan_id, record_id) "
            "join scans using (scan_id) where name = ? group by cluster_id",
            [scan],
        )
        .fetchall()
    )
    return {frozenset(positions) for (positions,) in found}


def stored(rows: list[str], folder: Path, order: list[int], parts: int = 1) -> Stored:
    """The fingerprints of texts that are folded already, written in some order to some parts."""
    folder.mkdir(parents=True)
    paths = []
    for number, places in enumerate(np.array_split(np.array(order, np.int64), parts)):
        folded = pa.array([rows[place] for place in places], pa.large_string())
        ids = [xxhash.xxh3_128_hexdigest(str(place).encode()) for place in places]
        paths.append(folder / f"{number}.parquet")
        batch = pack(fingerprint(tokenize(folded)), ids, content_checks(folded))
        pq.write_table(pa.Table.from_batches([batch]), paths[-1])
    return load(paths, folder)


def groups(found: clusters.Clusters, records: Stored) -> set[frozenset[str]]:
    ids = hexadecimal(records.ids).to_pylist()
    by_root: dict[int, set[str]] = {}
    for name, root in zip(ids, found.roots().tolist(), strict=True):
        by_root.setdefault(root, set()).add(name)
    return {frozenset(group) for group in by_root.values() if len(group) > 1}


@pytest.fixture(scope="module")
def families(text):
    """Texts with copies of every degree: of 200 words, n replaced ones leave (196 - 5n) / (196 + 5n)."""
    rows = [text(1000 + n, 200) for n in range(15)]
    for base in range(15):
        rows += [edited(rows[base], words, 7 * base + words) for words in range(base % 3, 13, 3)]
    rows += [rows[0], rows[20], text(77, 3), text(77, 3), "", ""]
    random.Random(1).shuffle(rows)
    return rows


@pytest.fixture(scope="module")
def made(tmp_path_factory, jsonl, families):
    """A folder with a scan of the families, and what `dedup` said of it."""
    folder = tmp_path_factory.mktemp("dedup")
    jsonl(folder / "a.jsonl", [{"text": row} for row in families])
    pv.scan(folder / "a.jsonl", store=folder / "s", jobs=1)
    return folder, pv.dedup("a.jsonl", store=folder / "s", jobs=1)


def test_clusters_are_those_of_brute_force(made, families):
    folder, result = made
    truth = true_clusters(families)
    assert clusters_of(folder / "s", "a.jsonl") == truth
    assert (result.clusters, result.clustered) == (len(truth), sum(map(len, truth)))
    assert result.dropped == result.clustered - result.clusters
    assert result.equal == len(families) - len(set(families))
    assert result.read_pairs > 0
    assert (result.open_pairs, result.unasked, result.crowded) == (0, 0, 0)


def test_similarity_is_exact_where_texts_were_read(made, families):
    folder, _ = made
    rows = pv.Store(folder / "s").sql(
        "select one.position, kept.position, similarity, verified from duplicates "
        "join observations as one using (record_id) join observations as kept on kept.record_id = cluster_id"
    )
    for place, kept, similarity, verified in rows.fetchall():
        truth = jaccard(families[place], families[kept])
        assert similarity == pytest.approx(truth, abs=1e-9 if verified else 0.15)


def test_unique_words_count_each_cluster_once(made, families):
    folder, result = made
    store = pv.Store(folder / "s")
    words = [len(row.split()) for row in families]
    copies = sum(sum(words[place] for place in sorted(group)[1:]) for group in true_clusters(families))
    assert sum(count.words for count in result.tags.values()) == sum(words)
    assert sum(count.unique_words for count in result.tags.values()) == sum(words) - copies
    ((unique,),) = store.sql("select sum(words) from unique_records").fetchall()
    assert unique == sum(words) - copies
    ((records,),) = store.sql("select count(*) from unique_records").fetchall()
    assert records == result.records - result.dropped


def test_the_same_again_is_not_done_and_another_threshold_replaces_it(made, families, tmp_path, jsonl):
    path = jsonl(tmp_path / "a.jsonl", [{"text": row} for row in families])
    store = tmp_path / "s"
    pv.scan(path, store=store, jobs=1)
    first = pv.dedup("a.jsonl", store=store, jobs=1)
    again = pv.dedup("a.jsonl", store=store, jobs=1)
    assert (first.already_done, again.already_done) == (False, True)
    assert (again.clusters, again.tags) == (first.clusters, first.tags)
    higher = pv.dedup("a.jsonl", threshold=0.85, store=store, jobs=1)
    assert not higher.already_done
    assert clusters_of(store, "a.jsonl") == true_clusters(families, 0.85)
    assert pv.dedup("a.jsonl", threshold=1, store=store, jobs=1).clusters == len(true_clusters(families, 1))
    opened = pv.Store(store)
    assert opened.sql("select count(*) from parts where kind = 'duplicates' and withdrawn_at is null").fetchall() == [
        (1,)
    ]
    assert opened.sql("select count(*) from dedup_log").fetchall() == [(3,)]
    assert opened.verify(repair=True).sound
    assert clusters_of(made[0] / "s", "a.jsonl") == true_clusters(families)


def test_sources_and_jobs_in_any_order_give_the_same(tmp_path, jsonl, families, contents):
    halves = {"x.jsonl": families[::2], "y.jsonl": families[1::2]}
    answers = []
    for number, (names, jobs) in enumerate(((sorted(halves), 1), (sorted(halves, reverse=True), 2))):
        folder = tmp_path / str(number)
        for name in names:
            jsonl(folder / "in" / name, [{"text": row} for row in halves[name]])
        pv.scan(folder / "in", store=folder / "s", name="both", jobs=1)
        pv.dedup("both", store=folder / "s", jobs=jobs)
        answers.append(pv.Store(folder / "s").sql("select * exclude (scan_id) from duplicates order by all").fetchall())
    assert answers[0] == answers[1]
    assert len(answers[0]) == sum(map(len, true_clusters(families)))


def test_the_earliest_capture_is_kept_then_the_first_place(tmp_path, jsonl, text):
    copies = {"text": text(1)}
    jsonl(tmp_path / "in" / "a.jsonl", [copies, {**copies, "created": "2001-01-01"}, {"text": text(2)}])
    jsonl(tmp_path / "in" / "b.jsonl", [{**copies, "date": LATE}, {**copies, "date": EARLY}, {"text": text(2)}])
    pv.scan(tmp_path / "in", store=tmp_path / "s", name="dates", jobs=1)
    pv.dedup("dates", store=tmp_path / "s", jobs=1)
    rows = pv.Store(tmp_path / "s").sql(
        "select cluster_id = first(cluster_id) over (order by uri desc, position desc), uri[-7:], position, place, "
        "kept, similarity, verified from duplicates join observations using (scan_id, record_id) "
        "join sources using (scan_id, source_id) order by 1, place"
    )
    assert rows.fetchall() == [
        (False, "b.jsonl", 1, 1, True, 1.0, True),
        (False, "b.jsonl", 0, 2, False, 1.0, True),
        (False, "a.jsonl", 0, 3, False, 1.0, True),
        (False, "a.jsonl", 1, 4, False, 1.0, True),
        (True, "a.jsonl", 2, 1, True, 1.0, True),
        (True, "b.jsonl", 2, 2, False, 1.0, True),
    ]


def test_a_chain_is_one_cluster(tmp_path, jsonl, text):
    first = text(1, 200)
    second = edited(first, 5, 1)
    third = second.split()
    third[20:30] = [f"other{n}" for n in range(10)]
    third[120:130] = [f"more{n}" for n in range(10)]
    rows = [first, second, " ".join(third)]
    assert jaccard(rows[0], rows[2]) < 0.7 <= min(jaccard(rows[0], rows[1]), jaccard(rows[1], rows[2]))
    jsonl(tmp_path / "a.jsonl", [{"text": row} for row in rows])
    pv.scan(tmp_path / "a.jsonl", store=tmp_path / "s", jobs=1)
    pv.dedup("a.jsonl", store=tmp_path / "s", jobs=1)
    assert clusters_of(tmp_path / "s", "a.jsonl") == {frozenset(range(3))}


def test_a_lost_source_is_judged_by_fingerprints_until_it_is_back(tmp_path, jsonl, families):
    path = jsonl(tmp_path / "a.jsonl", [{"text": row} for row in families])
    store = tmp_path / "s"
    pv.scan(path, store=store, jobs=1)
    path.rename(tmp_path / "away")
    lost = pv.dedup("a.jsonl", store=store, jobs=1)
    assert lost.unreadable == ("a.jsonl",)
    assert lost.open_pairs > 0
    assert lost.clusters > 0
    (tmp_path / "away").rename(path)
    back = pv.dedup("a.jsonl", store=store, jobs=1)
    assert (back.already_done, back.open_pairs, back.unreadable) == (False, 0, ())
    assert clusters_of(store, "a.jsonl") == true_clusters(families)
    assert pv.dedup("a.jsonl", verify=False, store=store, jobs=1).already_done


@pytest.mark.parametrize("threshold", [0.69, 1.01, float("nan")])
def test_a_threshold_out_of_range_is_refused(made, threshold):
    with pytest.raises(UsageError, match=r"between 0\.7 and 1"):
        pv.dedup("a.jsonl", threshold=threshold, store=made[0] / "s")


def test_a_scan_that_has_not_ended_is_refused(tmp_path, jsonl, text):
    pv.scan(jsonl(tmp_path / "a.jsonl", [{"text": text(1)}]), store=tmp_path / "s", jobs=1)
    store = pv.Store(tmp_path / "s")
    ((scan_id,),) = store.sql("select scan_id from scans").fetchall()
    with store.commit("test") as commit:
        commit.insert("scans", [{"scan_id": scan_id, "name": "a.jsonl", "state": "running"}])
    with pytest.raises(UsageError, match="has not ended"):
        pv.dedup("a.jsonl", store=tmp_path / "s")


def test_filter_drops_copies_and_says_of_what(tmp_path, jsonl, text):
    rows = [
        {"text": text(1), "date": LATE},
        {"text": text(1), "date": "2010-01-01"},
        {"text": edited(text(1), 2, 5), "date": "2011-01-01"},
        {"text": text(2), "date": "2012-01-01"},
    ]
    path = jsonl(tmp_path / "a.jsonl", rows)
    result = pv.filter(
        path, out=tmp_path / "o.jsonl", keep={"human", "unknown"}, dedup=True, store=tmp_path / "s", jobs=1
    )
    assert (result.kept, result.dropped) == (2, 2)
    assert {reason for _, reason in result.dropped_by_reason} == {"duplicate"}
    kept = [json.loads(line) for line in (tmp_path / "o.jsonl").read_bytes().splitlines()]
    assert kept == [rows[1], rows[3]]
    ((first,),) = pv.Store(tmp_path / "s").sql("select record_id from records where position = 1").fetchall()
    dropped = [json.loads(line) for line in (tmp_path / "o.dropped.jsonl").read_bytes().splitlines()]
    assert [(row["position"], row["reason"]) for row in dropped] == [(n, f"duplicate of {first}") for n in (0, 2)]


def test_a_cluster_is_not_lost_with_its_first_record(tmp_path, jsonl, text):
    """The record that is kept of the cluster has another tag than is asked for: the next one takes its place."""
    rows = [
        {"text": text(1), "date": "2010-01-01"},
        {"text": text(1), "date": LATE},
        {"text": text(1)},
    ]
    path = jsonl(tmp_path / "a.jsonl", rows)
    pv.scan(path, store=tmp_path / "s", jobs=1)
    result = pv.filter("a.jsonl", out=tmp_path / "o.jsonl", keep={"unknown"}, dedup=True, store=tmp_path / "s", jobs=1)
    assert (result.kept, result.dropped) == (1, 2)
    assert json.loads((tmp_path / "o.jsonl").read_text()) == rows[1]
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "o.dropped.jsonl").read_bytes().splitlines()]
    assert reasons[0] == "dated"
    assert reasons[1].startswith("duplicate of ")


words = st.lists(st.sampled_from("abcdefgh"), max_size=40).map(" ".join)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(rows=st.lists(words, min_size=1, max_size=25), randomness=st.randoms(use_true_random=False))
def test_equal_texts_are_one_cluster_and_nothing_unlike_is(tmp_path_factory, rows, randomness):
    rows = rows + randomness.choices(rows, k=5)
    records = stored(rows, tmp_path_factory.mktemp("stored") / "parts", list(range(len(rows))))
    found = clusters.link(records, 0.7)
    folded = tokenize(pa.array(rows, pa.large_string()))
    ends, sets = np.empty(len(rows), np.int64), np.empty(len(folded.hashes) + 1, np.uint32)
    shingle_sets(folded.hashes, folded.offsets, texts.gram_powers(5), sets, ends)
    read = texts.Shingles(np.arange(len(rows), dtype=np.int32), sets, np.append(0, ends[:-1]), ends, ())
    settle(found, read, 0.7)
    roots = found.roots()
    for i, j in itertools.combinations(range(len(rows)), 2):
        if rows[i] == rows[j]:
            assert roots[i] == roots[j]
    truth = networkx.utils.UnionFind(range(len(rows)))
    for group in true_clusters(rows):
        truth.union(*group)
    assert all(truth[i] == truth[j] for i, j in itertools.combinations(range(len(rows)), 2) if roots[i] == roots[j])


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_order_of_parts_and_rows_changes_nothing(tmp_path_factory, families, randomness, parts):
    order = list(range(len(families)))
    folder = tmp_path_factory.mktemp("stored")
    first = stored(families, folder / "first", order)
    randomness.shuffle(order)
    second = stored(families, folder / "second", order, parts)
    one, other = clusters.link(first, 0.7), clusters.link(second, 0.7)
    assert groups(one, first) == groups(other, second)

    def open_pairs(found, records):
        ids = hexadecimal(records.ids).to_pylist()
        return [{ids[a], ids[b]} for a, b in zip(found.lefts.tolist(), found.rights.tolist(), strict=True)]

    assert open_pairs(one, first) == open_pairs(other, second)


def crowd(count: int, copies: int, distinct: bool) -> Stored:
    """Fingerprints that share the key of band 0; ``copies`` of them, far apart, agree on all but the last passage."""
    draw = np.random.default_rng(3)
    bands = draw.integers(0, 1 << 32, (count, 25), np.uint32)
    bands[:, 0] = 1
    passages = draw.integers(0, 1 << 32, (count, 40), np.uint32)
    alike = np.arange(copies) * (count // copies)
    bands[alike], passages[alike] = bands[0], passages[0]
    passages[alike, -1] += np.arange(copies, dtype=np.uint32) * distinct
    ids = draw.integers(0, 256, (count, 16)).astype(np.uint8)
    checks = draw.integers(0, 1 << 63, (count, 2)).astype(np.uint64)
    return Stored(ids, bands, passages.reshape(-1), np.arange(count + 1) * 40, checks)


@pytest.mark.parametrize("distinct", [False, True])
def test_a_key_shared_by_thousands_costs_little_and_loses_no_copy(distinct):
    records = crowd(6000, 500, distinct)
    found = clusters.link(records, 0.7)
    sizes = np.bincount(found.roots(), minlength=len(records))
    assert sorted(sizes[sizes > 1]) == [500]
    assert found.crowded == (6000 if distinct else 5501)
    assert found.compared < 6000 * (kernel.LEADERS + kernel.WINDOW + 2)


def test_many_open_pairs_are_capped_and_counted():
    """Pages of one template that share half of their keys: near the threshold each with each."""
    draw = np.random.default_rng(4)
    count = 1500
    same = draw.random((count, 25)) < 0.4
    bands = np.where(same, np.uint32(7), draw.integers(0, 1 << 32, (count, 25), np.uint32)).astype(np.uint32)
    passages = np.where(draw.random((count, 40)) < 0.85, np.arange(40), draw.integers(0, 1 << 32, (count, 40)))
    ids = draw.integers(0, 256, (count, 16)).astype(np.uint8)
    checks = draw.integers(0, 1 << 63, (count, 2)).astype(np.uint64)
    records = Stored(ids, bands, passages.astype(np.uint32).reshape(-1), np.arange(count + 1) * 40, checks)
    found = clusters.link(records, 0.7)
    assert found.crowded > 0
    assert 0 < len(found.lefts) <= count * kernel.WAITING
    later = np.bincount(np.concatenate((found.lefts, found.rights)), minlength=count)
    assert later.min() > 0
