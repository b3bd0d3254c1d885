"""Implements AgileNN (Huang & Gao, MobiCom 2022): explainable AI decides which features stay on the device."""

from baselines.schemes.agilenn.scheme import AgileNN, AgileNNR

__all__ = ["AgileNN", "AgileNNR"]
