"""Implements local only: a small int8 network on the device, nothing on the link."""

from baselines.schemes.local_only.scheme import LocalOnly

__all__ = ["LocalOnly"]
