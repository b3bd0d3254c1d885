"""Draws the paper's figures, from stored runs and committed rows, with the published values beside them."""
