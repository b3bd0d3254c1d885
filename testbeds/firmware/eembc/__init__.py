"""The EEMBC/MLPerf Tiny text dialect, device side."""
