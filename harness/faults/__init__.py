"""Faults put into stand-ins, one by one: what becomes of the sample? Never a hang, never a wrong number."""
