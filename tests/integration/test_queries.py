"""docs/queries.md: every command on the page is run, every question is asked, and what is printed is compared."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from provenance.cli import run

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "queries.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"^## (\d+)\..*?```sql\n(.*?)\n```.*?```text\n(.*?)\n```", PAGE, re.DOTALL | re.MULTILINE)


def printed(*arguments: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        assert run(list(arguments)) == 0
    return stdout.getvalue()


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines() if line.strip()]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("queries") / "store"
        patch.chdir(CHECKOUT)
        patch.setenv("PROVENANCE_STORE", str(path))
        patch.setenv("PROVENANCE_JOBS", "1")
        patch.delenv("PROVENANCE_POLICY", raising=False)
        commands = re.findall(r"^\$ provenance (.*)$", PAGE, re.MULTILINE)
        assert len(commands) > 5
        for command in commands:
            printed(*shlex.split(command))
        yield path


def test_there_are_ten_questions() -> None:
    assert [number for number, _, _ in QUESTIONS] == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize(("number", "question", "answer"), QUESTIONS, ids=[number for number, _, _ in QUESTIONS])
def test_the_answer_is_the_one_on_the_page(store: Path, number: str, question: str, answer: str) -> None:
    assert lines(printed("sql", question)) == lines(answer)
