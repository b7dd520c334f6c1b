"""What stands around the package: scripts that run anywhere, a sample that is what its sources say, honest lists."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator

ROOT = Path(__file__).resolve().parent.parent
BASH_SCRIPTS = ("scripts/setup", "scripts/demo", "scripts/test", "scripts/lint", "scripts/torture", ".ci/run")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", BASH_SCRIPTS)
def test_script_is_sound_bash(name: str) -> None:
    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_mode & stat.S_IXUSR
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0


def test_setup_does_nothing_when_all_is_installed(tmp_path: Path) -> None:
    """A finished environment must not cost a call to pip, which needs a network."""
    fake = tmp_path / "venv"
    (fake / "bin").mkdir(parents=True)
    (fake / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (fake / "bin" / "python").chmod(0o755)
    sums = subprocess.run(
        ["cksum"], stdin=(ROOT / "pyproject.toml").open("rb"), capture_output=True, text=True, check=True
    )
    (fake / ".provenance-run").write_text(f"pyproject {sums.stdout}checkout {ROOT}\n", encoding="utf-8")
    environment = os.environ | {"PROVENANCE_VENV": str(fake), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    done = subprocess.run(
        [str(ROOT / "scripts" / "setup")], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_setup_says_what_is_missing(tmp_path: Path) -> None:
    """Names that only print a hint, as some version managers install them, are no Python."""
    for name in ("python", "python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    for tool in ("dirname", "env", "bash"):
        (tmp_path / tool).symlink_to(Path("/usr/bin") / tool if (Path("/usr/bin") / tool).exists() else f"/bin/{tool}")
    environment = {"PATH": str(tmp_path), "PROVENANCE_VENV": str(tmp_path / "venv")}
    done = subprocess.run(
        ["/usr/bin/env", "bash", str(ROOT / "scripts" / "setup")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "3.11" in done.stderr


def test_every_dependency_is_explained() -> None:
    settings = project()
    extras = settings["project"]["optional-dependencies"].values()
    declared = [*settings["project"]["dependencies"], *settings["dependency-groups"]["dev"], *chain(*extras)]
    names = {re.match(r"[A-Za-z0-9._-]+", requirement).group().lower() for requirement in declared}
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = Counter(re.findall(r"^\| `([a-z0-9._-]+)` \|", page, re.MULTILINE))
    assert set(explained) == names
    assert max(explained.values()) == 1


def test_every_dependency_has_a_lower_bound() -> None:
    settings = project()
    declared = [*settings["project"]["dependencies"], *settings["dependency-groups"]["dev"]]
    assert [requirement for requirement in declared if ">=" not in requirement] == []


def test_sample_is_what_its_sources_say() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make-sample"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_sample_crawl_is_sound(sample: Path) -> None:
    """An independent reader finds every record, with digests that hold."""
    kinds: Counter[str] = Counter()
    pages = set()
    with (sample / "crawl.warc.gz").open("rb") as stream:
        for record in ArchiveIterator(stream, parse_http=False):
            assert record.verify_block_digest(), record.headers
            kinds[record.headers["WARC-Type"]] += 1
            if record.headers["WARC-Type"] == "response":
                pages.add(record.headers["WARC-Target-URI"])
    expected = [json.loads(line) for line in (sample / "expected.jsonl").read_text(encoding="utf-8").splitlines()]
    wanted = {row["url"] for row in expected if row["source"] == "crawl.warc.gz"}
    assert wanted < pages
    fetched = len(wanted) + 2  # a redirect and an image, too
    assert kinds == {"warcinfo": 1, "request": fetched, "response": fetched, "metadata": fetched}


def test_sample_is_small(sample: Path) -> None:
    assert sum(path.stat().st_size for path in sample.rglob("*") if path.is_file()) < 400_000


def test_every_sample_text_has_an_origin(sample: Path) -> None:
    plan = tomllib.loads((sample / "sample.toml").read_text(encoding="utf-8"))
    assert {path.stem for path in (sample / "texts").iterdir()} == set(plan["texts"])
    for name, text in plan["texts"].items():
        if name.startswith("human-"):
            assert {"author", "work", "year", "origin", "licence"} <= set(text), name
            assert text["year"] < 1929, name


def test_no_text_names_this_machine() -> None:
    """What is published must not tell where it was made."""
    places = {"/root", *(str(place) for place in (ROOT, Path.home()) if len(place.parts) > 2)}
    texts = [
        path
        for pattern in ("*.md", "*.toml", ".ci/*", "scripts/*", "docs/**/*.md", "data/sample/**/*", "src/**/*")
        for path in ROOT.glob(pattern)
        if path.is_file() and path.suffix in {"", ".md", ".toml", ".py", ".sql", ".txt", ".jsonl"}
    ]
    assert len(texts) > 50
    named = [
        path.relative_to(ROOT).as_posix()
        for path in texts
        if any(f"{place}/" in path.read_text(encoding="utf-8") for place in places)
    ]
    assert named == []
