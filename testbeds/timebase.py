"""The unit of virtual time: 1/54 of a picosecond.

In it a cycle of every clock that the firmware sets (16, 64, 108, 128 and 216 MHz), a frame on a serial line of 4 Mbaud
and a byte at 270 kbit/s, 500 kbit/s, 1, 2, 6, 20 or 54 Mbit/s are whole numbers. So no rounding depends on when
something begins: in picoseconds a reply that is due exactly at a cycle's start came a cycle later or not by the phase.
"""

SECOND = 54 * 10**12
MILLISECOND = SECOND // 10**3
MICROSECOND = SECOND // 10**6
