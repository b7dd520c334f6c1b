"""The bridge to users' own texts and to datasketch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from provenance.errors import UsageError
from provenance.fingerprint.minhash import NUM_PERM, SEED, minhash, permutations

if TYPE_CHECKING:
    from collections.abc import Iterator

    import datasketch
    import pyarrow as pa

SLICE_BYTES = 1 << 20
"""Text folded and hashed at a time: what stays in a core's own cache between the steps."""


_MOST_PERMUTATIONS: Final = 1 << 16


def signatures(texts: Any, num_perm: int = NUM_PERM, seed: int = SEED) -> npt.NDArray[np.uint32]:
    """MinHash signatures of texts, folding and splitting included.

    Args:
        texts: A sequence of ``str``, a NumPy array of strings, an Arrow array or chunked array, a Polars Series
            or anything else that offers Arrow's C data interface. None counts as the empty text.
        num_perm: Values in a signature.
        seed: What datasketch draws the permutations from.

    Returns:
        uint32 ``(n, num_perm)``: row ``i`` equals the hash values of datasketch's
        ``MinHash(num_perm, seed, scheme="affine32")`` updated with the 32-bit hash of each 5-token shingle
        of the folded text ``i``; ``0xFFFFFFFF`` throughout for an empty one.

    Raises:
        UsageError: ``texts`` is one string, holds something else than strings, ``num_perm`` is not from 1 to 65,536,
            or the seed is not within 32 bits.
    """
    from provenance.text.fold import fold
    from provenance.text.tokens import tokenize

    if not isinstance(num_perm, int | np.integer) or num_perm < 1:
        raise UsageError("A signature needs at least one permutation", place=f"num_perm={num_perm}")
    if num_perm > _MOST_PERMUTATIONS:
        raise UsageError(
            f"A signature has at most {_MOST_PERMUTATIONS:,} permutations",
            place=f"num_perm={num_perm}",
            next_step="Take 128 or 256: the error of a similarity falls with their square root only",
        )
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 1 << 32:
        raise UsageError("A seed is a whole number of 32 bits", place=f"seed={seed}")
    chunks = _large_strings(texts)
    result = np.empty((sum(map(len, chunks)), num_perm), np.uint32)
    done = 0
    for chunk in chunks:
        for part in _slices(chunk):
            result[done : done + len(part)] = minhash(tokenize(fold(part)), num_perm, seed)
            done += len(part)
    return result


def to_datasketch(signature: npt.NDArray[np.uint32], seed: int = SEED) -> datasketch.MinHash:
    """A datasketch MinHash with this signature, comparable with one's own of scheme ``affine32`` and this seed.

    Args:
        signature: uint32 ``(num_perm,)``, one row of :func:`signatures`.
        seed: The seed it was made with.

    Raises:
        UsageError: ``signature`` is not one row of uint32.
    """
    from datasketch import MinHash

    if (
        not isinstance(signature, np.ndarray)
        or signature.dtype != np.uint32
        or signature.ndim != 1
        or not len(signature)
    ):
        what = f"{signature.dtype} of shape {signature.shape}" if isinstance(signature, np.ndarray) else type(signature)
        raise UsageError(
            f"A signature is one row of uint32, not {what}", next_step="Pass one row of what `signatures` returns"
        )
    return MinHash(seed=seed, hashvalues=signature, scheme="affine32")


def from_datasketch(
    sketch: datasketch.MinHash | datasketch.LeanMinHash, num_perm: int = NUM_PERM, seed: int = SEED
) -> npt.NDArray[np.uint32]:
    """The signature that a datasketch MinHash holds.

    It is comparable only if the sketch was updated with this package's shingle hashes, which a sketch can't
    tell; everything that it can tell is checked.

    Args:
        sketch: A ``MinHash`` or ``LeanMinHash``.
        num_perm: The number of values wanted.
        seed: The seed wanted.

    Returns:
        uint32 ``(num_perm,)``, a copy.

    Raises:
        UsageError: It is no sketch, or scheme, seed, number of values or permutations differ.
    """
    from datasketch import LeanMinHash, MinHash

    if not isinstance(sketch, MinHash | LeanMinHash):
        raise UsageError(
            f"This is not a datasketch MinHash but {type(sketch).__name__}", next_step="Pass a MinHash or LeanMinHash"
        )
    scheme = getattr(sketch, "scheme", "legacy")
    wrong = ""
    if scheme != "affine32":
        wrong = f'its scheme is "{scheme}", not "affine32"'
    elif sketch.seed != seed:
        wrong = f"its seed is {sketch.seed}, not {seed}"
    elif len(sketch) != num_perm:
        wrong = f"it has {len(sketch)} values, not {num_perm}"
    elif getattr(sketch, "permutations", None) is not None and not np.array_equal(
        np.asarray(sketch.permutations), np.stack(permutations(num_perm, seed))
    ):
        wrong = "its permutations are not the ones drawn from its seed"
    if wrong:
        raise UsageError(
            f"This sketch can't be compared with signatures of this package: {wrong}",
            next_step=f'Make it with MinHash(num_perm={num_perm}, seed={seed}, scheme="affine32")',
        )
    return np.array(sketch.hashvalues, np.uint32)


def _large_strings(texts: Any) -> list[pa.LargeStringArray]:
    import pyarrow as pa

    if isinstance(texts, (str, bytes)):
        raise UsageError("Signatures are made of a sequence of texts, not of one text", next_step="Pass [text]")
    try:
        if isinstance(texts, pa.ChunkedArray):
            column = texts
        elif isinstance(texts, pa.Array):
            column = pa.chunked_array([texts])
        elif hasattr(texts, "__arrow_c_stream__"):
            column = pa.chunked_array(texts)
        elif hasattr(texts, "__arrow_c_array__"):
            column = pa.chunked_array([pa.array(texts)])
        else:
            values = texts.tolist() if isinstance(texts, np.ndarray) else list(texts)
            column = pa.chunked_array([pa.array(values, pa.large_string())], pa.large_string())
        if pa.types.is_null(column.type) or any(check(column.type) for check in (_is_text, pa.types.is_dictionary)):
            return list(column.cast(pa.large_string()).chunks)
    except (pa.ArrowException, TypeError, UnicodeEncodeError) as error:
        raise UsageError(f"These are not texts: {error}", next_step="Pass strings or None only") from error
    raise UsageError(f"These are not texts but {column.type}", next_step="Pass strings or None only")


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _slices(texts: pa.LargeStringArray) -> Iterator[pa.LargeStringArray]:
    """Consecutive slices of about ``SLICE_BYTES``, one text at least."""
    from provenance.text.buffers import string_buffers

    _, offsets = string_buffers(texts)
    start = 0
    while start < len(texts):
        end = int(np.searchsorted(offsets, offsets[start] + SLICE_BYTES, side="right")) - 1
        end = min(max(end, start + 1), len(texts))
        yield texts.slice(start, end - start)
        start = end
