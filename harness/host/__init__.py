"""Holds what every room may use of this machine: command lines, entry points, locks, processes, secrets."""
