"""Keeps a run on disk: what a sample, a manifest and a journal hold, and how they are written and read."""
