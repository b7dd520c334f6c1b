"""What a pass over a page looks for."""
