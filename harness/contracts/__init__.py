"""Holds what testbeds and baselines may know of the harness: errors, descriptions and small interfaces, nothing that
runs.
"""
