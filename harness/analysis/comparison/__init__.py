"""Compares runs with each other and with the paper, in ratios and in words."""
