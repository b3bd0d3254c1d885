"""Holds one folder for each testbed: its description (`bench.toml`) and the code that only it needs."""
