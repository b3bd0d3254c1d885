"""Implements partition: one network cut between device and server, with an exit on the device (SPINN, MobiCom'20)."""

from baselines.schemes.partition.scheme import Partition

__all__ = ["Partition"]
