"""Text as the rest of the package reads it: extracted, repaired, folded, split into tokens."""
