"""Holds what came of a fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.contracts.errors import BenchError
from harness.faults.scene import Scene


@dataclass(frozen=True)
class Outcome:
    """Holds what came of a fault. `wrong`: samples that say ok and are not; it has to be 0."""

    fault: str
    put_in: str
    ok: int
    failed: int
    wrong: int
    ended: str  # how: in a person's words
    told: str = ""  # the line that a user reads
    seconds: float = 0.0
    again: int = 0  # samples that were lost and taken again

    @property
    def good(self) -> bool:
        """Say whether the run recovered, or clearly failed, without a wrong number."""
        return self.wrong == 0 and bool(self.ended)


def outcome_of(
    fault: str, put_in: str, scene: Scene, rows: Sequence[dict[str, Any]], end: BenchError | None
) -> Outcome:
    """Judge the rows of a scene, and the error that ended its run."""
    failed = [r for r in rows if r["status"] != "ok"]
    ok = len(rows) - len(failed)
    if end is not None:
        ended, told = "the run ends with one line; finished samples are kept", str(end)
    elif rows and rows[-1]["status"] == "ok" and failed:
        ended, told = "failed samples are kept as failed, the board comes back by itself", str(failed[0]["error"])
    elif rows and not failed and scene.lost:
        ended, told = "what was lost is taken again, and the board comes back by itself", scene.lost[0]
    elif rows and not failed:
        ended, told = "no sample was lost", ""
    else:
        ended, told = "", str(rows[-1]["error"]) if rows else "nothing was measured"
    again = sum(row["status"] == "ok" and row["attempts"] > 1 for row in rows)
    return Outcome(fault, put_in, ok, len(failed), scene.wrong(rows), ended, told, again=again)
