"""A part of a dataset that passes the gate: a greedy maximal subset, or weights to sample it by.

Every limit is linear: a set of members keeps it if what they cost sums to at most zero (a maximum of 10 % synthetic
text costs a record its synthetic words less a tenth of its words; a human floor of 30 %, three tenths of its words
less the human ones). Members that cost nothing are all taken. The others are let in from the best to the worst, each
if all limits are kept with it, and those left out are tried again until none fits: nothing more can be added.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from provenance.errors import GateError
from provenance.lineage.gate.members import Examination, sql

_LIMITS: Final = ("own", "synthetic", "unknown", "human", "unverified", "self_graded", "deep", "reserved", "forbidden")
_ROUNDING: Final = 1e-9
_BATCH: Final = 122_880
_ROUNDS: Final = 1000
EXPONENT: Final = 10
"""Of the weight of text that may be synthetic, ``(1 - p) ** EXPONENT``: Drayson, Yilmaz and Lampos (2025)."""


def choose(examined: Examination, *, for_model: bool, slack: float = 1.0) -> int:
    """Make the table ``kept`` (``record_id``) of a greedy maximal subset that keeps every limit, and return its size.

    Args:
        examined: The dataset.
        for_model: Whether a model is to be trained, so that text of relatives counts.
        slack: Part of the allowed synthetic share that is made use of.

    Raises:
        GateError: If no subset was found.
    """
    connection = examined.connection
    _lay_out(examined, for_model, slack)
    totals = np.array(connection.execute(sql("sums")).fetchall()[0], np.float64)
    connection.execute(f"create or replace temp table waiting as {sql('waiting')}")
    ((count,),) = connection.execute("select count(*) from waiting").fetchall()
    admitted = np.zeros(count, np.bool_)
    if count:
        _admit(connection, totals, admitted)
    connection.execute("create or replace temp table kept as select record_id from costs where free")
    connection.register("admitted", pa.RecordBatchReader.from_batches(_PLACES, _places(admitted)))
    connection.execute(
        "insert into kept select waiting.record_id from waiting semi join admitted on admitted.place = waiting.place"
    )
    connection.unregister("admitted")
    ((kept,),) = connection.execute("select count(*) from kept").fetchall()
    if not kept:
        raise GateError(
            "No subset that passes was found: " + _in_the_way(connection),
            place=examined.dataset,
            next_step="Add human text, or check under another policy",
        )
    return int(kept)


def weigh(examined: Examination, *, for_model: bool) -> None:
    """Make the table ``weighed`` (``record_id``, ``weight`` from 0 to 1): sampled by weight, every limit is kept.

    A record starts with ``(1 - p) ** 10``, where p is the share of its words that counts as synthetic. Then the records
    that cost something for a limit that is not kept are scaled down together, limit by limit, until all are.

    Args:
        examined: The dataset.
        for_model: Whether a model is to be trained, so that text of relatives counts.

    Raises:
        GateError: If no weights but zero would do.
    """
    connection = examined.connection
    _lay_out(examined, for_model, 1.0)
    rows = connection.execute(sql("patterns"), {"exponent": EXPONENT}).fetchall()
    patterns = np.array([entry[0] for entry in rows], np.int64)
    mass = np.array([entry[1] for entry in rows], np.float64)
    costs = np.array([entry[2:] for entry in rows], np.float64).reshape(len(rows), len(_LIMITS))
    factors = np.ones(len(rows))
    for _ in range(_ROUNDS):
        weighed = factors[:, None] * costs
        if np.all(weighed.sum(0) <= _ROUNDING):
            break
        for limit in range(len(_LIMITS)):
            paying = (patterns >> limit) & 1 == 1
            column = factors * costs[:, limit]
            cost, gain = column[paying].sum(), -column[~paying].sum()
            if cost > gain:
                factors[paying] *= max(gain, 0.0) / cost * (1 - 1e-12)
    # What would need ever smaller weights is left out.
    factors[factors < 1e-6] = 0.0
    if not np.all((factors[:, None] * costs).sum(0) <= 1e-6 * max(1.0, float(np.abs(costs).sum()))) or not np.any(
        factors * mass > 0
    ):
        raise GateError(
            "No weights but zero would pass: " + _in_the_way(connection),
            place=examined.dataset,
            next_step="Add human text, or check under another policy",
        )
    connection.register("factors", pa.table({"pattern": patterns, "factor": factors}))
    connection.execute(
        "create or replace temp table weighed as "
        "select record_id, pow(greatest(0, 1 - synthetic_share), $1) * factor as weight "
        "from costs join factors on factors.pattern = costs.pattern",
        [EXPONENT],
    )
    connection.unregister("factors")


def _lay_out(examined: Examination, for_model: bool, slack: float) -> None:
    limits = examined.policy.settings
    bounds = {
        "own": limits["gate_max_own_share"] if for_model and not limits["gate_loops"] else None,
        "synthetic": slack * limits["gate_max_synthetic_share"],
        "unknown": limits["gate_max_unknown_share"],
        "human": limits["gate_min_human_share"],
        "unverified": limits["gate_max_unverified_share"],
        "self_graded": limits["gate_max_self_graded_share"],
        "opt_out": limits["gate_max_opt_out_share"],
    }
    examined.connection.execute(f"create or replace temp table costs as {sql('costs')}", bounds)


_PLACES: Final = pa.schema([("place", pa.int64())])


def _places(admitted: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(admitted), _BATCH):
        found = np.flatnonzero(admitted[start : start + _BATCH]) + start
        yield pa.record_batch([pa.array(found, pa.int64())], schema=_PLACES)


def _admit(
    connection: duckdb.DuckDBPyConnection,
    totals: np.ndarray[tuple[int], np.dtype[np.float64]],
    admitted: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> None:
    from provenance.lineage.gate import kernel

    while True:
        start = came = 0
        ordered = "select * exclude (place, record_id) from waiting order by place"
        rows = connection.sql(ordered).to_arrow_reader(_BATCH)
        for batch in rows:
            costs = np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns])
            costs = np.ascontiguousarray(costs, np.float64)
            came += kernel.admit(costs, totals, admitted[start : start + len(costs)], _ROUNDING)
            start += len(costs)
        if not came:
            return


def _in_the_way(connection: duckdb.DuckDBPyConnection) -> str:
    """Name the limits that every member breaks by itself."""
    (found,) = connection.execute(sql("in_the_way")).fetchall()
    names = [limit for limit, broken in zip(_LIMITS, found, strict=True) if broken]
    if not names:
        return "its records pass only together, and the search takes them one by one"
    said = {
        "own": "every record holds text of the model or a relative",
        "synthetic": "every record has too much synthetic text",
        "unknown": "every record is unknown",
        "human": "no record is human",
        "unverified": "every record has synthetic text that nobody verified",
        "self_graded": "every record has text that its own author graded",
        "deep": "every record is too deep",
        "reserved": "the rights to every record are reserved",
        "forbidden": "every record has a licence that is not allowed",
    }
    return "; ".join(said[name] for name in names)
