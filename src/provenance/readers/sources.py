"""Finding sources: paths, folders, globs and URLs become a sorted list of files and objects with canonical names.

A source's URI is what record ids hash, so it must not depend on where the input lies:

- with ``root``, the path relative to it;
- without, relative to the folder that was given (for a glob: to its part before the first wildcard), or
  the file's own name where a file was given;
- if two sources would then share a name, all are named relative to their deepest common folder;
- an object behind a URL is named by its scheme, host (or bucket) and path, without user, password and query;
- standard input by the name that is given for it.

URIs use ``/`` and Unicode NFC, since file systems disagree on both.
"""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from provenance.errors import SourceError, UsageError
from provenance.readers import remote
from provenance.readers.options import Source
from provenance.readers.stdin import spool

_SIDE_FILE: Final = re.compile(
    r"^(?:[._].*|.*~|(?:readme|licen[sc]e|copying|notice|changelog|citation|authors)(?:\..*)?"
    r"|.*\.(?:md|rst|cdxj?|cdx\.gz|idx|crc|crc32|md5|sha1|sha256|sha512|sig|asc|log|tmp|part|lock|yaml|yml|toml|ini|py|sh)"
    r"|(?:dataset_infos?|dataset_dict|state|manifest|metadata|croissant|datapackage|.*_metadata|.*\.meta)\.json)$",
    re.IGNORECASE,
)
_MEDIA: Final = re.compile(
    r"\.(?:png|jpe?g|gif|webp|svg|pdf|mp[34]|npy|npz|pt|bin|safetensors|duckdb|sqlite|db)$", re.IGNORECASE
)


STDIN: Final = "-"


def find_sources(paths: Sequence[str], root: str | None = None, source_name: str | None = None) -> list[Source]:
    """The files and objects that ``paths`` name, each once, sorted by URI.

    Folders are walked recursively without following links to folders; hidden files, and side files such
    as READMEs, indexes, checksums and manifests, and stores of this program, are passed over there (a file named
    outright never is).

    Args:
        paths: Files, folders, patterns with ``*``, ``?``, ``[…]`` and ``**``, URLs of objects, folders and patterns
            (of ``http`` and ``https`` objects only), or ``-`` for standard input.
        root: Folder that URIs are relative to.
        source_name: URI of standard input, which is copied to a temporary file; `stdin.discard` removes that.

    Raises:
        UsageError: A path does not exist, a pattern matches nothing, a folder holds nothing to read, or a
            file lies outside ``root``; standard input has no name, or a name is given without it.
        SourceError: A file or folder may not be read, or an object can't be reached.
    """
    if not paths:
        raise UsageError("No input was given", next_step="Name at least one file, folder or pattern")
    if (STDIN in paths) != (source_name is not None):
        cause = "Standard input has no name" if source_name is None else "A name for standard input is given without it"
        step = "such as crawl.jsonl: --source-name NAME" if source_name is None else "Name `-` among the paths as well"
        raise UsageError(cause, place=STDIN, next_step=f"Give it one, {step}" if source_name is None else step)
    if root is not None and not Path(root).is_dir():
        raise UsageError("The root is not a folder", place=root, next_step="Give --root a folder that holds the input")
    objects: dict[str, Source] = {}
    for path in paths:
        if remote.is_remote(path):
            objects |= {source.uri: source for source in _objects(path)}
    files = [_local(path) for path in paths if path != STDIN and not remote.is_remote(path)]
    sources = [*_files(files, root), *objects.values()]
    if source_name is not None:
        if any(source.uri == source_name for source in sources):
            raise UsageError("Another source has this name", place=source_name, next_step="Give standard input another")
        sources.append(spool(source_name))
    return sorted(sources, key=lambda source: source.uri)


def _objects(url: str) -> list[Source]:
    every = remote.expand(url)
    data = [found for found in every if not _is_side(found.path.rpartition("/")[2])] if len(every) > 1 else every
    if not data:
        raise UsageError(
            "No object is there that could be read",
            place=remote.without_secrets(url),
            next_step="Check the address, or name the objects themselves",
        )
    return [Source(found.url, remote.canonical_name(found.url), found.size) for found in data]


def _is_side(name: str) -> bool:
    return _SIDE_FILE.match(name) is not None or _MEDIA.search(name) is not None


def _local(path: str) -> str:
    return url2pathname(urlsplit(path).path) if path.lower().startswith("file://") else path


def _files(paths: Sequence[str], root: str | None) -> list[Source]:
    found: dict[str, str] = {}
    for path in paths:
        for file, base in _expand(path):
            found.setdefault(str(Path(file).resolve()), _relative(file, base))
    if root is not None:
        top = str(Path(root).resolve())
        found = {file: _under(file, top) for file in found}
    elif len(set(found.values())) < len(found):
        common = os.path.commonpath([str(Path(file).parent) for file in found])
        found = {file: _relative(file, common) for file in found}
    return [_source(file, name) for file, name in found.items()]


def _expand(path: str) -> Iterator[tuple[str, str]]:
    """Files that one path names, each with the folder its name is relative to."""
    place = Path(path)
    try:
        if place.is_dir():
            files = list(_walk(place))
            if not files:
                raise UsageError(
                    "The folder holds no file that could be read",
                    place=path,
                    next_step="Name the data files themselves",
                )
            yield from ((file, path) for file in files)
        elif place.exists():
            yield path, str(place.parent)
        elif glob.has_magic(path):
            fixed = str(Path(re.split(r"[*?\[]", path, maxsplit=1)[0] + "x").parent)
            # Path.glob takes no absolute pattern.
            matched = sorted(file for file in glob.glob(path, recursive=True) if Path(file).is_file())  # noqa: PTH207
            if not matched:
                raise UsageError("No file matches the pattern", place=path, next_step="Check it with ls")
            yield from ((file, fixed) for file in matched)
        else:
            raise UsageError("There is no such file or folder", place=path, next_step="Check the path with ls")
    except PermissionError as error:
        raise _forbidden(error.filename or path) from error


def _walk(folder: Path) -> Iterator[str]:
    def forbidden(error: OSError) -> None:
        raise _forbidden(error.filename or str(folder)) from error

    for parent, folders, files in os.walk(folder, onerror=forbidden):
        folders[:] = sorted(
            name for name in folders if not name.startswith((".", "_")) and not _is_store(Path(parent, name))
        )
        for name in sorted(files):
            file = Path(parent, name)
            if not _is_side(name) and file.is_file():
                yield str(file)


def _is_store(folder: Path) -> bool:
    """Tell a folder that provenance keeps its own data in; reading the folder around it is not meant to read that."""
    return (folder / "CURRENT").is_file() and (folder / "catalogue").is_dir()


def _source(file: str, name: str) -> Source:
    if not Path(file).is_file():
        raise UsageError("This is neither a file nor a folder", place=file, next_step="Name a regular file")
    if not os.access(file, os.R_OK):
        raise _forbidden(file)
    return Source(file, name, Path(file).stat().st_size)


def _relative(file: str, base: str) -> str:
    relative = os.path.relpath(Path(file).resolve(), Path(base).resolve())
    if relative.startswith(os.pardir):
        # A link that leads out of the given folder is named by where it stands, not by where it leads.
        relative = os.path.relpath(Path(file).absolute(), Path(base).absolute())
    return _canonical(relative)


def _under(file: str, top: str) -> str:
    relative = os.path.relpath(file, top)
    if relative.startswith(os.pardir):
        raise UsageError(f"The file lies outside the root {top}", place=file, next_step="Give --root a folder above it")
    return _canonical(relative)


def _canonical(relative: str) -> str:
    readable = relative.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", Path(readable).as_posix())


def _forbidden(place: str) -> SourceError:
    return SourceError("No permission to read", place=str(place), next_step="Check it with ls -l, or copy the file")
