"""Provides the MQTT broker between device and edge, the bench's own or a given one, and talks to it."""
