"""Defines the unit of virtual time: 1/54 of a picosecond.

In this unit a cycle of every clock that the firmware sets (16, 64, 108, 128 and 216 MHz), a frame on a serial line of 4
Mbaud and a byte at 270 kbit/s, 500 kbit/s, 1, 2, 6, 20 or 54 Mbit/s are whole numbers, so that no rounding depends on
when something begins. In picoseconds, a reply that was due exactly at the start of a cycle came one cycle later or not,
depending on the phase.
"""

SECOND = 54 * 10**12
MILLISECOND = SECOND // 10**3
MICROSECOND = SECOND // 10**6
