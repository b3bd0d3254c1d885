"""Holds the device side of the EEMBC/MLPerf Tiny text dialect."""
