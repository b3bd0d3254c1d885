"""Makes links that a device reaches by a detour through a process of their own: the user-space link and the TCP
proxy.
"""
