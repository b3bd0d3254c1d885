"""LaTeX tables: every character prints as it is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.show import latex

LINES = [["AgileNN_2 & more", "12.3 [12.1, 12.6]", "50 % #1"], ["[odd]", "–", "$5 {x}~^\\"]]


def test_a_table_has_booktabs_rules_and_every_cell() -> None:
    text = latex.booktabs(["scheme", "6 Mbit/s", "share"], LINES, caption="Latency in ms & more", label="tab:x")
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{lrr}", r"\label{tab:x}"):
        assert rule in text
    assert r"AgileNN\_2 \& more & 12.3 [12.1, 12.6] & 50 \% \#1 \\" in text
    assert r"{}[odd] & -- & \$5 \{x\}\textasciitilde{}\textasciicircum{}\textbackslash{} \\" in text
    assert r"\caption{Latency in ms \& more}" in text


@given(st.text(max_size=40))
def test_no_character_is_left_that_latex_would_act_on(text: str) -> None:
    left = latex.escaped(text)
    for sequence in (*latex._ESCAPED.values(), "$\\pm$"):
        left = left.replace(sequence, "")
    assert not set(left) & set("\\&%$#_{}~^\n")


def test_a_typesetter_takes_it(tmp_path: Path) -> None:
    program = next((p for p in ("tectonic", "pdflatex") if shutil.which(p)), None)
    if program is None:
        pytest.skip("no LaTeX here")
    table = latex.booktabs(["scheme", "6 Mbit/s", "share"], LINES, caption="50 % & more", label="tab:x")
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}" + table + "\\end{document}"
    )
    words = [program, "t.tex"] if program == "tectonic" else [program, "-interaction=nonstopmode", "t.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
