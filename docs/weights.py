"""`python docs/weights.py`: write docs/weights.md, a card for each network in baselines/weights.

All values come from the folders' own files; tests/unit/show/test_generated_pages.py holds the page to them.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from harness.contracts.description import load_description, weights_hash  # noqa: E402

PAGE = ROOT / "docs" / "weights.md"
WEIGHTS = ROOT / "baselines" / "weights"
HEAD = """# Model cards of the shipped weights

Written by `python docs/weights.py` from the files beside the weights. Each folder of `baselines/weights` holds what a
device and an edge server need, and the recipe that trains it again ([training.md](training.md)).

- **What they are for:** measuring split inference. They are small networks on small pictures; nobody should decide
  anything about people or safety by them.
- **Data:** CIFAR-10 and CIFAR-100 (Krizhevsky, 2009), 50,000 training pictures of which 5,000 chose the settings, and
  10,000 test pictures that were looked at once. Both sets have near-duplicates between training and test pictures
  (Barz and Denzler, 2020), so accuracies are somewhat flattering. No pictures are in the files.
- **Accuracy** is that of int8 on the device and floating point on the server, of one training each: two trainings that
  differ by less than a point say nothing.
- **Licence:** Apache-2.0, as the code.
"""
SHOWN = {"local": "local half alone", "remote": "remote half alone", "exited": "exit early", "combined": "as deployed"}


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page's text."""
    folders = sorted(path.parent for path in WEIGHTS.glob("*/*/description.toml"))
    return HEAD + "".join(_card(folder) for folder in folders)


def _card(folder: Path) -> str:
    d = load_description(folder)
    summary = _toml(folder / "summary.toml")
    size = sum(path.stat().st_size for path in folder.iterdir() if path.name in ("device.tflite", "server.npz"))
    lines = [
        f"\n## {folder.parent.name}/{folder.name}\n",
        "| | |",
        "|---|---|",
        f"| weights | {weights_hash(folder)[:16]}…, {size / 1e3:,.0f} kB of its own |",
        f"| input, classes | {'x'.join(map(str, d.input_shape))}, {d.classes} |",
        f"| sent | {_sent(d)} |",
    ]
    if d.server_of:
        lines.append(f"| server network | that of {d.server_of} |")
    for split in ("validation", "test"):
        if found := summary.get(f"{split}_int8"):
            shares = ", ".join(f"{SHOWN[name]} {100 * share:.1f} %" for name, share in found.items())
            lines.append(f"| {split}, {summary[f'{split}_n']:,} pictures | {shares} |")
    if told := _training(summary):
        lines.append(f"| training | {told} |")
    versions = summary.get("versions", {})
    made = ", ".join(f"{name} {versions[name]}" for name in ("tensorflow", "keras", "numpy") if name in versions)
    lines.append(f"| made with | {made} |")
    return "\n".join(lines) + "\n"


def _training(summary: dict[str, Any]) -> str:
    """Return what it cost: processor time and operations, as wall time on a shared machine tells little."""
    training, machine = summary.get("training", {}), summary.get("versions", {}).get("machine")
    if (cpu_s := training.get("cpu_s")) is not None:
        return f"{cpu_s / 60:.0f} minutes of processor time and {training['flop']:.2g} FLOP, on {machine}"
    wall_s = training.get("wall_s")
    return "" if wall_s is None else f"{wall_s / 60:.0f} minutes on {machine}"


def _sent(d: Any) -> str:
    if d.offload == "none":
        return "nothing"
    what = "the picture" if d.offload == "image" else f"{d.channels} channels in {d.n_symbols} levels"
    exits = f"; not where the device is at least {100 * d.exit_threshold:.0f} % sure" if d.exit_threshold <= 1 else ""
    return f"{what}, coded by `{d.codec}`{exits}"


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


if __name__ == "__main__":
    main()
