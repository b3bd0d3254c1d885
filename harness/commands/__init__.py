"""Holds the ways in: one command a file, each a thin `main(argv) -> int` over the rooms below."""
