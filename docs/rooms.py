"""Draws docs/images/rooms.svg: the rooms of harness/ and the imports between them, measured from the code.

    python docs/rooms.py          writes the picture
    python docs/rooms.py --list   prints every arrow with the number of imports behind it

`ORDER` is the one direction in which imports run, from the ground up; tests/unit/test_rooms.py holds the code to it.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "rooms.svg"
PACKAGES = ("harness", "testbeds", "baselines")
ORDER = (
    "contracts", "host", "runs", "cluster", "broker", "link", "power", "artefacts", "device", "edge", "lab", "measure",
    "doctor", "analysis", "training", "show", "sweep", "report", "faults", "hil", "mlperf", "bench", "paper",
    "commands",
)  # fmt: skip

WIDTH, FLOOR, ROOM, GAP, MARGIN = 960, 74, 44, 14, 16


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Return every module of the three packages with its file."""
    found = {}
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            name = ".".join(file.relative_to(root).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = file
    return found


def imports(known: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Yield (module, module that it imports), among those known; `from package import module` counts as the module."""
    for name, file in known.items():
        here = name if file.name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((name, a.name) for a in node.names if a.name in known)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    above = here.split(".")[: len(here.split(".")) - node.level + 1]
                    base = ".".join([*above, *([base] if base else [])])
                for a in node.names:
                    full = f"{base}.{a.name}"
                    if full in known or base in known:
                        yield name, full if full in known else base


def room(module: str) -> str:
    """Return the room of a module of harness/: `harness.runs.store` -> `runs`."""
    return module.split(".")[1] if "." in module else ""


def arrows(known: Mapping[str, Path]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Return (room, room below it) with the imports behind each; the two lines of a room's `__main__` do not count."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for a, b in sorted(set(imports(known))):
        inside = a.startswith("harness.") and b.startswith("harness.") and not a.endswith("__main__")
        if inside and room(a) != room(b):
            found[room(a), room(b)].append((a, b))
    return dict(found)


def floors(found: Mapping[tuple[str, str], object]) -> dict[str, int]:
    """Return each room's floor: one above the highest room that it imports from."""
    floor: dict[str, int] = {}
    for name in ORDER:
        floor[name] = 1 + max((floor[b] for a, b in found if a == name and b in floor), default=-1)
    return floor


def needed(found: Mapping[tuple[str, str], object]) -> list[tuple[str, str]]:
    """Return the arrows that no longer way of arrows implies, which is what the picture shows."""
    below: dict[str, set[str]] = {name: {b for a, b in found if a == name} for name in ORDER}
    reach: dict[str, set[str]] = {}
    for name in ORDER:
        reach[name] = set().union(*({b} | reach.get(b, set()) for b in below[name])) if below[name] else set()
    return [(a, b) for a in ORDER for b in sorted(below[a]) if not any(b in reach[c] for c in below[a] if c != b)]


def purpose(name: str) -> str:
    """Return the first line of a room's docstring."""
    said = ast.get_docstring(ast.parse((ROOT / "harness" / name / "__init__.py").read_text(encoding="utf-8"))) or ""
    return said.splitlines()[0] if said else ""


def draw(known: Mapping[str, Path]) -> str:
    """Return the picture as SVG: a row a floor, the ways in on top, contracts at the bottom."""
    found = arrows(known)
    floor = floors(found)
    top = max(floor.values())
    height = (top + 1) * FLOOR + 2 * MARGIN
    place: dict[str, tuple[float, float]] = {}
    width: dict[str, float] = {}
    for level in range(top + 1):
        names = [n for n in ORDER if floor[n] == level]
        wide = min(190.0, (WIDTH - 2 * MARGIN - GAP * (len(names) - 1)) / len(names))
        left = (WIDTH - wide * len(names) - GAP * (len(names) - 1)) / 2
        for i, name in enumerate(names):
            place[name] = (left + i * (wide + GAP), MARGIN + (top - level) * FLOOR)
            width[name] = wide
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" role="img">',
        "<title>The rooms of harness/ and the direction of its imports</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for a, b in needed(found):
        (ax, ay), (bx, by) = place[a], place[b]
        lines.append(
            f'<line x1="{ax + width[a] / 2:.0f}" y1="{ay + ROOM:.0f}" x2="{bx + width[b] / 2:.0f}" y2="{by:.0f}" '
            f'stroke="#8899aa" stroke-width="1.2"/>'
        )
    for name, (x, y) in place.items():
        count = sum(1 for m in known if m.startswith(f"harness.{name}."))
        lines += [
            f"<g><title>{escape(purpose(name))}</title>",
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{width[name]:.0f}" height="{ROOM}" rx="5" fill="#eef3f8" '
            'stroke="#446688"/>',
            f'<text x="{x + width[name] / 2:.0f}" y="{y + 19:.0f}" font-size="14" text-anchor="middle">{name}/</text>',
            f'<text x="{x + width[name] / 2:.0f}" y="{y + 35:.0f}" font-size="10.5" fill="#555555" '
            f'text-anchor="middle">{count} files</text></g>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def main(argv: list[str]) -> int:
    """Write the picture, or list the arrows."""
    known = modules()
    if "--list" in argv:
        for (a, b), behind in sorted(arrows(known).items()):
            sys.stdout.write(f"{a} -> {b}: {len(behind)}\n")
        return 0
    PICTURE.write_text(draw(known), encoding="utf-8")
    sys.stdout.write(f"{PICTURE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
