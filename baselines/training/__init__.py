"""Training loop, checkpoints and logs shared by the schemes."""
