"""Which texts need repair."""
