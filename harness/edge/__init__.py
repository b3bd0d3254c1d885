"""Runs the edge server: the remote half of the schemes behind a broker, in a process of its own."""
