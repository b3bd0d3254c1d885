"""Builds the firmware's own C code as libraries for this machine."""
