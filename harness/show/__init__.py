"""Shows numbers to people: tables, LaTeX, plots and the paper-style figures."""
