"""Which blocks of a page are its own text."""
