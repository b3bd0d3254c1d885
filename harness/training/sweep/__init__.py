"""Sweeps over settings of AgileNN's training, and over its trained weights: no testbed is opened."""
