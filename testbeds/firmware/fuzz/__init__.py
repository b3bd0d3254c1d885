"""Fuzzing of the firmware's parsers."""
