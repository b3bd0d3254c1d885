"""`python docs/artifact.py`: write ARTIFACT.md, whose expected values are those of results/reference.

tests/unit/show/test_generated_pages.py holds the page to them.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from harness.analysis.cells import Cell, accuracies_of  # noqa: E402
from harness.analysis.comparison.method import CLAIMS, verdicts  # noqa: E402
from harness.analysis.datum import read_run  # noqa: E402
from harness.runs.paths import REFERENCE, TRAINED_ROWS  # noqa: E402
from harness.runs.store import Store  # noqa: E402
from harness.show import tables  # noqa: E402

PAGE = ROOT / "ARTIFACT.md"
RUNS = REFERENCE / "runs"
RATE_BPS = 2e6
ORDER = (
    "agilenn", "agilenn_r", "local_only", "full_offload", "full_offload_jpeg", "hierarchical", "deepcod", "partition",
)  # fmt: skip
HEAD = """# Artefact: what is claimed, and how to see it for yourself

Written by `python docs/artifact.py` from `results/reference`, whose runs were made on {began} on two cores of a shared
machine. [README.md](README.md) says what to install, [docs/method.md](docs/method.md) what is compared and
[docs/findings.md](docs/findings.md) what was found. No board is needed, and nothing is trained.

- **Latencies are modelled, so they do not depend on your machine.** They are means over the whole test set; the
  tolerance is the last digit's. The model itself is good for +-5 % (generated network code) and +-15 % (other code).
- **Accuracies** are over all test pictures of the shipped weights; the tolerance is for other rounding of the server's
  floating-point numbers.
- **Minutes** are those of the run named, without downloads and without building; `–` where nobody has taken the time.

"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page's text."""
    began = Store.reopen(RUNS / "cifar10-bandwidth").facts().began_at
    rows = [row for dataset in ("cifar10", "cifar100") for row in (*_bandwidth(dataset), *_frequency(dataset))]
    rows += [_claims(dataset) for dataset in ("cifar10", "cifar100")]
    head = ["claim", "command", "expected", "tolerance", "minutes"]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return HEAD.format(began=began[:10]) + "\n".join(lines) + "\n"


def _bandwidth(dataset: str) -> list[list[str]]:
    folder = RUNS / f"{dataset}-bandwidth"
    cells: dict[str, Cell] = {c.scheme: c for c in read_run(folder).cells if c.value == RATE_BPS}
    facts = Store.reopen(folder).facts()
    accuracies = accuracies_of(facts)
    command, minutes = f"`python -m harness.sweep bandwidth --dataset {dataset} --energy`", _minutes(folder)
    rows = []
    for scheme in (s for s in ORDER if s in cells):
        cell, right = cells[scheme], tables.accuracy_text(accuracies.get(scheme)).partition(" (")[0]
        latency = tables.latency_text(cell.latency).partition(" ")[0]
        title = f"{facts.schemes[scheme].title}, {dataset}"
        how = "mean with exits" if cell.mixed else "mean"
        rows.append([f"{title}: latency at 2 Mbit/s ({how})", command, f"{latency} ms", "0.1 ms", minutes])
        accuracy = f"`python -m harness.accuracy baselines/weights/{dataset}-compact/{scheme}`"
        rows.append([f"{title}: accuracy", accuracy, right, "0.1 points", "–"])
        if scheme != "local_only":
            payload = tables.bytes_text(cell).partition(" /")[0]
            rows.append([f"{title}: payload of what is sent", command, f"{payload} B", "0", minutes])
    return rows


def _frequency(dataset: str) -> list[list[str]]:
    folder = RUNS / f"{dataset}-frequency"
    cells = [c for c in read_run(folder).cells if c.scheme == "local_only"]
    slow, fast = min(cells, key=lambda c: c.value), max(cells, key=lambda c: c.value)
    spread = slow.value * _latency(slow) / (fast.value * _latency(fast))
    claim = f"Local only, {dataset}: latency times clock, {slow.value / 1e6:g} MHz against {fast.value / 1e6:g} MHz"
    command = f"`python -m harness.sweep frequency --dataset {dataset} --energy`"
    return [[claim, command, f"{spread:.3f}", "0.005", _minutes(folder)]]


def _latency(cell: Cell) -> float:
    if cell.latency is None:
        raise ValueError(f"{cell.scheme} has no latency in the reference run")
    return cell.latency.middle


def _claims(dataset: str) -> list[str]:
    judged = verdicts(dataset, "compact", folders=[TRAINED_ROWS], weights=None, claims=CLAIMS)
    held, told = sum(v.holds is True for v in judged), sum(v.holds is not None for v in judged)
    command = f"`python -m harness.claims --dataset {dataset}`"
    return [f"The paper's claims about its method that hold, {dataset}", command, f"{held} of {told}", "0", "–"]


def _minutes(folder: Path) -> str:
    facts = Store.reopen(folder).facts()
    if not facts.ended_at:
        return "–"
    took = datetime.fromisoformat(facts.ended_at) - datetime.fromisoformat(facts.began_at)
    return f"{took.total_seconds() / 60:.0f}"


if __name__ == "__main__":
    main()
