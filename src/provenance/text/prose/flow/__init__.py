"""A text as one flow of words."""
