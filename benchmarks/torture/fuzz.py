"""Coverage-guided fuzzing (atheris) of whatever reads what strangers wrote.

    scripts/torture fuzz [TARGET …] [--seconds 300] [--corpus FOLDER]
    scripts/torture fuzz --overnight --corpus FOLDER
    scripts/torture fuzz --list

Targets are the readers, HTTP parsing, HTML extraction, folding, tokens, repair, markers, declared readers, the
loaders of models, policies, settings and foreign lineage, segments of an index, stored fingerprints, the definitions
of a catalogue and the queries at the door (``fuzzing/``). A target fails on any exception that is not the project's
own, on a row that breaks what the readers promise, on text handling that differs from its plain-Python form, and on a
read or write outside a text's buffer: texts lie against a page that can't be touched, and Numba checks the bounds of
what is no raw pointer (``NUMBA_BOUNDSCHECK``).

Machine code tells no coverage. Where kernels can run as plain Python a target gets a third of its time so, guided by
their branches; what is learnt is then run on the compiled kernels.

What was learnt is kept in ``FOLDER/TARGET``, and a later run goes on from it. Seeds are small files made here, the
small malformed files of the shared data where they are, and ``tests/fuzz/seeds/TARGET``, where what was ever found is
kept. A finding is written to ``FOLDER/TARGET.found-…``; the row of its target says so, and the exit code is 1.
Needs ``pip install atheris``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import re
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))

import fuzzing
from fuzzing import ROOT, loaders, readers, texts

TARGETS: dict[str, fuzzing.Target] = {**loaders.TARGETS, **readers.TARGETS, **texts.TARGETS}
SEEDS = ROOT / "tests" / "fuzz" / "seeds"
OVERNIGHT = 1200
SLOWEST = 10
"""Seconds that an execution may take, on a busy machine with instrumented code."""
MEMORY = 2500


def seeds(target: str) -> list[bytes]:
    """What fuzzing starts from: made ones, and what was found earlier."""
    kept = sorted((SEEDS / target).glob("*")) if (SEEDS / target).is_dir() else []
    return TARGETS[target].seeds() + [path.read_bytes() for path in kept]


def fuzz(name: str, seconds: int, corpus: Path, plain: bool) -> None:
    """Fuzz one target in this process, which ends with it."""
    # Kernels with checked bounds are another machine code, which must not be found in the cache of the usual one.
    os.environ["NUMBA_BOUNDSCHECK"] = "1"
    os.environ["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / "provenance-fuzz-kernels")
    if plain:
        os.environ["NUMBA_DISABLE_JIT"] = "1"
    if str(ROOT / "src") not in sys.path:
        sys.path.insert(0, str(ROOT / "src"))
    import atheris

    target, source = TARGETS[name], ROOT / "src"
    kernels = [] if plain else [path.relative_to(source) for path in source.rglob("kernel.py")]
    excluded = [".".join(path.with_suffix("").parts) for path in kernels]
    most = target.most // 4 if plain else target.most
    corpus.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=["provenance"], exclude=excluded):
        if plain:
            sys.path.insert(0, str(ROOT / "tests"))
            importlib.import_module("plain_kernels")
        begun = seeds(name)
        for content in begun:  # what the check imports is imported here
            (corpus / f"seed-{zlib.crc32(content):08x}").write_bytes(content)
            if len(content) <= most:
                target.check(content)
    dictionary = corpus.parent / f"{name}.words"
    words = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words or (b"\0",) if word)
    dictionary.write_text("".join(f'"{word}"\n' for word in words))
    flags = [
        f"-max_total_time={seconds}",
        f"-timeout={SLOWEST}",
        f"-rss_limit_mb={MEMORY}",
        f"-max_len={most}",
        "-print_final_stats=1",
        f"-dict={dictionary}",
        f"-artifact_prefix={corpus.parent / name}.found-",
    ]
    options = {"custom_mutator": target.mutate} if target.mutate else {}

    def check(content: bytes) -> None:
        try:
            target.check(content)
        except BaseException:  # the process may die of its threads before libFuzzer writes
            (corpus.parent / f"{name}.found-{zlib.crc32(content):08x}").write_bytes(content)
            raise

    atheris.Setup([sys.argv[0], *flags, str(corpus)], check, **options)
    atheris.Fuzz()


def run(name: str, seconds: int, corpus: Path) -> bool:
    """Fuzz one target in processes of its own, print its row, and tell whether it withstood."""
    shares = [(True, seconds // 3), (False, seconds - seconds // 3)] if TARGETS[name].plain else [(False, seconds)]
    executed, edges, codes, began = 0, [], [], time.monotonic()
    for plain, share in shares:
        command = [sys.executable, __file__, name, "--here", "--seconds", str(share), "--corpus", str(corpus)]
        log = corpus / f"{name}.{'plain' if plain else 'log'}"
        with log.open("w") as file:
            command += ["--plain"] if plain else []
            codes.append(subprocess.run(command, stdout=file, stderr=file, check=False).returncode)
        said = log.read_text(errors="replace")
        executed += sum(map(int, re.findall(r"stat::number_of_executed_units:\s*(\d+)", said)))
        edges.append(max(map(int, re.findall(r"cov: (\d+)", said)), default=0))
        if codes[-1]:
            sys.stderr.write(f"{said[-3000:]}\n")
    minutes = (time.monotonic() - began) / 60
    ended = "in time" if not any(codes) else "WRONG: a finding"
    print(f"| {name} | {executed:,} | {' + '.join(map(str, edges))} | {minutes:.1f} | {ended} |", flush=True)
    return not any(codes)


def main(argv: list[str]) -> int:
    """Fuzz some targets, one after another."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them if none is named")
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument("--overnight", action="store_true", help=f"{OVERNIGHT} seconds for each target")
    parser.add_argument("--quick", action="store_true", help="20 seconds for each target")
    parser.add_argument("--corpus", type=Path, help="a folder to keep in what was learnt, and findings")
    parser.add_argument("--list", action="store_true", help="print the names of the targets")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.list:
        print("\n".join(TARGETS))
        return 0
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"there is no target {unknown[0]!r}; --list names them")
    if options.overnight and options.corpus is None:
        parser.error("--overnight needs --corpus: what it learns should outlive the night")
    if options.here:
        fuzz(options.targets[0], options.seconds, options.corpus / options.targets[0], options.plain)
        return 0
    seconds = 20 if options.quick else OVERNIGHT if options.overnight else options.seconds
    with contextlib.ExitStack() as held:
        made = options.corpus or Path(held.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-corpus-")))
        made.mkdir(parents=True, exist_ok=True)
        print("| target | executions | edges | minutes | ended |\n|---|--:|--:|--:|---|")
        withstood = [run(name, seconds, made) for name in options.targets or TARGETS]
        if not all(withstood) and options.corpus is None:
            held.pop_all()  # findings stay
            print(f"Findings are in {made}")
    return int(not all(withstood))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
