"""Says how schemes are trained: the recipes shipped, and what a recipe may say."""
