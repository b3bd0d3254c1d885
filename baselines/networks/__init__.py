"""Holds the building blocks of networks and the networks of the schemes (Keras)."""
