"""Handles a trained scheme as files: where it lies, the pictures it is shown, and what it answers on the host."""
