"""What becomes of a trained network: int8 graph, context tables, artefact, evaluation, serving."""
