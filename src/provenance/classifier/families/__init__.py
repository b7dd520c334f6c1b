"""Which family of models wrote a text that looks synthetic, as far as style can tell."""
