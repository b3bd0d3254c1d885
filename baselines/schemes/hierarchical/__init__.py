"""Implements hierarchical inference: a tiny network on the device, and the picture to the server when it is unsure."""

from baselines.schemes.hierarchical.scheme import Hierarchical

__all__ = ["Hierarchical"]
