"""Implements DeepCOD (SenSys'20): a learned compressive encoder of one convolution, and a decoder on the server."""

from baselines.schemes.deepcod.scheme import DeepCOD

__all__ = ["DeepCOD"]
