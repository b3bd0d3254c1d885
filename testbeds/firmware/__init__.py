"""Holds the device firmware: the portable C core, the generator, the ports, and how they are built."""
