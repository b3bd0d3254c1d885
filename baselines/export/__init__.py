"""Turns a trained network into what is deployed: int8 graph, context tables, artefact, evaluation, serving."""
