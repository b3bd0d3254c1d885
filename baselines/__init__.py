"""Holds the schemes under comparison, their data sets, networks and trained weights."""
