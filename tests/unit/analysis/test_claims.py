"""Claims: rules are arithmetic alone, what is not measured is said, and the shipped file is sound."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.comparison import method
from harness.commands import claims as way_in
from harness.contracts.errors import BenchError
from harness.contracts.toml import read_toml
from harness.runs import trained_rows as rows
from harness.training.sweep import axes

CLAIM = method.Claim(
    name="order",
    text="free",
    where="Fig 9b",
    published="74.1 -> 73.5 %",
    rule="relaxed >= original - 0.01 and relaxed > 0",
    command="python -m harness.sweep ordering",
    quantities={
        "original": method.Quantity(axis="ordering", value="original", column="accuracy"),
        "relaxed": method.Quantity(axis="ordering", value="relaxed", column="accuracy"),
    },
)


def found(**accuracies: float) -> dict[str, list[rows.Row]]:
    return {"ordering": [{"value": name, "accuracy": value} for name, value in accuracies.items()]}


def test_a_claim_holds_or_not_or_is_not_measured() -> None:
    assert method.judge(CLAIM, found(original=0.741, relaxed=0.735), {}).word == "yes"
    worse = method.judge(CLAIM, found(original=0.741, relaxed=0.7), {})
    assert (worse.word, worse.ours) == ("no", "original 74.1 %, relaxed 70.0 %")
    half = method.judge(CLAIM, found(original=0.741), {})
    assert (half.word, half.ours) == ("not measured", "original 74.1 %")


def test_best_of_an_axis_and_figures_of_weights() -> None:
    measured = {"temperature": [{"value": "2", "accuracy": 0.7}, {"value": "6", "accuracy": 0.8}]}
    best = method.Quantity(axis="temperature", column="accuracy", pick="argmax")
    assert best.look_up(measured, {}) == 6.0
    assert method.Quantity(axis="temperature", column="accuracy", pick="max").look_up(measured, {}) == 0.8
    key = method.Quantity(scheme="agilenn", key="test_int8.combined")
    assert key.look_up({}, {"agilenn": {"test_int8": {"combined": 0.84}}}) == 0.84
    assert key.look_up({}, {"agilenn": {"test_int8": 3}}) is None


def test_a_place_on_the_axis_is_named_as_one() -> None:
    """`at_07` with 829 bytes was told as "at 07 829"."""
    quantity = method.Quantity(axis="rho", value="0.7", column="payload_bytes_mean")
    claim = CLAIM.model_copy(update={"rule": "at_07 > 0", "quantities": {"at_07": quantity}})
    rho: dict[str, list[rows.Row]] = {"rho": [{"value": "0.7", "payload_bytes_mean": 829.2}]}
    assert method.judge(claim, rho, {}).ours == "at rho 0.7: 829 B"


@pytest.mark.parametrize(
    "rule", ["a", "a > b", "__import__('os') > 1", "a > 1 or a < 0", "a ** 2 > 1", "a > 'x'", "1 <", ""]
)
def test_rules_are_nothing_but_comparisons_of_known_numbers(rule: str) -> None:
    with pytest.raises(ValueError, match="rule"):
        method.holds(rule, {"a": 1.0})


@given(st.text(max_size=30))
def test_any_text_is_a_rule_or_refused(rule: str) -> None:
    with contextlib.suppress(ValueError, ZeroDivisionError):
        assert method.holds(rule, {"a": 1.0}) in (True, False)


def test_shipped_claims_ask_for_what_the_sweeps_give() -> None:
    known = {*axes.AXES, "alpha", f"{method.FULL}/ablation"}
    for claim in read_toml(method.CLAIMS, method.Claims).claim:
        for quantity in claim.quantities.values():
            assert quantity.scheme or quantity.axis in known
            name = quantity.axis.removeprefix(f"{method.FULL}/")
            if quantity.value and name in axes.AXES:
                axis = axes.AXES[name]
                axis.setting(float(quantity.value) if axis.key else quantity.value)


def test_rows_of_full_trainings_are_an_axis_of_their_own(tmp_path: Path) -> None:
    plain = dict.fromkeys(rows.COLUMNS) | {"dataset": "cifar10", "profile": "compact", "axis": "ablation"}
    plain |= {"value": "x", "recipe_hash": "h"}
    (tmp_path / "full").mkdir()
    for name, epochs in (("ablation-cifar10.csv", 3), ("full/ablation-cifar10.csv", 12), ("ablation-svhn.csv", 1)):
        (tmp_path / name).write_text(rows.text([plain | {"epochs": epochs}]))
    found = method.load_rows([tmp_path], "cifar10", "compact")
    assert {axis: own[0]["epochs"] for axis, own in found.items()} == {"ablation": 3, "full/ablation": 12}


def test_table_says_what_was_not_measured_and_by_which_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert way_in.main(["--rows", str(tmp_path), "--weights", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "python -m harness.sweep ordering --dataset cifar10" in text
    assert (tmp_path / "out" / "claims-cifar10.csv").read_text().count("not measured") >= 15


def test_a_wrong_claims_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(
        '[[claim]]\nname="a"\ntext="b"\nwhere="c"\npublished="d"\nrule="x > 1"\ncommand="e"\n[claim.quantities]\n'
    )
    with pytest.raises(BenchError, match="known name") as error:
        way_in.main(["--claims", str(path)])
    assert "\n" not in str(error.value)
