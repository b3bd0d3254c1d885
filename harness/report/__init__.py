"""Makes one page a run that can be handed to a reviewer: a single HTML file, no network, no script."""
