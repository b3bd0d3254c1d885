"""Provides an ESP32 board without a board: its ROM loader, and the port's own sources run as a process
(docs/esp32.md).
"""
