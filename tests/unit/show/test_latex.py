"""LaTeX tables: every character prints as it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.store import Store
from harness.show import latex, table_files

LINES = [["AgileNN_2 & more", "12.3 [12.1, 12.6]", "50 % #1"], ["[odd]", "–", "$5 {x}~^\\"]]


def test_a_table_has_booktabs_rules_and_every_cell() -> None:
    text = latex.booktabs(["scheme", "6 Mbit/s", "share"], LINES, caption="Latency in ms & more", label="tab:x")
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{lrr}", r"\label{tab:x}"):
        assert rule in text
    assert r"AgileNN\_2 \& more & 12.3 [12.1, 12.6] & 50 \% \#1 \tabularnewline" in text
    assert r"{}[odd] & -- & \$5 \{x\}\textasciitilde{}\textasciicircum{}\textbackslash{} \tabularnewline" in text
    assert r"\caption{Latency in ms \& more}" in text


def set_width_pt(tabular: str) -> float:
    """The width that TeX gives a tabular of \\footnotesize, measured with Computer Modern's own widths."""
    from matplotlib import get_data_path  # noqa: PLC0415
    from matplotlib.ft2font import FT2Font  # noqa: PLC0415

    font = FT2Font(str(Path(get_data_path()) / "fonts" / "ttf" / "cmr10.ttf"))
    font.set_size(8, 72)

    def of(text: str) -> float:
        for code, character in latex._ESCAPED.items():
            text = text.replace(character, code)
        font.set_text(text.replace("{}", "").replace("±", "+").replace("–", "--").replace("µ", "m").replace("→", "--"))
        return font.get_width_height()[0] / 64 * 1.0625  # cmr8 is that much wider than cmr10 set smaller

    columns = re.search(r"\\begin\{tabular\}\{(.*)\}", tabular)
    assert columns
    kinds = re.findall(r"[lr]|p\{\d+pt\}", columns[1])
    end = r" \tabularnewline"
    lines = [
        line.removesuffix(end).replace(r"\raggedright ", "") for line in tabular.splitlines() if line.endswith(end)
    ]
    rows = [line.split(" & ") for line in lines]
    widths = [float(kind[2:-3]) if kind[0] == "p" else max(of(row[i]) for row in rows) for i, kind in enumerate(kinds)]
    for i, kind in enumerate(kinds):
        if kind[0] == "p":
            assert max(of(word) for row in rows for word in row[i].split() or [""]) <= widths[i] + 1
    return sum(widths) + 6 * len(kinds)


RATES = ["270 kbit/s", "1 Mbit/s", "2 Mbit/s", "6 Mbit/s", "20 Mbit/s"]
WIDE = ["scheme", *RATES, "accuracy (test set)", "payload / wire B"]
WIDE_LINES = [
    [name, *["123.4 [122.1, 124.6]"] * len(RATES), "87.4 % (n 10,000)", "1,608 / 2,278 where sent"]
    for name in ("Full offloading, lossless", "Partition (SPINN), mean with exits", "AgileNN")
]
CLAIM_LINES = [
    ["AgileNN is at least 2x as fast as every other scheme at 6 Mbit/s", "Fig 16", "2.0-12.9x",
     "Full offloading 1.48x, DeepCOD 0.75x, Local only 3.14x, Hierarchical 0.88x", "does not hold"],
    ["The relaxed disorder loss costs hardly any accuracy", "section 4.1, Fig 9b", "74.1 % -> 73.5 % (CIFAR-100)",
     "87.4 % -> 87.1 %", "holds"],
]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "lines"),
    [(WIDE, WIDE_LINES), (["claim", "where", "published", "ours", "verdict"], CLAIM_LINES), (["a", "b"], [["1", "2"]])],
)
def test_every_part_fits_a_column_and_no_cell_is_lost(header: list[str], lines: list[list[str]]) -> None:
    text = latex.booktabs(header, lines)
    parts = re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", text, re.DOTALL)
    over_both = header[0] == "claim"  # in one column its text would be towers of words
    assert (r"\begin{table*}" in text) == (r"\end{table*}" in text) == over_both
    assert all(set_width_pt(part) <= (latex.BOTH_PT if over_both else latex.COLUMN_PT) for part in parts)
    for line in [header, *lines]:
        for cell in line:
            assert latex.escaped(cell) in text
    assert (len(parts) > 1) == (header is WIDE)
    assert all(latex.escaped(lines[0][0]) in part for part in parts)  # whose line it is stands in each


def test_a_caption_has_no_path_no_ascii_sign_and_no_sentence_twice() -> None:
    caption = latex.caption_of(
        "Latency in ms. Times modelled on the board (cycle model: +-5 % for network code, +-15 % for other code "
        "(docs/board.md)). Means over pictures. Means over pictures."
    )
    assert caption == (
        "Latency in ms. Times modelled on the board (cycle model: ±5 % for network code, ±15 % for other code). "
        "Means over pictures."
    )


def test_labels_of_two_runs_differ(tmp_path: Path) -> None:
    found = set()
    for run in ("20260101-bandwidth", "cifar100_bandwidth"):
        store = Store.create(tmp_path / run)
        told = table_files.write(store, "best_split", caption="A.", note="B.", header=["a"], lines=[["1"]])
        found.add(re.search(r"\\label\{(.*)\}", told[1].read_text())[1])  # type: ignore[index]
    assert found == {"tab:20260101-bandwidth-best-split", "tab:cifar100-bandwidth-best-split"}


@given(st.text(max_size=40))
def test_no_character_is_left_that_latex_would_act_on(text: str) -> None:
    left = latex.escaped(text)
    for sequence in (*latex._ESCAPED.values(), "$\\pm$"):
        left = left.replace(sequence, "")
    assert not set(left) & set("\\&%$#_{}~^\n")


@pytest.mark.parametrize("table", ["plain", "wide", "claims"])
def test_a_typesetter_takes_it_and_finds_nothing_too_wide(table: str, tmp_path: Path) -> None:
    program = next((p for p in ("tectonic", "pdflatex") if shutil.which(p)), None)
    if program is None:
        pytest.skip("no LaTeX here")
    header, lines = {
        "plain": (["scheme", "6 Mbit/s", "share"], LINES),
        "wide": (WIDE, WIDE_LINES),
        "claims": (["claim", "where", "published", "ours", "verdict"], CLAIM_LINES),
    }[table]
    text = latex.booktabs(header, lines, caption="50 % & more", label="tab:x")
    paper = r"\documentclass[twocolumn]{article}\usepackage{booktabs}\usepackage{textcomp}"
    size = rf"\setlength{{\textwidth}}{{{latex.BOTH_PT:g}pt}}\setlength{{\columnsep}}{{20pt}}"
    (tmp_path / "t.tex").write_text(rf"{paper}{size}\begin{{document}}{text}\end{{document}}")
    words = [program, "t.tex"] if program == "tectonic" else [program, "-interaction=nonstopmode", "t.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout
