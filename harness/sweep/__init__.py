"""Runs sweeps: one thing is varied, and every scheme is measured at each value on the same pictures."""
