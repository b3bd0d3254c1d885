"""The cycle model of the emulated Cortex-M7: C hooks for Unicorn and the decoder that feeds them."""
