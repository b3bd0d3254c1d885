"""Examines whether a testbed is fit to be measured with, by checks that each have their outcome and the cure."""
