"""Holds the pytest side of the bench: `pytest --testbed NAME` measures a testbed and keeps the run."""
