"""Measures power: probes and their stand-ins, traces, and, apart from them, energy."""
