"""The command line of near-duplicates."""

from __future__ import annotations

import json


def test_dedup_prints_clusters_and_unique_words(cli, tmp_path):
    words = " ".join(f"word{n}" for n in range(60))
    rows = [words, words, f"{words} and more", " ".join(f"other{n}" for n in range(50))]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    assert cli("scan", "a.jsonl", "--jobs", 1).code == 0
    done = cli("dedup", "a.jsonl", "--jobs", 1)
    assert done.code == 0
    assert done.err == ""
    assert "1 clusters hold 3 of 4 records; 2 are copies of the one that is kept (1 have the same text)" in done.out
    assert "unique words" in done.out
    again = cli("dedup", "a.jsonl", "--json")
    found = json.loads(again.out)
    assert (found["already_done"], found["clusters"], found["clustered"], found["dropped"]) == (True, 1, 3, 2)
    assert found["tags"] == {"unknown": {"records": 4, "words": 232, "unique_records": 2, "unique_words": 110}}
    filtered = cli("filter", "a.jsonl", "--keep", "unknown", "--dedup", "--out", "o.jsonl", "--json")
    assert json.loads(filtered.out)["kept"] == 2
    refused = cli("dedup", "a.jsonl", "--threshold", "0.5")
    assert refused.code == 2
    assert "0.7" in refused.err
