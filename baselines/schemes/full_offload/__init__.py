"""Full offloading: the whole picture goes to the server (the paper's edge-only baseline), losslessly or as JPEG."""

from baselines.schemes.full_offload.scheme import FullOffload, FullOffloadJpeg

__all__ = ["FullOffload", "FullOffloadJpeg"]
