"""Implements a Wi-Fi module with Espressif's AT firmware: the protocol, and hosts for it in virtual and in host
time.
"""
