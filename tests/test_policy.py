from __future__ import annotations

import datetime as dt
import itertools
import os

import duckdb
import pytest

from provenance import policy
from provenance.errors import PolicyError


def test_named_policies_load_and_differ():
    loaded = {name: policy.load(name) for name in policy.NAMED}
    assert [loaded[name].name for name in policy.NAMED] == list(policy.NAMED)
    assert len({p.policy_id for p in loaded.values()}) == 3
    assert loaded["default"].settings["dated_before"] == dt.date(2019, 1, 1)
    for name in policy.NAMED:
        assert "page" not in loaded[name].settings["dated_trust"]


def test_stricter_is_stricter():
    strict, default, lenient = (policy.load(name).settings for name in ("strict", "default", "lenient"))
    for looser, tighter in itertools.pairwise((lenient, default, strict)):
        assert tighter["style_beta"] <= looser["style_beta"]
        assert tighter["matched_share"] <= looser["matched_share"]
        assert tighter["gate_max_synthetic_share"] <= looser["gate_max_synthetic_share"]
        assert tighter["gate_min_human_share"] >= looser["gate_min_human_share"]


def test_a_partial_policy_takes_the_rest_from_the_default():
    mine = policy.parse('name = "mine"\n[style]\nalpha = 0.02\n')
    default = policy.load("default")
    assert mine.settings["style_alpha"] == 0.02
    assert {k: v for k, v in mine.settings.items() if k != "style_alpha"} == {
        k: v for k, v in default.settings.items() if k != "style_alpha"
    }
    assert list(mine.settings) == list(default.settings)
    assert mine.version == 1


def test_ids_follow_the_settings_and_nothing_else():
    plain = policy.parse('name = "p"')
    assert plain.policy_id == policy.parse('# the same\nname = "p"\n[marker]\ndecides = true\n').policy_id
    others = [
        'name = "p"\nversion = 2',
        'name = "q"',
        'name = "p"\n[marker]\nignore = ["x"]',
        'name = "p"\n[dated]\nbefore = 2019-01-02',
        'name = "p"\n[[prior]]\nfrom = 1970-01-01\nshare = 0.5',
    ]
    assert len({plain.policy_id, *(policy.parse(text).policy_id for text in others)}) == 6


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("[styl]\nalpha = 0.1", "styl"),
        ("[style]\nalfa = 0.1", "style.alfa"),
        ("[style]\nalpha = 1.01", "style.alpha"),
        ("[style]\nalpha = -0.01", "style.alpha"),
        ("[style]\nalpha = nan", "style.alpha"),
        ('[style]\nalpha = "0.1"', "style.alpha"),
        ("[style]\nalpha = true", "style.alpha"),
        ("[style]\nmin_words = 1.5", "style.min_words"),
        ("[style]\nmin_words = -1", "style.min_words"),
        ("[style]\nmin_words = 9999999999", "style.min_words"),
        ("[style]\ndecides = 1", "style.decides"),
        ("[weights]\ndated = 51", "weights.dated"),
        ("[dated]\nbefore = 2019-01-01T00:00:00Z", "dated.before"),
        ('[dated]\nbefore = "2019-01-01"', "dated.before"),
        ('[dated]\ntrust = ["author"]', "dated.trust"),
        ('[dated]\ntrust = "container"', "dated.trust"),
        ("[marker]\nignore = [1]", "marker.ignore"),
        ("style = 1", "style"),
        ("prior = []", "prior"),
        ("[[prior]]\nfrom = 2020-01-01\nshare = 0.0", "prior"),
        ("[[prior]]\nfrom = 2020-01-01", "prior"),
        ("[[prior]]\nfrom = 2021-01-01\nshare = 0.1\n[[prior]]\nfrom = 2020-01-01\nshare = 0.1", "prior"),
        ("[[prior]]\nfrom = 2021-01-01\nshare = 0.1\n[[prior]]\nfrom = 2021-01-01\nshare = 0.2", "prior"),
    ],
)
def test_what_is_wrong_is_named(body, named):
    with pytest.raises(PolicyError, match=rf"[`']{named}[`']") as error:
        policy.parse(f'name = "p"\n{body}', place="my.toml")
    assert error.value.place == "my.toml"


@pytest.mark.parametrize("text", ["", "name = 1", 'name = ""', 'name = "a\\nb"', 'name = "p"\nversion = 0', "name = "])
def test_a_policy_has_a_name_and_a_version(text):
    with pytest.raises(PolicyError):
        policy.parse(text)


def test_a_missing_policy_says_which_there_are(tmp_path):
    with pytest.raises(PolicyError, match="default, strict, lenient"):
        policy.load(tmp_path / "none.toml")
    with pytest.raises(PolicyError, match="default, strict, lenient"):
        policy.load("strcit")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError):
        policy.load(tmp_path / "binary.toml")


def test_settings_survive_the_round_trip_through_sql():
    import json

    settings = policy.load("strict").settings
    query = f"select $1::json::{policy.settings_type_sql()}"
    ((back,),) = duckdb.connect().execute(query, [json.dumps(dict(settings), default=str)]).fetchall()
    assert back == dict(settings)


@pytest.mark.parametrize(
    "document",
    [
        "a = " + "[" * 5000,
        "a" + ".a" * 500_000 + " = 1",
        "a" + ".a" * 3000 + " = 1",
        'name = "x"\n[style]\nmin_words = ' + "9" * 5000,
        'name = "x"\n[style]\nalpha = nan',
        'name = "x"\n[style]\nalpha = inf',
        'name = "x"\n[style]\nmin_words = 99999999999999999999',
        'name = "\\u001b[31mred"',
        'name = "x"\nversion = 1e400',
        '["__class__"]\nx = 1',
    ],
)
def test_a_hostile_document_is_refused(document):
    with pytest.raises(PolicyError):
        policy.parse(document)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (1 << 20) + b"\n")
    for path in (pipe, tmp_path, large):
        with pytest.raises(PolicyError):
            policy.load(path)
