"""DeepCOD: a learned compressive encoder of one convolution on the device, a decoder on the server (SenSys'20)."""

from baselines.schemes.deepcod.scheme import DeepCOD

__all__ = ["DeepCOD"]
