"""Network building blocks and the networks of the schemes (Keras)."""
