"""Fuzzes the firmware's parsers."""
