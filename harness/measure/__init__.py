"""Takes one sample: what a point sets, one inference on a board, its energy, and pinned service times."""
