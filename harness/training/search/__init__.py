"""Searches for a scheme's device network: what fits the board is trained for a moment, what is best is reported."""
