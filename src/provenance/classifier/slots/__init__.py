"""Hashed n-grams of symbols."""
