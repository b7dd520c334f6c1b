"""Forget: erase records or a reference set from a store's bytes, and show that they are gone.

What a record leaves behind is its rows: observation, fingerprint, matches, duplicates, membership of datasets, and what
rejects say of its URL. A reference set leaves its texts in the index and the matches that name it. All of that is
written anew without it (`provenance.store.erase`); a row of ``tombstones`` says that something was erased, when, why
and how much, not what; then every byte of the store is searched for what was erased.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from provenance.errors import UsageError
from provenance.index import compact
from provenance.index.build import parameters
from provenance.index.segment import open_segment
from provenance.pipeline import catalogue
from provenance.pipeline.register import unregister
from provenance.store import Commit, PartFile, Store, erase
from provenance.store.search import search

if TYPE_CHECKING:
    import duckdb

WAIT: Final = 60.0
"""Seconds that readers of older snapshots are given to end."""

_OF_RECORDS: Final = ("observations", "fingerprints", "matches", "dataset_records")
_FORGOTTEN: Final = "forgotten"


@dataclass(frozen=True)
class ForgetResult:
    """What was erased, or would be.

    Attributes:
        done: Whether anything was erased; False for a look ahead.
        records: Records that no scan knows any more.
        rows: Rows erased, by kind of part; ``references`` are texts of a set.
        scans: Names of the scans that they stood in.
        datasets: Datasets that had some as members. Their digests still speak of them.
        remarks: What else there is to know or to do.
        remaining: Files in which something of it still stands, relative to the store.
        pending: Older catalogues that readers still hold, so that nothing could be swept.
    """

    done: bool
    records: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    scans: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()

    @property
    def gone(self) -> bool:
        """Whether the search found nothing and nothing is left to sweep."""
        return self.done and not self.remaining and not self.pending

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        return {**asdict(self), "gone": self.gone}


@dataclass(frozen=True)
class _Target:
    """What is to be erased.

    Attributes:
        record_ids: Records.
        urls: Their URLs that no other record has.
        set_ids: A reference set and its prompts.
        mentions: What a reject's detail must not hold.
    """

    record_ids: pa.Array
    urls: tuple[str, ...] = ()
    set_ids: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()

    @property
    def texts(self) -> list[str]:
        """What must stand nowhere when all is done."""
        return [*self.record_ids.to_pylist(), *(url for url in self.urls if len(url.encode()) >= 8), *self.set_ids]


def forget(
    *,
    records: Sequence[str] = (),
    url_prefix: str | None = None,
    host: str | None = None,
    reference_set: str | None = None,
    reason: str,
    dry_run: bool = False,
    wait: float = WAIT,
    store: str | Path = "provenance-store",
) -> ForgetResult:
    """Erase records, or a reference set, from the bytes of a store.

    Exactly one of ``records``, ``url_prefix``, ``host`` and ``reference_set`` says what.

    Args:
        records: Record ids.
        url_prefix: The beginning of the URLs of records, as captured.
        host: The host of records, without port; not its subdomains.
        reference_set: Name or id of a registered set, also of one that was unregistered.
        reason: Why, kept in ``tombstones``; it must not say what.
        dry_run: Only count.
        wait: Seconds to wait for readers of older snapshots; what they hold can't be removed.
        store: Folder of the store.

    Raises:
        UsageError: If nothing or too much was named, there is no such record or set, or the reason tells what.
        StoreError: If a scan or registration is writing.
    """
    given = [name for name, value in (("--record", records), ("--url-prefix", url_prefix), ("--host", host)) if value]
    given += ["--set"] if reference_set else []
    if len(given) != 1:
        raise UsageError(
            "One thing at a time is forgotten", next_step="Name it with --record, --url-prefix, --host or --set"
        )
    opened = Store.open(store)
    with ExitStack() as held:
        if not dry_run:
            held.enter_context(erase.alone(opened))
        target = (
            _target_set(opened, reference_set)
            if reference_set
            else _target_records(opened, records, url_prefix, host.lower() if host else None)
        )
        _refuse_telling(reason, target, [*records, url_prefix, host, reference_set])
        counted = _count(opened, target)
        if dry_run:
            return ForgetResult(False, **counted)
        remarks: list[str] = []
        if target.set_ids:
            _erase_set(opened, target, str(reference_set), reason)
        else:
            remarks += _erase_records(opened, target, reason)
        logs = {text.encode() for text in (*target.urls, *target.set_ids)}
        erase.scrub_lines(opened.root / "logs", lambda line: any(text in line for text in logs))
        pending = erase.finish(opened, wait)
        remaining = [place for place in search(opened.root, target.texts) if place not in pending]
        if any(place.startswith("index/") for place in remaining):
            remarks.append("a reference set holds a text of the same id: forget that set too")
        return ForgetResult(True, **counted, remarks=tuple(remarks), remaining=tuple(remaining), pending=tuple(pending))


def finish_forgetting(*, wait: float = WAIT, store: str | Path = "provenance-store") -> ForgetResult:
    """Sweep what an earlier `forget` had to leave because it was interrupted or readers held older snapshots."""
    opened = Store.open(store)
    with erase.alone(opened):
        return ForgetResult(True, pending=tuple(erase.finish(opened, wait)))


def absent(texts: Collection[str], *, store: str | Path = "provenance-store") -> list[str]:
    """Return the files of a store, relative to it, in which one of these texts stands.

    Raises:
        UsageError: If one of them is shorter than 8 bytes.
    """
    return search(Store.open(store).root, texts)


def _refuse_telling(reason: str, target: _Target, given: Sequence[str | None]) -> None:
    if not reason.strip():
        raise UsageError("A reason is wanted", next_step="Give it with --reason; it must not say what is forgotten")
    told = reason.lower()
    texts = [*target.texts, *target.mentions, *(text for text in given if text)]
    if any(text.lower() in told for text in texts if len(text) >= 4):
        raise UsageError("The reason says what is to be forgotten", next_step="Say only why: it is kept")


def _target_records(store: Store, records: Sequence[str], url_prefix: str | None, host: str | None) -> _Target:
    with store.read() as connection:
        value: object
        if records:
            condition, value = "list_contains($1, record_id)", sorted({record.lower() for record in records})
            of = "of that id"
        elif url_prefix is not None:
            condition, value = "starts_with(url, $1)", url_prefix
            of = "whose URL begins like that"
        else:
            # As it was seen, with the dot that may end it, and where a URL came without its scheme.
            condition = (
                "rtrim(host, '.') = $1 or (host is null "
                "and rtrim(regexp_extract(lower(url), '^(?://)?([^/?#:]*)', 1), '.') = $1)"
            )
            value = (host or "").rstrip(".")
            of = f"of the host {value!r}"
        connection.execute(
            f"create temp table chosen as select distinct record_id from observations where {condition}",  # noqa: S608
            [value],
        )
        ids = connection.sql("select record_id from chosen order by 1").to_arrow_table().column(0).combine_chunks()
        missing = sorted({record.lower() for record in records} - set(ids.to_pylist())) if records else []
        if missing or not len(ids):
            raise UsageError(
                f"There is no record {missing[0]!r}" if missing else f"There is no record {of}",
                place=str(store.root),
                next_step='`provenance sql "select record_id, url from observations"` lists them',
            )
        urls = connection.execute(
            "select distinct url from observations where url is not null and record_id in (from chosen) and url not in "
            "(select url from observations where url is not null and record_id not in (from chosen)) order by 1"
        ).fetchall()
    found = tuple(url for (url,) in urls)
    mentions = (url_prefix,) if url_prefix else (f"//{value}",) if host else found
    return _Target(ids.cast(pa.string()), found, (), tuple(text for text in mentions if len(text) >= 4))


def _target_set(store: Store, name: str) -> _Target:
    found = catalogue.rows(
        store,
        "select distinct set_id from reference_sets where set_id in (select set_id from reference_sets "
        "where name = $1 or set_id = $1 union all select set_id || '-prompts' from reference_sets "
        "where name = $1 or set_id = $1) order by set_id",
        [name],
    )
    if not found:
        raise UsageError(
            f"There is no reference set {name!r}",
            place=str(store.root),
            next_step='`provenance sql "select set_id, name from reference_sets"` lists them',
        )
    return _Target(pa.array([], pa.string()), (), tuple(row["set_id"] for row in found))


def _count(store: Store, target: _Target) -> dict[str, Any]:
    with store.read() as connection:
        _register(connection, target)
        rows = {}
        for kind in _OF_RECORDS:
            where = _where(kind, target)
            if where:
                ((rows[kind],),) = connection.execute(f"select count(*) from {kind} where {where}").fetchall()  # noqa: S608
        if target.set_ids:
            ((rows["references"],),) = connection.execute(
                "select coalesce(sum(reference_count), 0)::bigint from (select set_id, max(reference_count) as "
                "reference_count from reference_sets where set_id in (from set_ids) group by set_id)"
            ).fetchall()
        scans = connection.execute(
            "select name from scans where scan_id in (select scan_id from observations where record_id in (from ids) "
            "union select scan_id from matches where set_id in (from set_ids)) order by name"
        ).fetchall()
        datasets = connection.execute(
            "select distinct dataset_id from dataset_records where record_id in (from ids) order by 1"
        ).fetchall()
    return {
        "records": len(target.record_ids),
        "rows": {kind: count for kind, count in rows.items() if count},
        "scans": tuple(name for (name,) in scans),
        "datasets": tuple(name for (name,) in datasets),
    }


def _register(connection: duckdb.DuckDBPyConnection, target: _Target) -> None:
    connection.register("ids", pa.table({"record_id": target.record_ids}))
    connection.register("set_ids", pa.table({"set_id": pa.array(target.set_ids, pa.string())}))
    connection.register("mentions", pa.table({"text": pa.array(target.mentions, pa.string())}))


def _where(kind: str, target: _Target) -> str:
    if target.set_ids:
        return "set_id in (from set_ids)" if kind == "matches" else ""
    if kind == "rejects":
        return "exists (select 1 from mentions where contains(detail, text))"
    return "record_id in (from ids)"


def _parts(store: Store, kinds: Sequence[str], target: _Target) -> list[tuple[str, str]]:
    """Return kind and path of the parts that hold something of it."""
    with store.read() as connection:
        _register(connection, target)
        found = []
        for kind in kinds:
            where = _where(kind, target)
            query = f"select distinct part from stored_{kind} where {where} order by part"  # noqa: S608 - from this module
            found += [(kind, part) for (part,) in connection.execute(query).fetchall()] if where else []
    return found


def _kept(kind: str, target: _Target, batch: pa.RecordBatch) -> pa.RecordBatch:
    if kind == "rejects":
        told = [any(text in detail for text in target.mentions) for detail in batch.column("detail").to_pylist()]
        detail = pc.if_else(pa.array(told), "", batch.column("detail"))
        return batch.set_column(batch.schema.get_field_index("detail"), batch.schema.field("detail"), detail)
    column, gone = ("set_id", pa.array(target.set_ids)) if target.set_ids else ("record_id", target.record_ids)
    return batch.filter(pc.invert(pc.is_in(batch.column(column), value_set=gone)))


def _rewritten(store: Store, kinds: Sequence[str], target: _Target) -> list[tuple[str, PartFile | None]]:
    return [
        (path, erase.rewrite_part(store, path, partial(_kept, kind, target)))
        for kind, path in _parts(store, kinds, target)
    ]


def _erase_records(store: Store, target: _Target, reason: str) -> list[str]:
    running = catalogue.rows(store, "select scan_id, name from scans where state = 'running'")
    if running:  # going on with it would read its unfinished sources from the middle, under counts that hold no more
        with store.commit("withdraw what unfinished scans had read") as commit:
            for scan in running:
                commit.execute("delete from shards where scan_id = ?", [scan["scan_id"]])
                commit.withdraw_unfinished_parts(scan["scan_id"])
    replaced = _rewritten(store, (*_OF_RECORDS, "rejects"), target)
    with store.commit("forget records") as commit:
        _register(commit.connection, target)
        _bury(commit, reason)
        looked_through = commit.execute(
            "select distinct name from dedups join scans using (scan_id) where scan_id in "
            "(select scan_id from duplicates where record_id in (from ids) or cluster_id in (from ids)) order by name"
        ).fetchall()
        # A cluster without one of its records is another one, and may keep another record.
        clustered = "(select scan_id from duplicates where record_id in (from ids) or cluster_id in (from ids))"
        commit.execute(f"delete from dedup_log where scan_id in {clustered}")  # noqa: S608 - a text from this module
        commit.execute(f"delete from parts where kind = 'duplicates' and group_id in {clustered}")  # noqa: S608
        for path, part in replaced:
            erase.replace_part(commit, path, part)
        for view in ("ids", "set_ids", "mentions"):
            commit.connection.unregister(view)
    remarks = [
        f"scan {scan['name']} has not ended: going on with it reads its unfinished sources again" for scan in running
    ]
    remarks += [
        f"run `provenance dedup {name}` again: its clusters held forgotten records" for (name,) in looked_through
    ]
    remarks.append("files that `filter` and `scan --out` wrote are as they were: write them anew")
    remarks.append(
        "the sources are as they were: take the records out of them, for a scan of one that has changed since, or with "
        "other options, observes what it holds; a scan that is in the store is not repeated"
    )
    return remarks


def _bury(commit: Commit, reason: str) -> None:
    """Enter what is erased, counted by what had counted it."""
    commit.execute(
        "insert into tombstones select $1, 'observations', scan_id, source_id, null, count(*), $2 "
        "from observations where record_id in (from ids) group by scan_id, source_id "
        "union all select $1, 'dataset_records', null, null, dataset_id, count(*), $2 "
        "from dataset_records where record_id in (from ids) group by dataset_id",
        [reason, commit.recorded_at],
    )


def _erase_set(store: Store, target: _Target, name: str, reason: str) -> None:
    live = catalogue.rows(
        store, "select 1 from reference_sets where set_id in (select unnest($1)) and withdrawn_at is null",
        [list(target.set_ids)],
    )  # fmt: skip
    if live:
        unregister(target.set_ids[0], store=store.root)  # what that changes is entered as ever
    replaced = _rewritten(store, ("matches",), target)
    segments = _segments_without(store, target.set_ids)
    names = {str(row["name"]) for row in catalogue.rows(store, "select name, set_id from reference_sets")
             if row["set_id"] in target.set_ids} | {name}  # fmt: skip
    with store.commit("forget a reference set") as commit:
        for path, part in replaced:
            erase.replace_part(commit, path, part)
        for segment, new in segments.items():
            _replace_segment(commit, segment, new)
        references = commit.execute(
            "select coalesce(sum(reference_count), 0) from (select max(reference_count) as reference_count "
            "from reference_sets where set_id in (select unnest($1)) group by set_id)",
            [list(target.set_ids)],
        ).fetchall()[0][0]
        commit.insert("tombstones", [{"reason": reason, "kind": "references", "rows": int(references)}])
        _rename_sets(commit, target.set_ids, names)


def _segments_without(store: Store, set_ids: Sequence[str]) -> dict[str, Any]:
    """Write the segments that hold these sets again without them; None for one that holds nothing else."""
    folder, now, new = catalogue.index_folder(store), parameters(), {}
    for segment in catalogue.live_segments(store)[0]:
        there = {entry.set_id for entry in open_segment(folder, segment, now).sets}
        if there & set(set_ids):
            merged = compact(folder, [segment], set_ids) if there - set(set_ids) else None
            new[segment] = merged if merged is not None and merged.references else None
    return new


def _replace_segment(commit: Commit, segment: str, new: Any) -> None:
    commit.execute("delete from segments where segment_id = ?", [segment])
    if new is not None:
        row = {"segment_id": new.id, "path": f"index/segments/{new.id}", "reference_count": new.references}
        commit.insert("segments", [{**row, "set_id": new.sets[0].set_id if len(new.sets) == 1 else None}])


def _rename_sets(commit: Commit, set_ids: Sequence[str], names: Collection[str]) -> None:
    """Leave of a set what the lineage is made of: that there was one, of which model, under a name of no meaning."""
    for set_id in set_ids:
        other = f"{_FORGOTTEN}-{token_hex(8)}"
        commit.execute("update reference_sets set name = $1, set_id = $1 where set_id = $2", [other, set_id])
        commit.execute("delete from edges where subject = ? and starts_with(object, 'file:')", [set_id])
        commit.execute("delete from segments where set_id = ?", [set_id])
        for table, column in (("edges", "subject"), ("edges", "object"), ("changes", "cause_id")):
            commit.execute(f"update {table} set {column} = $1 where {column} = $2", [other, set_id])  # noqa: S608
        commit.execute("delete from foreign_nodes where id = ?", [set_id])
    for name in (*names, *set_ids):
        for verb in ("register", "unregister", "release date of"):
            commit.execute("update commits set note = $1 where note = $1 || ' ' || $2", [verb, name])
