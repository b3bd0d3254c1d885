"""Implements full offloading (the paper's edge-only baseline): the whole picture is sent, losslessly or as JPEG."""

from baselines.schemes.full_offload.scheme import FullOffload, FullOffloadJpeg

__all__ = ["FullOffload", "FullOffloadJpeg"]
