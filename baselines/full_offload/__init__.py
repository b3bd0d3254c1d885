"""Full offloading: the whole picture goes to the server, raw or LZW (the paper's edge-only baseline)."""

from baselines.full_offload.scheme import FullOffload

__all__ = ["FullOffload"]
