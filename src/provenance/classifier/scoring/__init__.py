"""Linear scores of symbols."""
