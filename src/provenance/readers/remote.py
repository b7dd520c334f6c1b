"""Objects behind a URL, through fsspec: found, opened, identified, and named without their secrets.

fsspec is optional (``pip install provenance[remote]``). A URL may hold credentials (``user:password@``) and a
signature in its query; both are used to read and appear neither in a URI, nor in the store, nor in a message.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, cast
from urllib.parse import urlsplit, urlunsplit

from provenance.errors import SourceError, UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_SCHEME: Final = re.compile(r"^[a-z][a-z0-9+.-]+(?:://|::)", re.IGNORECASE)
_IDENTIFYING: Final = (
    "ETag", "etag", "e_tag", "md5Hash", "Content-MD5", "content_md5", "checksum", "Digest",
    "LastModified", "Last-Modified", "last_modified", "mtime", "modified", "updated", "created",
)  # fmt: skip
_PROBE: Final = 1 << 16
_BLOCK: Final = 1 << 20


class Object(NamedTuple):
    """A remote object: its URL, with whatever secrets it takes to read it, its path and size."""

    url: str
    path: str
    size: int


def is_remote(location: str) -> bool:
    """Tell whether a location is a URL, not a path."""
    return _SCHEME.match(location) is not None and not location.lower().startswith("file://")


def without_secrets(location: str) -> str:
    """A location for people and for the store: of a URL without user, password, query and fragment."""
    if not is_remote(location):
        return location
    parts = urlsplit(location)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def canonical_name(location: str) -> str:
    """Host (or bucket) and path of a URL, which name the object on any machine."""
    parts = urlsplit(location)
    host = parts.netloc.rpartition("@")[2]
    host = host.lower() if _is_http(location) else host  # elsewhere it is a bucket
    return f"{parts.scheme.lower()}://{host}{parts.path if host else parts.path.lstrip('/')}"


def expand(url: str) -> list[Object]:
    """The objects that a URL names: itself, those below it, or those that match its pattern; sorted by path.

    Raises:
        UsageError: There is none, fsspec or the module for this protocol is not installed, or the server does not
            tell an object's size.
        SourceError: The server refuses, or can't be reached.
    """
    fs, path = _filesystem(url)
    shown = without_secrets(url)
    try:
        if any(sign in path for sign in "*[") and not _is_http(url):
            found = sorted(name for name in fs.glob(path) if fs.isfile(name))
            return [_object(fs, url, name, shown) for name in found]
        if not _is_http(url) and fs.isdir(path):
            return [_object(fs, url, name, shown) for name in sorted(fs.find(path))]
        return [_object(fs, url, path, shown)]
    except FileNotFoundError as error:
        raise UsageError("There is no such object", place=shown, next_step="Check the address") from error
    except (UsageError, SourceError):
        raise
    except Exception as error:
        raise _failure(shown, error) from error


def _object(fs: Any, url: str, path: str, shown: str) -> Object:
    size = fs.info(path).get("size")
    if not isinstance(size, int):
        raise UsageError(
            "The server does not say how long the object is, so a cut transfer could not be told from its end",
            place=shown,
            next_step="Download it first, then name the file",
        )
    if _is_http(url):
        return Object(url, urlsplit(url).path, size)
    parts = urlsplit(url)
    full = str(fs.unstrip_protocol(path))
    if "@" in parts.netloc and "@" not in urlsplit(full).netloc:
        full = f"{parts.scheme}://{parts.netloc.rpartition('@')[0]}@{full.partition('://')[2]}"
    return Object(full, path, size)


def open_remote(url: str) -> BinaryIO:
    """Open an object for reading; it ends with an `OSError` where fewer bytes come than its size says."""
    fs, path = _filesystem(url)
    return cast("BinaryIO", _Remote(fs, path, int(_facts(fs, path)["size"])))


def remote_identity(url: str) -> str:
    """What tells an object's content without reading it whole: size, entity tag or time, and its first and last 64 KiB.

    Raises:
        OSError: It can't be read.
    """
    import xxhash

    fs, path = _filesystem(url)
    facts = _facts(fs, path)
    size = int(facts["size"])
    digest = xxhash.xxh3_128(str(facts["size"]).encode())
    said = next((f"{key}={facts[key]}" for key in _IDENTIFYING if facts.get(key)), "")
    digest.update(said.encode())
    with cast("BinaryIO", _Remote(fs, path, size)) as file:
        digest.update(file.read(_PROBE))
        if size > _PROBE:
            file.seek(max(_PROBE, size - _PROBE))
            digest.update(file.read(_PROBE))
    return str(digest.hexdigest())


class _Remote(io.RawIOBase):
    """A remote object as a file that knows its length: a transfer that ends before it is an error.

    Servers without range requests are read forward; going back opens the object again.
    """

    def __init__(self, fs: Any, path: str, size: int) -> None:
        self._fs, self._path, self._size = fs, path, size
        self._at = self._there = 0
        self._file: Any = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Offset in the object."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset; returns it."""
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes, fewer only at the object's end.

        Raises:
            OSError: The transfer failed, or ended before the object did.
        """
        rest = max(0, self._size - self._at)
        wanted = rest if size is None or size < 0 else min(size, rest)
        found = bytearray()
        try:
            self._go_to_place()
            while len(found) < wanted:
                data = self._file.read(wanted - len(found))
                if not data:
                    break
                found += data
        except Exception as error:
            raise OSError(f"the transfer failed at byte {self._at + len(found)}: {_kind(error)}") from error
        self._at += len(found)
        self._there = self._at
        if len(found) < wanted:
            raise OSError(f"the object ended at byte {self._at} of {self._size}")
        return bytes(found)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer; returns how many bytes."""
        view = memoryview(buffer).cast("B")
        found = self.read(len(view))
        view[: len(found)] = found
        return len(found)

    def _go_to_place(self) -> None:
        if self._file is None:
            self._file, self._there = self._fs.open(self._path, "rb"), 0
        if self._there == self._at:
            return
        try:
            self._file.seek(self._at)
        except (OSError, ValueError, NotImplementedError):
            if self._at < self._there:
                self._file.close()
                self._file, self._there = self._fs.open(self._path, "rb"), 0
            while self._there < self._at:
                data = self._file.read(min(_BLOCK, self._at - self._there))
                if not data:
                    raise OSError(f"it ended at byte {self._there}") from None
                self._there += len(data)
        self._there = self._at

    def close(self) -> None:
        """Close the connection."""
        if self._file is not None:
            self._file.close()
        super().close()


def _filesystem(url: str) -> tuple[Any, str]:
    shown = without_secrets(url)
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise UsageError(
            "Reading from a URL needs fsspec", place=shown, next_step="pip install 'provenance[remote]'"
        ) from error
    try:
        fs, path = url_to_fs(url)
    except ImportError as error:
        protocol = url.partition(":")[0]
        package = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs",
                   "hf": "huggingface_hub", "http": "aiohttp", "https": "aiohttp"}.get(protocol.lower())  # fmt: skip
        raise UsageError(
            f"Reading {protocol}:// needs another package",
            place=shown,
            next_step=f"pip install {package}" if package else "See the fsspec documentation for which",
        ) from error
    except ValueError as error:
        raise UsageError(
            "Nothing here can read this kind of address", place=shown, next_step="Download it first, then name the file"
        ) from error
    return fs, str(path)


def _facts(fs: Any, path: str) -> Any:
    """What a server says of an object, its size at least."""
    try:
        found = fs.info(path)
        int(found["size"])
    except Exception as error:
        raise OSError(_kind(error)) from error
    return found


def _is_http(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _failure(shown: str, error: Exception) -> SourceError:
    return SourceError(
        f"The object can't be reached: {_kind(error)}", place=shown, next_step="Check the address and your credentials"
    )


def _kind(error: BaseException) -> str:
    """What went wrong, without its text, in which libraries quote the address with its secrets."""
    status = getattr(error, "status", None)
    if isinstance(error, FileNotFoundError):
        return "there is no such object"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}" + (f" (status {status})" if status else "")
