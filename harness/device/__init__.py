"""Holds the host's dialogue with a board: frames, messages, bringing it up, and a board that only pretends."""
