"""The walk-through of scripts/demo on the sample: what it prints, and whether every tag is the right one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Demo(NamedTuple):
    output: str
    folder: Path
    environment: dict[str, str]

    def rows(self, query: str) -> list[dict[str, Any]]:
        line = ["provenance", "sql", "--json", query, "--store", str(self.folder / "store")]
        done = subprocess.run(line, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        answer: list[dict[str, Any]] = json.loads(done.stdout)
        return answer


def stand_in_environment(folder: Path) -> Path:
    """A virtual environment, to scripts/setup's eye complete, that runs the interpreter and the code under test."""
    (folder / "bin").mkdir(parents=True)
    paths = f'PYTHONPATH="{ROOT / "src"}${{PYTHONPATH:+:$PYTHONPATH}}"'
    programs = {"python": '"$@"', "provenance": '-c "from provenance.cli import main; main()" "$@"'}
    for name, arguments in programs.items():
        (folder / "bin" / name).write_text(
            f'#!/bin/sh\n{paths} exec "{sys.executable}" {arguments}\n', encoding="utf-8"
        )
        (folder / "bin" / name).chmod(0o755)
    with (ROOT / "pyproject.toml").open("rb") as project:
        sums = subprocess.run(["cksum"], stdin=project, capture_output=True, text=True, check=True).stdout
    (folder / ".provenance-run").write_text(f"pyproject {sums}checkout {ROOT}\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    venv = stand_in_environment(tmp_path_factory.mktemp("demo") / "venv")
    folder = venv.parent / "output"
    environment = os.environ | {"PROVENANCE_VENV": str(venv), "PIP_NO_INDEX": "1"}
    done = subprocess.run(
        [str(ROOT / "scripts" / "demo"), str(folder)],
        env=environment,
        cwd=venv.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    environment["PATH"] = f"{venv / 'bin'}{os.pathsep}{environment['PATH']}"
    return Demo(done.stdout, folder, environment)


def sections(output: str) -> dict[str, str]:
    pieces = re.split(r"^== \d+\. (.*)$", output, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def test_every_record_has_the_expected_tag_and_reason(demo: Demo, sample: Path) -> None:
    found = {
        (Path(row["uri"]).name, row["url"]): (row["tag"], row["reason"])
        for row in demo.rows("select s.uri, r.url, r.tag, r.reason from records r join sources s using (source_id)")
    }
    expected = [json.loads(line) for line in (sample / "expected.jsonl").read_text(encoding="utf-8").splitlines()]
    wrong = {}
    for row in expected:
        tag, reason = found[row["source"], row["url"]]
        if tag not in row["tags"] or not any(fnmatch(reason, wanted) for wanted in row["reasons"]):
            wrong[row["url"]] = f"{tag} {reason}, not {row['tags']} {row['reasons']}"
    assert wrong == {}


def test_nothing_of_the_sample_is_lost(demo: Demo, sample: Path) -> None:
    totals = {
        Path(row["uri"]).name: row["records"] + row["rejects"] + row["skipped"]
        for row in demo.rows("select uri, records, rejects, skipped from sources")
    }
    rows = (sample / "dataset.jsonl").read_text(encoding="utf-8").count("\n")
    pages = (sample / "expected.jsonl").read_text(encoding="utf-8").count('"source": "crawl.warc.gz"')
    responses = pages + 2  # a redirect and an image
    assert totals["dataset.jsonl"] == rows
    assert totals["crawl.warc.gz"] == 1 + 3 * responses


def test_hosts_are_listed_by_the_model_they_copy(demo: Demo) -> None:
    shown = sections(demo.output)["Ask in SQL: which hosts hold copies of which model's text?"]
    lines = [line.split()[:3] for line in shown.splitlines() if ".example" in line]
    assert sorted(lines) == [
        ["dailyguides.example", "demo-1", "2"],
        ["dailyguides.example", "other-1", "1"],
        ["harbours.example", "demo-1", "1"],
        ["homeledger.example", "demo-1", "1"],
        ["teatime.example", "other-1", "1"],
    ]


def test_the_loop_is_refused_and_its_path_shown(demo: Demo) -> None:
    (refused,) = (text for title, text in sections(demo.output).items() if "refused" in title)
    assert "(exit code 1)" in refused
    (path,) = (line for line in refused.splitlines() if line.strip().startswith("loop:"))
    for step in ("demo-2", "web-2024-all", "demo-1"):
        assert step in path


def test_what_people_wrote_is_kept_byte_for_byte(demo: Demo, sample: Path) -> None:
    kept = (demo.folder / "clean.jsonl").read_bytes().splitlines()
    original = (sample / "dataset.jsonl").read_bytes().splitlines()
    assert [line for line in original if line in set(kept)] == kept
    expected = [json.loads(line) for line in (sample / "expected.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in expected if row["source"] == "dataset.jsonl"]
    urls = {json.loads(line)["url"] for line in kept}
    assert {row["url"] for row in rows if row["tags"] == ["human"]} <= urls
    assert urls <= {row["url"] for row in rows if "human" in row["tags"]}


def test_the_clean_dataset_passes(demo: Demo) -> None:
    (passed,) = (text for title, text in sections(demo.output).items() if title == "May that train demo-2?")
    assert "(exit code 0)" in passed
    assert "loop:" not in passed
