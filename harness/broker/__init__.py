"""The MQTT broker between device and edge: the bench's own or a given one, and talking to it."""
