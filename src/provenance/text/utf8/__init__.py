"""What every loop over UTF-8 bytes needs."""
