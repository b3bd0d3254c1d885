"""Holds what `python -m harness.train` hands to a scheme: options, and a report that people can read."""
