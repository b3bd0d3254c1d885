"""Full offloading: the whole picture to the server (the paper's edge-only baseline), raw or LZW, as it is on the link."""

from baselines.full_offload.scheme import FullOffload

__all__ = ["FullOffload"]
