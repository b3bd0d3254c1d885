"""Writes a table as LaTeX with the rules of booktabs: \\usepackage{booktabs} in the preamble is all it needs."""

from __future__ import annotations

from collections.abc import Sequence

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "±": r"$\pm$",
    "µ": r"\textmu{}",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
}


def escaped(text: str) -> str:
    """Return `text` so that LaTeX prints it as it is."""
    return "".join(_ESCAPED.get(character, character) for character in " ".join(text.split()))


def booktabs(header: Sequence[str], lines: Sequence[Sequence[str]], *, caption: str = "", label: str = "") -> str:
    """Return a `table` with a `tabular` inside; the first column is to the left, the others to the right.

    Args:
        header, lines: as for `tables.markdown`, every line as long as the header.
        caption, label: left out when empty; a label is for \\ref.
    """
    columns = "l" + "r" * (len(header) - 1)

    def row(cells: Sequence[str]) -> str:
        # A line that begins with [ would be taken for an option of the \\ before it.
        told = [escaped(cell) for cell in cells]
        return " & ".join("{}" + cell if cell.startswith("[") else cell for cell in told) + r" \\"

    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            *([rf"\caption{{{escaped(caption)}}}"] if caption else []),
            *([rf"\label{{{label}}}"] if label else []),
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            row(header),
            r"\midrule",
            *(row(line) for line in lines),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )
