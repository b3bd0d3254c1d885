"""Plays instruments that aren't there: each speaks the real one's protocol on a pty, so that drivers can be proved."""
