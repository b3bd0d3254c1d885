"""The device firmware: portable C core, generator, ports, and how they are built."""
