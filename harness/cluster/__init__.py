"""Gives work to workers of a Dask cluster, here or elsewhere, that run the very same bench."""
