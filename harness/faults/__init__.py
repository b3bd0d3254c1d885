"""Puts faults into stand-ins, one by one, to see what becomes of the sample: never a hang, never a wrong number."""
