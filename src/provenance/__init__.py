"""Tell which records of a web crawl a person wrote and which a language model wrote, and keep the lineage."""
