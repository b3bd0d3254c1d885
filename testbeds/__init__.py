"""One folder a testbed: its description (`bench.toml`) and what only it needs."""
