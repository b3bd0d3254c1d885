"""Sweeps: one thing is varied, every scheme is measured at each value, on the same images."""
