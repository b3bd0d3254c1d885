"""Speaks the EEMBC/MLPerf Tiny text dialect, host side: messages, client, procedures, results layout and a stand-in
device.
"""
