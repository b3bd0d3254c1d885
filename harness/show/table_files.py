"""Writes a table for people in the two forms that papers and pages are written in: Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.runs.store import Store
from harness.show import latex, tables


def write(
    store: Store, name: str, *, caption: str, note: str, header: Sequence[str], lines: Sequence[Sequence[str]]
) -> list[Path]:
    """Write tables/<name>.md and tables/<name>.tex; `note` says what the values are, and goes wherever they go."""
    text = f"{caption}. {note}"
    return [
        store.write_text(f"tables/{name}.md", f"{text}\n\n" + tables.markdown(header, lines)),
        store.write_text(
            f"tables/{name}.tex", latex.booktabs(header, lines, caption=text, label=f"tab:{name.replace('_', '-')}")
        ),
    ]
