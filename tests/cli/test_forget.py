"""``forget``, ``verify --absent`` and the limits of ``sql``, as a user types them."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def made(cli, tmp_path):
    rows = [{"text": f"some words of page {n} " * 20, "url": f"https://host{n % 2}.example/page/{n}"} for n in range(4)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert cli("scan", "a.jsonl", "--jobs", "1").code == 0
    return cli


def test_forgetting_asks_does_and_shows(made):
    ahead = made("forget", "--host", "host1.example")
    assert ahead.code == 0
    assert "would forget 2 records" in ahead.out
    assert "--yes" in ahead.out
    assert made("verify", "--absent", "https://host1.example/page/1").code == 1
    assert made("forget", "--host", "host1.example", "--yes").code == 2
    done = made("forget", "--host", "host1.example", "--yes", "--reason", "asked to", "--json")
    assert done.code == 0
    told = json.loads(done.out)
    assert (told["records"], told["gone"], told["remaining"]) == (2, True, [])
    assert made("verify", "--absent", "https://host1.example/page/1").code == 0
    assert made("verify", "--absent", "short").code == 2
    assert made("verify").code == 0
    assert "2 rows were erased" in made("status").out
    again = made("forget", "--host", "host1.example")
    assert again.code == 2
    assert "no record of the host" in again.err
    assert made("forget", "--finish").code == 0


def test_status_counts_what_a_dataset_still_holds(made):
    assert made("lineage", "add", "dataset", "d", "--scan", "a.jsonl").code == 0
    (before,) = json.loads(made("status", "--json").out)["datasets"]
    assert (before["records"], before["forgotten"]) == (4, 0)
    assert made("forget", "--host", "host1.example", "--yes", "--reason", "asked to").code == 0
    (after,) = json.loads(made("status", "--json").out)["datasets"]
    assert (after["records"], after["forgotten"], after["digest"]) == (2, 2, before["digest"])
    assert (
        "2 of its records were forgotten and are not judged"
        in json.loads(made("check", "d", "--json").out)["remarks"][0]
    )
    held = made("sql", "select count(*) from dataset_records", "-f", "csv").out.split()[1]
    assert held == str(after["records"])
    assert [line.split()[:3] for line in made("status").out.splitlines() if line.strip().startswith("d ")] == [
        ["d", "2", "2"]
    ]


def test_a_query_has_limits(made):
    endless = "with recursive r as (select 1 as i union all select i + 1 from r) select count(*) from r"
    stopped = made("sql", endless, "--timeout", "1")
    assert stopped.code == 2
    assert "stopped after 1 s" in stopped.err
    assert "--timeout" in stopped.err
    assert made("sql", "select 1", "--memory", "1KB").code == 2
    assert made("sql", "select 1", "--memory", "much").code == 2


def test_formulas_stay_text_in_csv(made):
    done = made("sql", "select '=1+1' as \"=a\", -1 as n, '-2' as s, '@x' as t", "-f", "csv")
    assert done.out == "'=a,n,s,t\n'=1+1,-1,-2,'@x\n"
