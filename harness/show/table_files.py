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
    return text_files(store, f"tables/{name}", f"{caption.rstrip('.')}. {note}", header, lines)


def text_files(
    store: Store, path: str, caption: str, header: Sequence[str], lines: Sequence[Sequence[str]]
) -> list[Path]:
    """Write <path>.md and <path>.tex; the label has the folder's name, so that tables of several runs go together.

    A folder of tables alone (`tables`) is named after what it belongs to.
    """
    folder = store.folder.resolve()
    label = latex.label_of((folder.parent if folder.name == "tables" else folder).name, Path(path).name)
    return [
        store.write_text(f"{path}.md", f"{caption}\n\n" + tables.markdown(header, lines)),
        store.write_text(f"{path}.tex", latex.booktabs(header, lines, caption=latex.caption_of(caption), label=label)),
    ]
