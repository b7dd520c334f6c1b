"""A small language model: interpolated Kneser–Ney over word trigrams (Kneser and Ney 1995; Chen and Goodman 1999).

It is trained in a second, samples from exactly the distribution that it assigns, and loses the tails of its training
text when it is trained on its own samples, which is all that is asked of it here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

BITS = np.uint64(21)
MASK = np.uint64((1 << 21) - 1)
DISCOUNT = 0.75
START, END, UNKNOWN = 0, 1, 2
RESERVED = 3


@dataclass(frozen=True)
class Vocabulary:
    """Words by number; 0 to 2 are the start and end of a text and any word that is not known."""

    words: list[str]

    @classmethod
    def of(cls, texts, least=2):
        """The words that occur at least so often, most frequent first."""
        counts = {}
        for text in texts:
            for word in text.split():
                counts[word] = counts.get(word, 0) + 1
        kept = sorted(
            (word for word, count in counts.items() if count >= least), key=lambda word: (-counts[word], word)
        )
        return cls(["<s>", "</s>", "<unk>", *kept])

    def encode(self, texts):
        """One array of numbers for each text, its end included."""
        numbers = {word: number for number, word in enumerate(self.words)}
        return [np.array([*(numbers.get(word, UNKNOWN) for word in text.split()), END], np.uint64) for text in texts]

    def decode(self, numbers):
        """The text of some numbers."""
        return " ".join(self.words[number] for number in numbers if number >= RESERVED)


@dataclass(frozen=True)
class Model:
    """Counts of trigrams and continuation counts below, each sorted by context and then word."""

    size: int
    keys3: np.ndarray
    counts3: np.ndarray
    keys2: np.ndarray
    counts2: np.ndarray
    words1: np.ndarray
    counts1: np.ndarray

    def perplexity(self, texts):
        """Perplexity per word over encoded texts."""
        logs, count = 0.0, 0
        for text in texts:
            logs += _log_likelihood(text, *self._tables())
            count += len(text)
        return float(np.exp(-logs / count))

    def sample(self, texts, most, seed, sharpness=1.0):
        """Write so many texts of at most so many words.

        ``sharpness``: counts are raised to this power before drawing. Above 1 it prefers what is frequent, as decoding
        at a temperature below 1 does.
        """
        lengths, words = _sample(texts, most, seed, sharpness, *self._tables())
        return np.split(words, np.cumsum(lengths)[:-1])

    def _tables(self):
        return self.size, self.keys3, self.counts3, self.keys2, self.counts2, self.words1, self.counts1


def train(texts, size):
    """Train on encoded texts."""
    padded = [np.concatenate([np.zeros(2, np.uint64), text]) for text in texts]
    u, v, w = (np.concatenate([text[k : len(text) - 2 + k] for text in padded]) for k in range(3))
    keys3, counts3 = _summed((u << BITS | v) << BITS | w, np.ones(len(w)))
    keys2, counts2 = _summed(keys3 & (MASK << BITS | MASK), np.minimum(counts3, 1))
    words1, counts1 = _summed(keys2 & MASK, np.minimum(counts2, 1))
    return Model(size, keys3, counts3, keys2, counts2, words1, counts1)


def _summed(keys, values):
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    return keys[starts], np.add.reduceat(values, starts)


@njit(cache=True)
def _mass(keys, counts, context):
    """The range of a context's entries, their sum, and what discounting takes of it."""
    first = np.searchsorted(keys, context << BITS)
    last = np.searchsorted(keys, (context + np.uint64(1)) << BITS)
    total, taken = 0.0, 0.0
    for k in range(first, last):
        total += counts[k]
        taken += DISCOUNT * min(counts[k], 1.0)
    return first, last, total, taken


@njit(cache=True)
def _count(keys, counts, first, last, key):
    k = first + np.searchsorted(keys[first:last], key)
    return counts[k] if k < last and keys[k] == key else 0.0


@njit(cache=True)
def _kept(count):
    return count - DISCOUNT * min(count, 1.0)


@njit(cache=True)
def _log_likelihood(text, size, keys3, counts3, keys2, counts2, words1, counts1):
    total1 = counts1.sum()
    taken1 = 0.0
    for count in counts1:
        taken1 += DISCOUNT * min(count, 1.0)
    u, v, logs = np.uint64(START), np.uint64(START), 0.0
    for w in text:
        k = np.searchsorted(words1, w)
        held = _kept(counts1[k]) if k < len(words1) and words1[k] == w else 0.0
        # Every word that can be asked about has its part of what the unigrams leave.
        chance = held / total1 + taken1 / total1 / (size - 1)
        first, last, total, taken = _mass(keys2, counts2, v)
        if total > 0:
            chance = _kept(_count(keys2, counts2, first, last, v << BITS | w)) / total + taken / total * chance
        context = u << BITS | v
        first, last, total, taken = _mass(keys3, counts3, context)
        if total > 0:
            chance = _kept(_count(keys3, counts3, first, last, context << BITS | w)) / total + taken / total * chance
        logs += np.log(chance)
        u, v = v, w
    return logs


@njit(cache=True)
def _drawn(keys, counts, first, last, sharpness):
    """One word of a range, by its discounted count to the power of sharpness."""
    whole = 0.0
    for k in range(first, last):
        whole += _kept(counts[k]) ** sharpness
    left = np.random.random() * whole
    for k in range(first, last):
        left -= _kept(counts[k]) ** sharpness
        if left <= 0:
            return keys[k] & MASK
    return keys[last - 1] & MASK


@njit(cache=True)
def _sample(texts, most, seed, sharpness, size, keys3, counts3, keys2, counts2, words1, counts1):
    np.random.seed(seed)
    total1, taken1 = counts1.sum(), 0.0
    sums1 = np.zeros(len(counts1))
    for k in range(len(counts1)):
        taken1 += DISCOUNT * min(counts1[k], 1.0)
        sums1[k] = (sums1[k - 1] if k else 0.0) + _kept(counts1[k]) ** sharpness
    lengths = np.zeros(texts, np.int64)
    words = np.zeros(texts * most, np.uint64)
    place = 0
    for text in range(texts):
        u, v = np.uint64(START), np.uint64(START)
        for _ in range(most):
            context = u << BITS | v
            first, last, total, taken = _mass(keys3, counts3, context)
            w = np.uint64(START)
            if total > 0 and np.random.random() >= (taken / total) ** sharpness:
                w = _drawn(keys3, counts3, first, last, sharpness)
            else:
                first, last, total, taken = _mass(keys2, counts2, v)
                if total > 0 and np.random.random() >= (taken / total) ** sharpness:
                    w = _drawn(keys2, counts2, first, last, sharpness)
                elif np.random.random() >= (taken1 / total1) ** sharpness:
                    w = words1[np.searchsorted(sums1, np.random.random() * sums1[-1], side="right")]
                else:
                    w = np.uint64(np.random.randint(1, size))
            if w == END:
                break
            words[place] = w
            place += 1
            lengths[text] += 1
            u, v = v, w
    return lengths, words[:place]
