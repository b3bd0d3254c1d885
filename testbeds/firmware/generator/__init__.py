"""From a `.tflite` file to C for the board: `generate(tflite_path, out_dir, variant="fast")`."""

from .graph import GraphReport, LayerReport, generate

__all__ = ["GraphReport", "LayerReport", "generate"]
