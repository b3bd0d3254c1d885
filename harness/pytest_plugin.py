"""The pytest side of the bench: `pytest --testbed X -m latency`."""
