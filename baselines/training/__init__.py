"""Holds the training loop, checkpoints and logs that the schemes share."""
