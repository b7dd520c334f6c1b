"""The command line: parse, call one pipeline function, print."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Final

_INTERRUPTED: Final = 130
"""What Typer makes of an interrupt, and what a shell expects of one."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code that DESIGN promises: 0, 1 (gate), 2 (failure), 130 (interrupted)."""
    from provenance.lean import leave_out_unused

    leave_out_unused()
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    from pathlib import Path

    import typer

    from provenance.cli import settings
    from provenance.cli.app import app
    from provenance.errors import ProvenanceError
    from provenance.escapes import terminal_lines

    debug = "--debug" in arguments or os.environ.get("PROVENANCE_DEBUG", "") not in {"", "0"}
    arguments = [argument for argument in arguments if argument != "--debug"]
    hearing = _hear(debug)
    try:
        command = typer.main.get_command(app)
        defaults = settings.load(Path.cwd(), getattr(command, "commands", {}))
        outcome = command.main(args=arguments, prog_name="provenance", standalone_mode=False, default_map=defaults)
        sys.stdout.flush()
        return _interrupted() if outcome == _INTERRUPTED else outcome if isinstance(outcome, int) else 0
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except (BrokenPipeError, SystemExit) as stop:
        # The reader of our stdout has gone (`| head`), which Click turns into an exit: not a failure, but Python must
        # not flush into it at exit.
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, BrokenPipeError):
            raise
        _silence()
        return 0
    except Exception as error:
        # Typer carries its own copy of Click, whose usage errors show themselves.
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()
            return 2
        if debug:
            traceback.print_exc()
        said = str(error) if isinstance(error, ProvenanceError) else describe(error)
        sys.stderr.write(f"provenance: {terminal_lines(said)}\n")
        return 2
    finally:
        logging.getLogger("provenance").removeHandler(hearing)


def _hear(debug: bool) -> logging.Handler:
    """Let warnings of the package be seen on stderr, and with ``--debug`` all that it tells of its work."""
    from provenance.escapes import terminal_lines

    class Shown(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            counters = getattr(record, "counters", None)
            return terminal_lines(f"{record.getMessage()} {counters}" if counters else record.getMessage())

    handler = logging.StreamHandler()
    handler.setLevel(logging.INFO if debug else logging.WARNING)
    handler.setFormatter(Shown("%(message)s"))
    logging.getLogger("provenance").addHandler(handler)
    return handler


def _interrupted() -> int:
    sys.stderr.write("\nInterrupted. Run the same command again to go on where it stopped.\n")
    return _INTERRUPTED


def _silence() -> None:
    # Click has put a wrapper of its own before them.
    sys.stdout, sys.stderr = sys.__stdout__ or sys.stdout, sys.__stderr__ or sys.stderr
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def describe(error: Exception) -> str:
    """Return one paragraph for an error that no part of the package foresaw."""
    if isinstance(error, OSError) and error.strerror:
        place = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror}{place}. Mend that and run the same command again; the store is as it was."
    kind = type(error).__name__
    return f"{kind}: {error}. This is a fault of the program; run again with --debug for the trace."
