"""Models the cycles of the emulated Cortex-M7: C hooks for Unicorn and the decoder that feeds them."""
