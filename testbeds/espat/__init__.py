"""Implements a Wi-Fi module with Espressif's AT firmware: its protocol, and hosts for it in virtual and host time."""
