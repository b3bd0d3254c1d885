"""Provides the native board: the firmware as a process, a pty for its console, and a stand-in for its Wi-Fi module."""

from testbeds.native.board import NativeTestbed

__all__ = ["NativeTestbed"]
