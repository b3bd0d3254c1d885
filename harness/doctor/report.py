"""Holds what the doctor found: one line a check, as a table for people and as JSON for the store of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rich import box
from rich.markup import escape
from rich.table import Table

from harness.contracts.errors import BenchError
from harness.runs.store import now_text

Status = Literal["pass", "warn", "fail", "skip"]
REPORT_VERSION = 1
_STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


@dataclass(frozen=True)
class Finding:
    """Holds one check. `values` have their units in their names; what could not be measured is not among them."""

    check: str
    status: Status
    said: str
    cure: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """Holds all checks of one testbed at one time."""

    testbed: str
    findings: tuple[Finding, ...]
    made_at: str = field(default_factory=now_text)

    @property
    def counts(self) -> dict[str, int]:
        """Count those that passed, warned, failed, were skipped."""
        found: Counter[str] = Counter(f.status for f in self.findings)
        return {status: found[status] for status in _STYLES}

    @property
    def failed(self) -> bool:
        """Say whether any check failed."""
        return any(f.status == "fail" for f in self.findings)

    def text(self) -> str:
        """Return the report as JSON."""
        said = {"report_version": REPORT_VERSION, "testbed": self.testbed, "made_at": self.made_at}
        return (
            json.dumps(said | {"counts": self.counts, "findings": [asdict(f) for f in self.findings]}, indent=2) + "\n"
        )

    def facts(self, file: str, sha256: str) -> dict[str, Any]:
        """Return what a run's manifest says of it."""
        failed = [f.check for f in self.findings if f.status in ("fail", "warn")]
        return {"file": file, "sha256": sha256, "counts": self.counts, "not_passed": failed}

    def table(self) -> Table:
        """Return the table for the screen."""
        title = f"{self.testbed}: " + ", ".join(f"{n} {status}" for status, n in self.counts.items() if n)
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("check", no_wrap=True)
        table.add_column("", no_wrap=True)
        table.add_column("what was found, and the cure", overflow="fold")
        for f in self.findings:
            style = _STYLES[f.status]
            cure = f"\ncure: {escape(f.cure)}" if f.cure else ""
            table.add_row(f.check, f"[{style}]{f.status}[/{style}]", escape(f.said) + cure)
        return table


def guarded(check: str, body: Callable[[], Sequence[Finding]]) -> list[Finding]:
    """Return what `body` finds; an error that ends it is a failed check with the error's cure, and the others go on."""
    try:
        return list(body())
    except BenchError as e:
        return [Finding(check, "fail", e.what, e.cure)]
