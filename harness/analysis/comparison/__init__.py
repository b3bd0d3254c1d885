"""Runs against each other and against the paper, in ratios and in words."""
