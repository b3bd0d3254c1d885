"""Tests the paper's claims about its method on rows of the training sweeps and figures of trained weights.

Claims and rules are data (results/published/claims.toml). What nobody has measured yet is said so, with the command
that measures it. Claims about the whole system are `harness.analysis.comparison.claims`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.analysis import shaping
from harness.analysis.comparison import equal_bytes, looked, rules
from harness.analysis.comparison.basis import Basis
from harness.analysis.comparison.looked import Looked
from harness.analysis.material import FULL
from harness.contracts import reading
from harness.contracts.paths import weights_dir
from harness.contracts.toml import Strict, read_toml
from harness.runs import trained_rows as rows
from harness.runs.paths import PUBLISHED, TRAINED_ROWS
from harness.runs.trained_rows import Row

CLAIMS = PUBLISHED / "claims.toml"
HEADER = ("claim", "published", "ours", "holds?", "stands on")
Word = Literal["yes", "no", "undecided", "not compared", "not measured"]
_SHARES = (
    "accuracy",
    "local_accuracy",
    "remote_accuracy",
    "validation_accuracy",
    "skewness",
    "violations",
    "share_sent",
)


class Quantity(Strict):
    """Says where a number is: a row's column, the best of an axis, or a key of a scheme's summary.toml.

    With `over` it is what the curve `value` gains over the curve `over` at equal bytes (`at` names their column), each
    of them trained with the `centroids`.
    """

    axis: str = ""
    value: str = ""
    column: str = ""
    pick: Literal["", "max", "argmax"] = ""
    scheme: str = ""
    key: str = ""
    over: str = ""
    at: Literal["", "bytes_lzw", "bytes_context"] = ""
    centroids: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _one_place(self) -> Quantity:
        if bool(self.axis) == bool(self.scheme):
            raise ValueError("give either axis and column, or scheme and key")
        if self.axis and (self.column not in rows.COLUMNS or bool(self.value) == bool(self.pick)):
            raise ValueError("an axis needs a column of its rows, and either value or pick")
        if self.over and (not self.value or not self.at or len(self.centroids) < 2 or self.column != "accuracy"):
            raise ValueError("over needs value (both are curves), column = accuracy, at, and two centroids or more")
        return self

    def look_up(
        self, found: Mapping[str, Sequence[Row]], summaries: Mapping[str, Mapping[str, Any]], *, keeping: bool = False
    ) -> Looked:
        """Return the number with the rows behind it; none where it was not measured.

        Args:
            keeping: rows that miss their own constraint are left out of a pick, and told.
        """
        if self.scheme:
            return looked.of_summary(summaries.get(self.scheme, {}), self.key)
        if self.over:
            rows_ = found.get(self.axis, ())
            return equal_bytes.over_curve(rows_, self.value, self.over, self.at, self.centroids)
        return looked.of_rows(found.get(self.axis, ()), self.value, self.column, self.pick, keeping=keeping)

    def show(self, number: float) -> str:
        """Return it as people read it: shares in percent."""
        if self.over:
            return f"{100 * number:+.2f} points"
        if self.pick == "argmax":
            return f"{number:g}"
        if self.scheme or self.column in _SHARES:
            return f"{100 * number:.1f} %"
        return f"{number:,.0f} B" if "_bytes" in self.column else f"{number:,.0f}"

    @property
    def place(self) -> str:
        """Return where it would stand, for who looks for it."""
        return f"{self.axis} {self.value or self.pick}" if self.axis else f"{self.scheme} {self.key}"

    def called(self, name: str) -> str:
        """Return what people call it: its place on the axis where its name in the rule is only that, else the name."""
        if self.over:
            codec = shaping.CODECS[self.at]
            return f"{self.value} over {self.over} by {codec}:"
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
    equal: Literal["", "bytes", "skewness"] = ""  # what the rows must have alike for the claim to be judged
    quantities: dict[str, Quantity]

    @model_validator(mode="after")
    def _rule_is_sound(self) -> Claim:
        rules.holds(self.rule, dict.fromkeys(self.quantities, 1.0))
        return self


class Claims(Strict):
    """Holds the file."""

    claim: list[Claim] = Field(min_length=1)


@dataclass(frozen=True)
class Verdict:
    """Holds a claim with what was found, whether it holds, and what that stands on."""

    claim: Claim
    ours: str
    word: Word
    basis: Basis = field(default_factory=Basis)

    @property
    def holds(self) -> bool | None:
        """Say whether it holds; None where that was not measured, not compared, or is undecided."""
        return {"yes": True, "no": False}.get(self.word)


def judge(claim: Claim, found: Mapping[str, Sequence[Row]], summaries: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Return what was found for a claim, and whether it holds."""
    keeping = claim.equal == "skewness"
    numbers = {n: q.look_up(found, summaries, keeping=keeping) for n, q in claim.quantities.items()}
    known = {name: one for name, one in numbers.items() if one.value is not None}
    asked = claim.quantities
    ours = ", ".join(f"{asked[n].called(n)} {asked[n].show(one.value or 0.0)}" for n, one in known.items())
    basis = looked.basis(list(known.values()), claim.equal)
    if apart := [one.apart for one in numbers.values() if one.apart]:
        return Verdict(claim, f"{ours}{'; ' if ours else ''}{'; '.join(apart)}", "not compared", basis)
    if missing := [numbers[name].lacks or asked[name].place for name in numbers if name not in known]:
        return Verdict(claim, f"{ours}{'; ' if ours else ''}missing: {', '.join(missing)}", "not measured", basis)
    if reasons := looked.unequal(list(known.values()), claim.equal):
        return Verdict(claim, f"{ours}; {'; '.join(reasons)}", "not compared", basis)
    try:
        decided = _decided(claim.rule, known)
    except ZeroDivisionError:
        return Verdict(claim, ours, "not measured", basis)
    return Verdict(claim, ours, {True: "yes", False: "no", None: "undecided"}[decided], basis)  # type: ignore[arg-type]


def _decided(rule: str, known: Mapping[str, Looked]) -> bool | None:
    """Evaluate a rule; where a name is the best place of an axis, for each place that chance leaves as the best."""
    errors = {name: (one.identity, one.error) for name, one in known.items() if one.error}
    plain = {name: one.value or 0.0 for name, one in known.items()}
    choices = [(name, one.candidates) for name, one in known.items() if one.candidates]
    if not choices:
        return rules.decided(rule, plain, errors)
    name, places = choices[0]
    told = {rules.decided(rule, plain | {name: place}, errors) for place in places}
    return told.pop() if len(told) == 1 else None


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
    basis = v.basis.text if v.word != "not measured" else "–"
    return [f"{v.claim.text} ({v.claim.where})", v.claim.published, v.ours or "–", v.word, basis]
