"""Numbers as people see them: tables, LaTeX, plots and the paper-style figures."""
