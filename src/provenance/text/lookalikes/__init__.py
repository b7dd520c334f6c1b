"""Undo letters that pass for those of another script."""
