"""Measures of variety of a set of texts.

All grow or shrink with the amount of text, so they are comparable at equal size only: `compare` takes care of that.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

NGRAMS: Final = (1, 2, 3, 4)
MTLD_THRESHOLD: Final = 0.72
"""McCarthy and Jarvis 2010."""
_MTLD_TOKENS: Final = 100
_BLEU_TEXTS: Final = 200
_BLEU_TOKENS: Final = 256
_SMALL: Final = 0.1
"""What stands for no match at all in BLEU (Chen and Cherry 2014, method 1)."""
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_TAIL_MASS: Final = 0.9


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts as their tokens and their bytes.

    Attributes:
        offsets: int64, ``n + 1`` values; text ``i`` has the tokens ``offsets[i]:offsets[i + 1]``.
        hashes: uint32, one for each token.
        content: Bytes of the folded texts, one after the other, each ended by a line feed.
        content_offsets: int64, ``n + 1`` values, of each text in ``content``.
    """

    offsets: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint32]
    content: bytes
    content_offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: npt.NDArray[np.int64], tokens: int) -> Texts:
        """Return these texts, in this order, the last one cut so that they hold so many tokens."""
        lengths = np.diff(self.offsets)[rows]
        ends = np.cumsum(lengths)
        count = int(np.searchsorted(ends, tokens, side="left")) + 1
        rows, lengths = rows[:count], lengths[:count].copy()
        cut = max(int(ends[min(count, len(ends)) - 1]) - tokens, 0)
        kept = np.ones(len(rows))
        if cut and lengths[-1]:
            kept[-1] = 1 - cut / lengths[-1]
            lengths[-1] -= cut
        starts = self.offsets[rows]
        pieces = [self.hashes[start : start + length] for start, length in zip(starts, lengths, strict=True)]
        # Of the last text the same part in bytes as in tokens: what is compressed must be of equal size too.
        parts = [
            self.content[first : first + round((last - first) * part)]
            for first, last, part in zip(self.content_offsets[rows], self.content_offsets[rows + 1], kept, strict=True)
        ]
        return Texts(
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            np.concatenate([*pieces, np.zeros(0, np.uint32)]),
            b"".join(parts),
            np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64),
        )


def distinct(texts: Texts, n: int) -> float:
    """Distinct-n (Li et al. 2016): different n-grams over n-grams."""
    grams = ngrams(texts, n)
    return len(np.unique(grams)) / len(grams) if len(grams) else math.nan


def entropy(texts: Texts, n: int) -> float:
    """Shannon entropy of the n-grams, in bits."""
    grams = ngrams(texts, n)
    if not len(grams):
        return math.nan
    shares = np.unique(grams, return_counts=True)[1] / len(grams)
    return float(-(shares * np.log2(shares)).sum())


def mtld(texts: Texts) -> float:
    """Measure of textual lexical diversity (McCarthy and Jarvis 2010), mean over texts of at least 100 tokens.

    Each text is read forwards and backwards; a text counts by its tokens.
    """
    from provenance.diversity.kernel import factors

    total = weight = 0.0
    for first, last in zip(texts.offsets[:-1].tolist(), texts.offsets[1:].tolist(), strict=True):
        size = last - first
        if size < _MTLD_TOKENS:
            continue
        words = texts.hashes[first:last]
        # A text that never falls to the threshold is one factor at most.
        both = [size / max(factors(words, MTLD_THRESHOLD, way), 1e-9) for way in (False, True)]
        total += size * min(sum(both) / 2, size)
        weight += size
    return total / weight if weight else math.nan


def self_bleu(texts: Texts) -> float:
    """Self-BLEU (Zhu et al. 2018): mean BLEU-4 of each text with all others as references; high means alike.

    Of up to 200 texts, their first 256 tokens.
    """
    count = min(len(texts), _BLEU_TEXTS)
    lengths = np.minimum(np.diff(texts.offsets)[:count], _BLEU_TOKENS)
    if count < 2 or not lengths.all():
        return math.nan
    first = Texts(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate(
            [texts.hashes[start : start + size] for start, size in zip(texts.offsets[:count], lengths, strict=True)]
        ),
        b"",
        np.zeros(count + 1, np.int64),
    )
    logs = np.zeros(count)
    for n in NGRAMS:
        matched, possible = _clipped(first, n)
        precision = np.where(matched > 0, matched, _SMALL) / np.maximum(possible, 1)
        logs += np.log(precision) / len(NGRAMS)
    penalty = np.minimum(0.0, 1 - _closest(lengths) / lengths)
    return float(np.exp(logs + penalty).mean())


def compression_ratio(texts: Texts) -> float:
    """Bytes over bytes compressed by zlib (level 6): high means repetitive (Shaib et al. 2024)."""
    return len(texts.content) / len(zlib.compress(texts.content, 6)) if texts.content else math.nan


MEASURES: Final[Mapping[str, Callable[[Texts], float]]] = {
    **{f"distinct_{n}": lambda texts, n=n: distinct(texts, n) for n in NGRAMS},  # type: ignore[misc]
    **{f"entropy_{n}": lambda texts, n=n: entropy(texts, n) for n in (1, 2)},  # type: ignore[misc]
    "mtld": mtld,
    "self_bleu": self_bleu,
    "compression_ratio": compression_ratio,
}


def measure(texts: Texts) -> dict[str, float]:
    """Return every measure of some texts; NaN where there is too little text for one."""
    return {name: of(texts) for name, of in MEASURES.items()}


def tail_coverage(texts: Texts, baseline: Texts) -> float:
    """Share of the baseline's rare types that occur in the texts.

    Rare are the types outside the most frequent ones that make up nine tenths of the baseline's tokens: the tails of
    the distribution are what a model trained on models' output loses first (Shumailov et al. 2024).
    """
    types, counts = np.unique(baseline.hashes, return_counts=True)
    if not len(types):
        return math.nan
    order = np.lexsort((types, -counts))
    rare = types[order[np.cumsum(counts[order]) > _TAIL_MASS * counts.sum()]]
    return float(np.isin(rare, texts.hashes).mean()) if len(rare) else math.nan


def vocabulary_kept(texts: Texts, baseline: Texts) -> float:
    """Share of the baseline's types that occur in the texts."""
    types = np.unique(baseline.hashes)
    return float(np.isin(types, texts.hashes).mean()) if len(types) else math.nan


def ngrams(texts: Texts, n: int) -> npt.NDArray[np.uint64]:
    """Return one hash for each n-gram; none spans two texts."""
    return _grams(texts, n)[0]


def _grams(texts: Texts, n: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return the n-grams and the text that each stands in."""
    total = len(texts.hashes)
    owners = np.repeat(np.arange(len(texts)), np.diff(texts.offsets))
    if total < n:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    words = texts.hashes.astype(np.uint64)
    grams = words[: total - n + 1].copy()
    for step in range(1, n):
        grams = (grams ^ (grams >> np.uint64(29))) * _MULTIPLIER + words[step : total - n + 1 + step]
    whole = owners[: total - n + 1] == owners[n - 1 :]
    return grams[whole], owners[: total - n + 1][whole]


def _clipped(texts: Texts, n: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return how many n-grams of each text another has, each counted as often as there at most, and how many it has."""
    grams, owners = _grams(texts, n)
    count = len(texts)
    possible = np.bincount(owners, minlength=count)
    _, ids = np.unique(grams, return_inverse=True)
    keys, times = np.unique(ids * count + owners, return_counts=True)
    ids, owners = keys // count, keys % count
    # Sorted by gram and falling count, the first two rows of a gram say the most that any other text has.
    order = np.lexsort((owners, -times, ids))
    ids, owners, times = ids[order], owners[order], times[order]
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[starts, len(ids)])
    top = times[starts]
    second = np.where(sizes > 1, times[np.minimum(starts + 1, len(times) - 1)], 0) if len(ids) else top
    place = np.repeat(np.arange(len(starts)), sizes)
    others = np.where(np.arange(len(ids)) == starts[place], second[place], top[place])
    matched = np.bincount(owners, weights=np.minimum(times, others), minlength=count)
    return matched.astype(np.float64), possible.astype(np.int64)


def _closest(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the length of another text that comes nearest to each one's own; of two, the shorter."""
    away = np.abs(lengths[:, None] - lengths[None, :]).astype(np.float64)
    np.fill_diagonal(away, np.inf)
    ranked = np.lexsort((np.broadcast_to(lengths, away.shape), away), axis=1)
    return lengths[ranked[:, 0]]
