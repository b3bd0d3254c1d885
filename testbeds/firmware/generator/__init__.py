"""Generates C for the board from a `.tflite` file: `generate(tflite_path, out_dir, variant="fast")`."""

from .graph import GraphReport, LayerReport, generate

__all__ = ["GraphReport", "LayerReport", "generate"]
