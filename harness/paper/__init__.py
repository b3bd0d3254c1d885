"""Makes the whole paper in one command."""
