"""Benchmarks the parts: kernels, networks, codecs, edge, pictures and parsers."""
