"""Writes a table as LaTeX with the rules of booktabs: \\usepackage{booktabs} in the preamble is all it needs.

A table fits a column of a two-column paper (240 pt): in \\footnotesize, with long text broken in cells of a fixed
width, and with its columns in several parts one below the other where they are too many for one. One whose text would
become narrow towers goes over both columns (`table*`).
"""

from __future__ import annotations

import math
import re
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
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "→": r"$\to$",
}

COLUMN_PT = 240.0  # of ACM's and IEEE's two-column styles, with a point to spare
BOTH_PT = 500.0  # over both of their columns
_MOST_LINES = 4  # of a broken cell in one column; longer text goes over both
_GAP_PT = 6.0  # between two columns: \\tabcolsep of 3 pt on either side
_LONGEST_PT = 45.0  # of a cell of words before it is broken into lines; numbers never are
_NARROWEST_PT = 40.0  # of a column that is broken
# Widths of Computer Modern at 8 pt, rounded up.
_WIDTHS = {"ijl.,:;!'|[]()/ -": 3.4, "frstI": 4.0, "mwMWOQ%–±≥≤": 8.7, "ABCDEFGHKLNPRSTUVXYZ&": 6.9}
_OTHER_PT = 4.9
_PATH = re.compile(r"\s*\(?\b(?:docs|results|baselines|harness|testbeds)/[^\s,;)]+\)?")


def caption_of(text: str) -> str:
    """Return `text` as a caption: without paths of files, which no reader of a paper has, and no sentence twice."""
    plain = _PATH.sub("", text).replace("+-", "±")
    plain = re.sub(r"\(\s*[,;]?\s*\)|[,;]\s*(?=\))", "", plain)
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(plain.split()))
    return " ".join(dict.fromkeys(sentences))


def label_of(*parts: str) -> str:
    """Return a label for \\ref of a table, from the names of its run and of the table."""
    return "tab:" + "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts if part)


def width_pt(text: str) -> float:
    """Return about how wide `text` is in \\footnotesize, in points, rather more than less."""
    return sum(next((w for kind, w in _WIDTHS.items() if c in kind), _OTHER_PT) for c in text)


def escaped(text: str) -> str:
    """Return `text` so that LaTeX prints it as it is."""
    words = " ".join(text.split()).replace("->", "→").replace("+-", "±")
    return "".join(_ESCAPED.get(character, character) for character in words)


def booktabs(header: Sequence[str], lines: Sequence[Sequence[str]], *, caption: str = "", label: str = "") -> str:
    """Return a `table` with a `tabular` inside, or several; the first column is to the left, the others to the right.

    Args:
        header, lines: as for `tables.markdown`, every line as long as the header.
        caption, label: left out when empty; a label is for \\ref.
    """
    room_pt, kind = COLUMN_PT, "table"
    widths = _column_widths(header, lines, room_pt)
    if _most_lines(header, lines, widths) > _MOST_LINES:
        room_pt, kind = BOTH_PT, "table*"
        widths = _column_widths(header, lines, room_pt)
    parts = [_tabular(header, lines, widths, part) for part in _parts(widths, room_pt)]
    return "\n".join(
        [
            rf"\begin{{{kind}}}",
            r"\centering",
            *([rf"\caption{{{escaped(caption)}}}"] if caption else []),
            *([rf"\label{{{label}}}"] if label else []),
            r"\footnotesize",
            r"\setlength{\tabcolsep}{3pt}",
            "\n\\\\[1ex]\n".join(parts),
            rf"\end{{{kind}}}",
            "",
        ]
    )


def _column_widths(header: Sequence[str], lines: Sequence[Sequence[str]], room_pt: float) -> list[tuple[float, bool]]:
    """Return each column's width in points, and whether its cells are broken into lines of that width."""
    natural = [max(width_pt(line[i]) for line in [header, *lines]) for i in range(len(header))]
    if sum(natural) + _GAP_PT * len(natural) <= room_pt:
        return [(width, False) for width in natural]
    words_only = [_of_words(max((line[i] for line in lines), key=width_pt, default="")) for i in range(len(header))]
    broken = [i for i, width in enumerate(natural) if width > _LONGEST_PT and words_only[i]]
    if not broken:
        return [(width, False) for width in natural]
    words = [max(width_pt(word) for line in [header, *lines] for word in (line[i].split() or [""])) for i in broken]
    least = {i: max(_NARROWEST_PT, word) for i, word in zip(broken, words, strict=True)}
    room = room_pt - _GAP_PT * len(natural) - sum(w for i, w in enumerate(natural) if i not in least)
    spare = max(0.0, room - sum(least.values()))
    more = {i: spare * natural[i] / sum(natural[j] for j in least) for i in least}
    return [(least[i] + more[i], True) if i in least else (width, False) for i, width in enumerate(natural)]


def _of_words(cell: str) -> bool:
    """Say whether a cell is text and no number with its interval or unit."""
    return 2 * sum(c.isalpha() for c in cell) > len(cell) or len(re.findall(r"[^\W\d_]{3,}", cell)) > 1


def _most_lines(header: Sequence[str], lines: Sequence[Sequence[str]], widths: Sequence[tuple[float, bool]]) -> int:
    """Return about how many lines the longest of the broken cells takes."""
    broken = [(i, width) for i, (width, is_broken) in enumerate(widths) if is_broken]
    return max((math.ceil(width_pt(line[i]) / width) for line in [header, *lines] for i, width in broken), default=1)


def _parts(widths: Sequence[tuple[float, bool]], room_pt: float) -> list[list[int]]:
    """Return the columns of each part: the first one is in all of them, the others where there is room."""
    parts: list[list[int]] = [[0]]
    used = widths[0][0] + _GAP_PT
    for i, (width, _) in enumerate(widths[1:], start=1):
        if len(parts[-1]) > 1 and used + width + _GAP_PT > room_pt:
            parts.append([0])
            used = widths[0][0] + _GAP_PT
        parts[-1].append(i)
        used += width + _GAP_PT
    return parts


def _tabular(
    header: Sequence[str], lines: Sequence[Sequence[str]], widths: Sequence[tuple[float, bool]], part: Sequence[int]
) -> str:
    def kind(i: int) -> str:
        if widths[i][1]:
            return rf"p{{{widths[i][0]:.0f}pt}}"
        return "l" if i == 0 else "r"

    def cell(text: str, i: int) -> str:
        told = escaped(text)
        if widths[i][1]:
            return rf"\raggedright {told}"  # a narrow column that is justified is full of holes
        return "{}" + told if told.startswith("[") else told  # [ would be an option of the end of the line before it

    def row(line: Sequence[str]) -> str:
        return " & ".join(cell(line[i], i) for i in part) + r" \tabularnewline"  # \raggedright takes \\ for itself

    return "\n".join(
        [
            rf"\begin{{tabular}}{{{''.join(map(kind, part))}}}",
            r"\toprule",
            row(header),
            r"\midrule",
            *(row(line) for line in lines),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )
