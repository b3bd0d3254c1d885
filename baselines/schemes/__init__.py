"""The schemes: one folder each, found by entry point."""
