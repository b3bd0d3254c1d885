"""Tests the paper's claims about its method on rows of the training sweeps and figures of trained weights.

Claims and rules are data (results/published/claims.toml). What nobody has measured yet is said so, with the command
that measures it. Claims about the whole system are `harness.analysis.comparison.claims`.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.contracts import reading
from harness.contracts.paths import weights_dir
from harness.contracts.toml import Strict, read_toml
from harness.runs import trained_rows as rows
from harness.runs.paths import PUBLISHED, TRAINED_ROWS
from harness.runs.trained_rows import Row

CLAIMS = PUBLISHED / "claims.toml"
FULL = "full"
HEADER = ("claim", "published", "ours", "holds?")
_SHARES = (
    "accuracy",
    "local_accuracy",
    "remote_accuracy",
    "validation_accuracy",
    "skewness",
    "violations",
    "share_sent",
)

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.GtE: operator.ge,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.Lt: operator.lt,
}


class Quantity(Strict):
    """Says where a number is: a row's column, the best of an axis, or a key of a scheme's summary.toml."""

    axis: str = ""
    value: str = ""
    column: str = ""
    pick: Literal["", "max", "argmax"] = ""
    scheme: str = ""
    key: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> Quantity:
        if bool(self.axis) == bool(self.scheme):
            raise ValueError("give either axis and column, or scheme and key")
        if self.axis and (self.column not in rows.COLUMNS or bool(self.value) == bool(self.pick)):
            raise ValueError("an axis needs a column of its rows, and either value or pick")
        return self

    def look_up(self, found: Mapping[str, Sequence[Row]], summaries: Mapping[str, Mapping[str, Any]]) -> float | None:
        """Return the number; None where it was not measured."""
        if self.scheme:
            at: Any = summaries.get(self.scheme, {})
            for part in self.key.split("."):
                at = at.get(part) if isinstance(at, Mapping) else None
            return float(at) if isinstance(at, (int, float)) else None
        own = [row for row in found.get(self.axis, ()) if row.get(self.column) is not None]
        if self.pick:
            best = max(own, key=lambda row: row[self.column], default=None)
            if best is None:
                return None
            return float(best["value"]) if self.pick == "argmax" else float(best[self.column])
        return next((float(row[self.column]) for row in own if row["value"] == self.value), None)

    def show(self, number: float) -> str:
        """Return it as people read it: shares in percent."""
        if self.pick == "argmax":
            return f"{number:g}"
        if self.scheme or self.column in _SHARES:
            return f"{100 * number:.1f} %"
        return f"{number:,.0f} B" if "_bytes" in self.column else f"{number:,.0f}"

    def called(self, name: str) -> str:
        """Return what people call it: its place on the axis where its name in the rule is only that, else the name."""
        if name.startswith("at_") and self.value:
            return f"at {self.axis} {self.value}:"
        return name.replace("_", " ")


class Claim(Strict):
    """Holds one claim and its rule."""

    name: str
    text: str
    where: str
    published: str
    rule: str = Field(max_length=200)
    command: str
    quantities: dict[str, Quantity]

    @model_validator(mode="after")
    def _rule_is_sound(self) -> Claim:
        holds(self.rule, dict.fromkeys(self.quantities, 1.0))
        return self


class Claims(Strict):
    """Holds the file."""

    claim: list[Claim] = Field(min_length=1)


@dataclass(frozen=True)
class Verdict:
    """Holds a claim with what was found. `holds` is None where something was not measured."""

    claim: Claim
    ours: str
    holds: bool | None

    @property
    def word(self) -> str:
        """Return yes, no or not measured."""
        return "not measured" if self.holds is None else "yes" if self.holds else "no"


def holds(rule: str, numbers: Mapping[str, float]) -> bool:
    """Evaluate a rule: comparisons joined by `and`, over + - * /, numbers and names. Nothing else is allowed.

    Raises:
        ValueError: anything else in it, or an unknown name.
    """
    try:
        tree = ast.parse(rule, mode="eval").body
    except SyntaxError as e:
        raise ValueError(f"rule '{rule}' can't be read") from e
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    return all([_compare(part, rule, numbers) for part in parts])  # every part is checked, also behind a false one


def _compare(node: ast.expr, rule: str, numbers: Mapping[str, float]) -> bool:
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or type(node.ops[0]) not in _COMPARISONS:
        raise ValueError(f"rule '{rule}' is no comparison")
    left, right = _number(node.left, rule, numbers), _number(node.comparators[0], rule, numbers)
    return _COMPARISONS[type(node.ops[0])](left, right)


def _number(node: ast.expr, rule: str, numbers: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in numbers:
        return numbers[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _ARITHMETIC[type(node.op)](_number(node.left, rule, numbers), _number(node.right, rule, numbers))
    raise ValueError(f"rule '{rule}' holds what is no number, known name or + - * /")


def judge(claim: Claim, found: Mapping[str, Sequence[Row]], summaries: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Return what was found for a claim, and whether it holds."""
    looked_up = {name: q.look_up(found, summaries) for name, q in claim.quantities.items()}
    numbers = {name: number for name, number in looked_up.items() if number is not None}
    ours = ", ".join(
        f"{claim.quantities[name].called(name)} {claim.quantities[name].show(n)}" for name, n in numbers.items()
    )
    if len(numbers) < len(looked_up):
        return Verdict(claim, ours, None)
    try:
        return Verdict(claim, ours, holds(claim.rule, numbers))
    except ZeroDivisionError:
        return Verdict(claim, ours, None)


def load_rows(folders: Sequence[Path], dataset: str, profile: str) -> dict[str, list[Row]]:
    """Return the rows of the training sweeps by axis; the first folder that has an axis gives it.

    Those of a folder's `full/`, trained for the shipped recipe's whole budget, are there as `full/<axis>`.

    Raises:
        BenchError: a file is damaged.
    """
    found: dict[str, list[Row]] = {}
    for folder in folders:
        for path in sorted([*folder.glob(f"*-{dataset}.csv"), *folder.glob(f"{FULL}/*-{dataset}.csv")]):
            axis = path.relative_to(folder).with_suffix("").as_posix().removesuffix(f"-{dataset}")
            own = [row for row in rows.read(path) if row["profile"] == profile]
            if own and axis not in found:
                found[axis] = own
    return found


def load_summaries(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the summary.toml of every scheme below `folder` (one data set and profile)."""
    found = {}
    for path in sorted(folder.glob("*/summary.toml")):
        found[path.parent.name] = reading.toml_of(path, "restore it, or train again")
    return found


def verdicts(
    dataset: str,
    profile: str,
    *,
    folders: Sequence[Path] = (TRAINED_ROWS,),
    weights: Path | None = None,
    claims: Path = CLAIMS,
) -> list[Verdict]:
    """Judge every claim of the file `claims` by the rows in `folders` and the trained schemes below `weights`.

    Raises:
        BenchError: a file is damaged or its rules are unsound.
    """
    found = load_rows(folders, dataset, profile)
    summaries = load_summaries(weights or weights_dir() / f"{dataset}-{profile}")
    return [judge(claim, found, summaries) for claim in read_toml(claims, Claims).claim]


def line(v: Verdict) -> list[str]:
    """Return a verdict under `HEADER`."""
    return [f"{v.claim.text} ({v.claim.where})", v.claim.published, v.ours or "–", v.word]
