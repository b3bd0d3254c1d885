"""Says what numbers mean: statistics, cells of a table, fronts, comparisons and claims. Nothing is drawn here."""
