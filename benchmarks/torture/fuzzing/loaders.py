# ruff: noqa: E501 - lists of words
"""Loaders of files that a stranger may have written: models, policies, settings, graphs, stores."""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from types import SimpleNamespace
from typing import Any

from fuzzing import ROOT, Target, folder


def policy(content: bytes) -> None:
    """The loader of policies."""
    from provenance.errors import PolicyError
    from provenance.policy import load, parse, settings_sql

    path = folder() / "p.toml"
    path.write_bytes(content)
    for read in (lambda: parse(content.decode("utf-8", "replace")), lambda: load(path)):
        with suppress(PolicyError):
            json.dumps(dict(read().settings), allow_nan=False, default=str)
    settings_sql("settings")


@cache
def commands() -> Any:
    """The commands of the command line."""
    import typer

    from provenance.cli.app import app

    return typer.main.get_command(app)


def settings(content: bytes) -> None:
    """The settings beside which a command is run: whatever they are, options are parsed or refused by name."""
    from provenance.cli.settings import load
    from provenance.errors import ProvenanceError

    (folder() / "provenance.toml").write_bytes(content)
    command = commands()
    try:
        defaults = load(folder(), command.commands)
    except ProvenanceError:
        return
    for name, arguments in (("scan", ["x"]), ("filter", ["x"]), ("status", []), ("forget", ["x"]), ("estimate", [])):
        try:
            command.commands[name].make_context(name, list(arguments), default_map=defaults.get(name)).close()
        except Exception as error:
            if not (isinstance(error, ProvenanceError) or (hasattr(error, "show") and hasattr(error, "exit_code"))):
                raise


@cache
def sample() -> Any:
    """A text that a model judges."""
    import pyarrow as pa

    return pa.array(
        ["Some words, and more of them: as many as it takes. " * 9, "", "Ünïcode 漢字 " * 40], pa.large_string()
    )


def model(content: bytes) -> None:
    """The loader of style models: a whole file, and a header under the right checksum before sound arrays."""
    from provenance.classifier.model import StyleModel
    from provenance.classifier.modelfile import decode
    from provenance.errors import ModelError

    for each in (content, sealed(content, "style")):
        with suppress(ModelError):
            read = StyleModel.of(decode(each, "fuzzed"))
            read.score(sample())
            read.judge(sample(), ["en", "xx", "en"], [90, 0, 80], ["prose"] * 3)


def families(content: bytes) -> None:
    """The loader of families, likewise."""
    from provenance.classifier.families.model import FamilyModel
    from provenance.classifier.families.modelfile import decode
    from provenance.errors import ModelError

    for each in (content, sealed(content, "families")):
        with suppress(ModelError):
            FamilyModel.of(decode(each, "fuzzed")).attribute(sample())


@cache
def small_model(name: str) -> tuple[bytes, bytes, bytes]:
    """Mark, header and arrays of a small model after the one that ships."""
    whole = (ROOT / f"src/provenance/classifier/data/{name}.model").read_bytes()
    size = int.from_bytes(whole[8:16], "little")
    header, arrays = json.loads(whole[16 : 16 + size]), whole[16 + size : -32]
    cells, bits = (2 << header["bits"]) * len(header.get("names", "x")), 8
    symbols, weights = arrays[:-cells], arrays[-cells:]
    header |= {"bits": bits, "card": {}}
    if name == "style":
        header["arrays"][1]["shape"] = [2 << bits]
        header["bins"], header["populations"] = header["bins"][:2], []
        for each in header["bins"]:
            for key in ("human_margins", "human_p", "synthetic_margins", "synthetic_p"):
                each[key] = each[key][:3]
    small = weights[: (2 << bits) * len(header.get("names", "x"))]
    return whole[:8], json.dumps(header, separators=(",", ":")).encode(), symbols + small


def sealed(header: bytes, name: str) -> bytes:
    """A model file with this header."""
    mark, _, arrays = small_model(name)
    body = mark + len(header).to_bytes(8, "little") + header + arrays
    return body + hashlib.sha256(body).digest()


@cache
def catalogue() -> Any:
    """A store's catalogue that can be written, with nothing in it."""
    import duckdb

    from provenance.store import Store

    root = folder() / "store"
    store = Store.create(root)
    copy = folder() / "catalogue.duckdb"
    copy.write_bytes(store.current.read_bytes())
    connection = duckdb.connect(str(copy))
    connection.execute("set enable_progress_bar = false; set threads = 1; set enable_external_access = false")
    return connection


class Undone:
    """A store whose commits are rolled back."""

    @contextlib.contextmanager
    def commit(self, _: str) -> Iterator[Any]:
        from provenance.store.store import Commit

        catalogue().execute("begin")
        try:
            yield Commit(folder() / "store", catalogue())
        finally:
            catalogue().execute("rollback")


def graph(content: bytes) -> None:
    """Imported lineage (PROV-JSON, OpenLineage): read, written into a catalogue, and written out again."""
    from provenance.errors import ProvenanceError
    from provenance.lineage.export.openlineage import to_openlineage
    from provenance.lineage.export.prov import from_prov, to_prov
    from provenance.lineage.export.stored import write_graph
    from provenance.pipeline.exchange import _read

    path = folder() / "graph.json"
    path.write_bytes(content)
    try:
        found = _read(path)
    except ProvenanceError:
        return
    if not found.nodes:
        return
    try:
        write_graph(Undone(), found, "fuzzed")
    except ProvenanceError:
        return
    again = json.loads(json.dumps(to_prov(found), allow_nan=False))
    from_prov(again)
    json.dumps(to_openlineage(found, event_time="2026-01-01T00:00:00Z", producer="urn:x"), allow_nan=False).encode()


@cache
def reference_index() -> Any:
    """A small segment, its manifest and arrays, and records that match it."""
    import numpy as np
    import pyarrow as pa

    from provenance.fingerprint import fingerprint, pack
    from provenance.index import ReferenceBatch, build_segment
    from provenance.text.fold import fold
    from provenance.text.tokens import tokenize

    drawn = np.random.default_rng(3)
    words = np.array([f"w{number}" for number in range(400)])
    texts = [" ".join(drawn.choice(words, 60 + 20 * number)) for number in range(6)] + ["short"]
    made = fingerprint(tokenize(fold(pa.array(texts, pa.large_string()))))
    ids = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]
    checks = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
    names = [f"r{number}" for number in range(len(texts))]
    home = folder() / "segments"
    segment = build_segment(home, ReferenceBatch(names, "set", "synthetic", ids, checks, made))
    asked = [texts[0], texts[1] + " and more", " ".join(texts[2].split()[10:60]), texts[6], "nothing", texts[4] * 3]
    records = fingerprint(tokenize(fold(pa.array(asked, pa.large_string()))))
    record_ids = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in asked]
    record_checks = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in asked]
    manifest = json.loads((home / segment.id / "segment.json").read_text())
    stored = pack(records, record_ids, record_checks)
    # Arrays one after another, as edits count them.
    places = [(entry["offset"], entry["count"], segment[name].itemsize) for name, entry in manifest["arrays"].items()]
    mapped = np.memmap(home / segment.id / "arrays.bin", np.uint8, mode="r+")
    return SimpleNamespace(
        home=home, id=segment.id, manifest=manifest, places=places, mapped=mapped, records=records, ids=record_ids,
        checks=record_checks, stored=stored,
    )  # fmt: skip


EDIT = struct.Struct("<BHq")


def segment(content: bytes) -> None:
    """A segment of an index whose values are changed, or whose manifest is; opened and asked."""
    base = reference_index()
    if content[:1] == b"{":
        described(content)
        return
    touched = {}
    for at in range(1, len(content) - EDIT.size + 1, EDIT.size):
        array, element, value = EDIT.unpack_from(content, at)
        offset, count, size = base.places[array % len(base.places)]
        if count:
            place = offset + element % count * size
            touched.setdefault(place, bytes(base.mapped[place : place + size]))
            base.mapped[place : place + size] = list((value % (1 << 8 * size)).to_bytes(size, "little"))
    try:
        asked(base.id, ["set"] if content[:1] == b"w" else [])
    finally:
        for place, before in touched.items():
            base.mapped[place : place + len(before)] = list(before)


def described(manifest: bytes) -> None:
    """A segment with this manifest, its checksum made right."""
    import os

    import xxhash

    base = reference_index()
    try:
        said = json.loads(manifest)
        digest = xxhash.xxh3_128_hexdigest(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())
    except (ValueError, RecursionError):
        return
    home = base.home / digest
    home.mkdir(exist_ok=True)
    try:
        (home / "segment.json").write_text(json.dumps({**said, "checksum": digest}))
        if not (home / "arrays.bin").exists():
            os.link(base.home / base.id / "arrays.bin", home / "arrays.bin")
        asked(digest, [])
    finally:
        for path in home.iterdir() if digest != base.id else ():
            path.unlink()
        if digest != base.id:
            home.rmdir()


def asked(segment_id: str, withdrawn: list[str]) -> None:
    """Open a segment and ask it everything; only the project's own errors are answers."""
    from provenance.errors import ProvenanceError
    from provenance.index import Index

    base = reference_index()
    try:
        index = Index.open(base.home, [segment_id], withdrawn)
    except ProvenanceError:
        return
    for ask in (
        lambda: index.match(base.records, base.ids, base.checks),
        lambda: index.match_packed(base.stored),
        lambda: index.worth_matching(base.stored),
    ):
        with suppress(ProvenanceError):
            ask()


def fingerprints(content: bytes) -> None:
    """Stored rows of fingerprints that nobody packed: unpacked and looked for."""
    import pyarrow as pa

    from provenance import schema
    from provenance.errors import ProvenanceError
    from provenance.fingerprint import unpack
    from provenance.index import Index

    base = reference_index()
    rows, at = [], 0
    while at + 20 <= len(content) and len(rows) < 4:
        words, bands, passages, positions, chosen = struct.unpack_from("<iBBBB", content, at)
        at += 8
        # A row of those that were packed, parts of which are replaced.
        row = base.stored.slice(chosen % base.stored.num_rows, 1).to_pylist()[0]
        for name, size in (("bands", bands), ("passages", passages), ("positions", positions)):
            if size & 1:
                row[name], at = content[at : at + size // 2], at + size // 2
        row["words"] = words if chosen & 128 else row["words"]
        rows.append(row)
    batch = pa.RecordBatch.from_pylist(rows, schema=schema.FINGERPRINTS)
    index = Index.open(base.home, [base.id])
    with suppress(ProvenanceError):
        unpack(batch)
        index.worth_matching(batch)
        index.match_packed(batch)


def sketch(content: bytes) -> None:
    """A datasketch sketch out of bytes, as it is serialised."""
    from datasketch import LeanMinHash

    from provenance.errors import ProvenanceError
    from provenance.fingerprint import from_datasketch, to_datasketch

    try:
        read = LeanMinHash.deserialize(bytearray(content))
    except Exception:
        return
    with suppress(ProvenanceError):
        to_datasketch(from_datasketch(read, max(1, len(read))))


def definitions(content: bytes) -> None:
    """A definition of a stranger's catalogue: refused, or bound without reaching out of it."""
    import duckdb

    from provenance.errors import UsageError
    from provenance.store.audit import _check

    connection = catalogue()
    text = content[1:].decode("utf-8", "replace").replace("\0", " ")
    kind = ("view", "macro", "table_macro")[content[0] % 3] if content else "view"
    try:
        _check(connection, stock_screen(), kind, "fuzzed", text)
    except (UsageError, duckdb.Error, KeyError, TypeError, ValueError):
        return
    bound(text if kind != "macro" else f"select ({text})")


@cache
def stock_screen() -> Any:
    """The screen of an empty store."""
    from provenance.store.screen import Screen

    return Screen(catalogue())


def door(content: bytes) -> None:
    """A query at the door: refused, or bound without reaching out of the store."""
    import duckdb

    from provenance.errors import UsageError

    text = content.decode("utf-8", "replace").replace("\0", " ")
    try:
        if not stock_screen().check(text):
            return
    except (UsageError, duckdb.Error):
        return
    bound(text)


OUTSIDE = ("disabled by configuration", "file system operation", "autoload", "install")


def bound(query: str) -> None:
    """Let DuckDB bind a query that was let through, on a connection that may not reach out."""
    import duckdb

    connection = catalogue()
    connection.execute("begin")
    try:
        connection.execute(f"prepare fuzzed as {query}")
        connection.execute("deallocate fuzzed")
    except duckdb.PermissionException as error:
        raise AssertionError(f"let through, and reaches out: {error}") from error
    except duckdb.Error as error:
        if any(word in str(error).lower() for word in OUTSIDE):
            raise AssertionError(f"let through, and reaches out: {error}") from error
    finally:
        connection.execute("rollback")


PROV = {
    "prefix": {"ex": "http://e.example/", "pv": "urn:provenance:"},
    "entity": {
        "ex:a": {"prov:label": "a", "prov:type": {"$": "prov:Collection", "type": "prov:QUALIFIED_NAME"}},
        "pv:model%3Am": {"prov:type": [{"$": "pv:model", "type": "prov:QUALIFIED_NAME"}], "pv:released": "2024-01-01"},
    },
    "activity": {"ex:r": {"prov:startTime": "2024-01-01T00:00:00Z"}},
    "agent": {"ex:g": {"prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"}}},
    "used": {"_:1": {"prov:activity": "ex:r", "prov:entity": "ex:a"}},
    "wasDerivedFrom": {"_:2": {"prov:generatedEntity": "pv:model%3Am", "prov:usedEntity": "ex:a"}},
    "bundle": {"ex:b": {"entity": {"ex:c": {"ex:n": {"$": "7", "type": "xsd:int"}}}}},
}
EVENT = {
    "eventType": "COMPLETE",
    "eventTime": "2024-01-01T00:00:00Z",
    "run": {"runId": "r1", "facets": {"provenance_node": {"id": "run:x", "kind": "run", "name": "x", "attributes": {"a": 1}}}},
    "job": {"namespace": "n", "name": "j"},
    "inputs": [{"namespace": "n", "name": "a"}],
    "outputs": [{"namespace": "n", "name": "b", "facets": {"provenance_node": {"id": "dataset:b", "kind": "dataset", "name": "b"}}}],
}  # fmt: skip
JSON = tuple(
    b'null|true|-1|1e999|NaN|Infinity|""|[]|{}|"\\ud800"|"\\u0000"|99999999999999999999999999|0.5|{"$": |"type": '
    b'|"prov:type": |"prov:label": |"id": |"kind": |"name": |"attributes": |"edges": |"relation": |"object": |"detail": |'
    b'"model"|"dataset"|"run"|"generation_run"|"trained_on"|"wasDerivedFrom"|"hadMember"|"released": "10000-01-01"|"started_at": |'
    b'"0001-01-01T00:00:00+23:59"|"facets": |"provenance_node": |"runId": |"xsd:int"|"xsd:double"|"pv:'.split(b"|")
)
TOML = tuple(
    b"store = |policy = |jobs = |[scan]|[lineage.trace]|json = true|[filter]|tags = [|= inf|= nan|= -1|= 1e400|"
    b'= 99999999999999999999|= 1979-05-27|= {}|= []|= [[]]|"""|[[x]]|a.b = 1|\\u0000|\xff|[prior]|[decide]|version = |name = '.split(
        b"|"
    )
)
SQL = tuple(
    b"select |from |where |with x as (|union all |recursive |using key (|(select |) |read_text('/etc/passwd')|read_csv('x.csv')|"
    b"read_parquet('x.parquet')|'x.parquet'|\"x.csv\"|glob('*')|getenv('HOME')|current_setting('home_directory')|getvariable('x')|"
    b"query('select 1')|query_table('records')|duckdb_settings()|pragma_table_info('records')|records|matches|store_meta|"
    b"information_schema.tables|pg_catalog.pg_views|main.|system.|unnest([1])|range(3)|lambda x: |list_transform([1], |pivot |"
    b"tablesample |lateral |values (1)|show |describe |summarize |from_base64('')|json_execute_serialized_sql('')|copy |attach 'x' |"
    b"columns(*)|exclude |order by all|::json|.read_text()|struct_pack(a := 1)|positional join |asof join |at (version => 1)|"
    b"create or replace view v as |create view v as |semi join |$1|?|e'\\x00'|sniff_csv('x')|parquet_metadata('x')|enum_range(null)".split(
        b"|"
    )
)

TARGETS: dict[str, Target] = {
    "segment": Target(
        segment,
        lambda: [b"", b"w", *map(edit, range(17)), json.dumps(
            {key: value for key, value in reference_index().manifest.items() if key != "checksum"}
        ).encode()],
        4096,
        JSON,
    ),
    "fingerprints": Target(
        fingerprints,
        lambda: [struct.pack("<iBBBB", 90, 0, 0, 0, number) + bytes(12) for number in range(6)]
        + [struct.pack("<iBBBB", -1, 201, 9, 3, 128) + bytes(range(120))],
        1024,
    ),
    "graph": Target(graph, lambda: [json.dumps(PROV).encode(), json.dumps(EVENT).encode()], 4096, JSON),
    "settings": Target(
        settings,
        lambda: [b'store = "s"\n[scan]\njobs = 2\npolicy = "strict"\n[lineage]\njson = true\n', b"[filter]\nkeep = ['human']"],
        1024,
        TOML,
    ),
    "families": Target(families, lambda: [small_model("families")[1], b"{}"], 4096, JSON),
    "model": Target(model, lambda: [small_model("style")[1], b"{}"], 4096, JSON),
    "policy": Target(
        policy, lambda: [path.read_bytes() for path in (ROOT / "src/provenance/policies").glob("*.toml")], 4096, TOML
    ),
    "definitions": Target(
        definitions,
        lambda: [b"\0create view v as select * from records", b"\1x + 1", b"\2select * from range(3) where range > 1"],
        512,
        SQL,
    ),
    "door": Target(door, lambda: [b"select tag, count(*) from records group by all", b"with x as (select 1) from x"], 512, SQL),
    "sketch": Target(sketch, lambda: [struct.pack("<qi4I", 1, 4, 1, 2, 3, 4)], 256),
}  # fmt: skip


def edit(array: int) -> bytes:
    """A seed that changes one value of an array."""
    return b"e" + EDIT.pack(array, 1, -1)
