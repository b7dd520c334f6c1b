"""Dates in every form that is understood, against those that the standard library writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.readers.dates import origin_of, parse_date

MOMENTS = st.datetimes(datetime(1974, 1, 1), datetime(2037, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


@settings(deadline=None)
@given(MOMENTS, st.integers(-14, 14))
def test_what_the_library_writes_is_read_back(moment, hours):
    there = moment.astimezone(timezone(timedelta(hours=hours)))
    for written in (there, there.isoformat(), there.isoformat(" "), format_datetime(there), f" {moment:%Y-%m-%dT%TZ} "):
        assert parse_date(written) == moment
    assert parse_date(moment.replace(tzinfo=None)) == parse_date(moment.replace(tzinfo=None).isoformat()) == moment


@settings(deadline=None)
@given(MOMENTS)
def test_stamps_and_numbers(moment):
    for form in ("%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S"):
        stamp = moment.strftime(form)
        expected = datetime.strptime(stamp, form).replace(tzinfo=UTC)
        assert parse_date(stamp) == expected
        assert parse_date(int(stamp)) == expected
    seconds = int(moment.timestamp())
    if 200_000_000 < seconds < 1_900_000_000:  # later ones look like a stamp with the hour
        for scale in (1, 10**3, 10**6, 10**9):
            for value in (seconds * scale, str(seconds * scale)):
                assert abs(parse_date(value) - moment) < timedelta(milliseconds=1)


@settings(deadline=None)
@given(st.integers(1901, 2098), st.integers(1, 12))
def test_a_month_or_year_ends_with_its_last_second(year, month):
    second = timedelta(seconds=1)
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    assert parse_date(f"{year}-{month:02}") == following - second
    assert parse_date(f"{year}") == datetime(year + 1, 1, 1, tzinfo=UTC) - second


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2019-04-25T12:57:54.5Z", 500_000),
        ("2019-04-25T12:57:54.123456789+00:00", 123_456),
        ("2019-04-25 12:57:54,25", 250_000),
    ],
)
def test_fractions_of_a_second(text, micros):
    assert parse_date(text) == datetime(2019, 4, 25, 12, 57, 54, micros, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "x" * 64,
            "2019-13",
            "20190231",
            "2019-04-25T25:00:00Z",
            "nan",
            "99999999999999999999",
        )
    ],
)
def test_what_is_no_date(value):
    assert parse_date(value) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e19, True, None, [], b"2019"])
def test_what_is_no_date_either(value):
    assert parse_date(value) is None


def test_a_long_text_is_no_date():
    assert parse_date("2019-04-25" + " " * 54) == datetime(2019, 4, 25, tzinfo=UTC)
    assert parse_date("2019-04-25" + " " * 55) is None


@pytest.mark.parametrize(
    ("moment", "origin", "found"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), "page", "implausible"),
        (datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "page", "page"),
        (datetime(1969, 1, 1, tzinfo=UTC), "page", "page"),
        (datetime(1991, 8, 5, 23, 59, 59, tzinfo=UTC), "container", "implausible"),
        (datetime(1991, 8, 6, tzinfo=UTC), "container", "container"),
        (datetime(2038, 1, 19, 3, 14, 6, tzinfo=UTC), "column", "column"),
        (datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC), "column", "implausible"),
    ],
)
def test_dates_that_can_not_be_true(moment, origin, found):
    assert origin_of(moment, origin) == found
