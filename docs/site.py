"""`python docs/site.py [--serve]`: build the pages into a site in build/site; a link that leads nowhere fails it.

MkDocs wants all pages in one folder. They are copied there as they lie in the tree, so that their links hold.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
PAGES = BUILD / "pages"
ENDS = (".md", ".png", ".svg")
SHOWN = ("docs", "results/reference", "results/published")
_FENCE = re.compile(r"^(```\w+) .+$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def main() -> int:
    """Copy and build. Return MkDocs' exit code."""
    collect()
    word = "serve" if "--serve" in sys.argv[1:] else "build"
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", word, "--strict", "-f", str(ROOT / "mkdocs.yml")], check=False
    ).returncode


def collect() -> None:
    """Copy every page and picture. A link to code or data, which is no page, becomes its text."""
    shutil.rmtree(PAGES, ignore_errors=True)
    files = [p for p in ROOT.glob("*.md")]
    files += [p for folder in SHOWN for p in sorted((ROOT / folder).rglob("*")) if p.suffix in ENDS]
    shown = {p.resolve() for p in files}
    for path in files:
        there = PAGES / path.relative_to(ROOT)
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            there.write_text(_linked(path, shown), encoding="utf-8")
        else:
            shutil.copyfile(path, there)


def _linked(path: Path, shown: set[Path]) -> str:
    def judged(found: re.Match[str]) -> str:
        target = (path.parent / found[2]).resolve()
        if target in shown or not target.exists():
            return found[0]  # of what is not there, MkDocs tells
        if target / "README.md" in shown:
            return f"[{found[1]}]({found[2].rstrip('/')}/README.md{found[3] or ''})"
        return found[1]

    # Python's Markdown takes a fence with one word behind it; more would leave it open.
    return _LINK.sub(judged, _FENCE.sub(r"\1", path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    sys.exit(main())
