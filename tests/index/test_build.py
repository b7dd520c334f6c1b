"""How keys are cut into ranges, and how many texts may have a passage that still counts."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.index import Index
from provenance.index.build import limits_of


@pytest.mark.parametrize("pieces", [1, 2, 64])
def test_ranges_have_every_key_once_and_are_of_one_size(pieces):
    ranges = limits_of(pieces)
    assert len(ranges) == pieces
    assert ranges[0][0] == 0
    assert ranges[-1][1] == (1 << 32) - 1
    assert [low for low, _ in ranges[1:]] == [high + 1 for _, high in ranges[:-1]]
    assert len({high - low for low, high in ranges}) == 1


@pytest.mark.parametrize(("texts", "found"), [(128, True), (129, False)])
def test_a_passage_counts_while_at_most_128_texts_have_it(tmp_path, corpus, register, words, texts, found):
    shared = words(60)
    references = [np.concatenate([shared, words(30)]) for _ in range(texts)]
    index = Index.open(tmp_path, [register(references).id])
    record = corpus([np.concatenate([words(30), shared, words(30)])])
    assert bool(record.match(index).num_rows) == found
