"""The text stage: from what a reader yields to both levels of text, with language and kind."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from provenance import schema
from provenance.text.fold import fold
from provenance.text.language import identify
from provenance.text.prose import classify
from provenance.text.repair import repair


def prepare(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add text, folded text, language, text kind and length to a batch.

    Args:
        batch: Records in `provenance.schema.RAW`.

    Returns:
        The same records in `provenance.schema.PREPARED`. The columns that were there are shared, not copied.
    """
    text = repair(batch.column("raw"))
    columns = {
        "text": text,
        "folded": fold(text),
        "language": pa.array(identify(text), pa.string()),
        "text_kind": pa.array(classify(text), pa.string()),
        "chars": pc.utf8_length(text).cast(pa.int32()),
    }
    return pa.RecordBatch.from_arrays(
        [columns.get(name) if name in columns else batch.column(name) for name in schema.PREPARED.names],
        schema=schema.PREPARED,
    )
