"""Which of 64 bytes at a time are of some class, one bit for each."""
