"""Doors into other people's tools. Each is opened only when its tool is there."""
