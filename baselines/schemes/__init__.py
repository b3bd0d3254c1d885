"""Holds the schemes, one folder each, which are found by entry point."""
