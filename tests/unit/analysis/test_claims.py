"""Claims: rules are arithmetic alone, what is not measured is said, and the shipped file is sound."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.cells import Accuracy
from harness.analysis.comparison import basis, looked, method, rules
from harness.commands import claims as way_in
from harness.contracts.errors import BenchError
from harness.contracts.toml import read_toml
from harness.runs import answers
from harness.runs import trained_rows as rows
from harness.training.sweep import axes

REPOSITORY = Path(__file__).parents[3]
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
    assert (half.word, half.ours) == ("not measured", "original 74.1 %; missing: ordering relaxed")


def row(value: str, accuracy: float, **more: object) -> rows.Row:
    return {"axis": "ordering", "value": value, "accuracy": accuracy, "n_test": 10_000, "seed": 0, **more}


def test_a_difference_under_two_standard_errors_is_undecided() -> None:
    def word(*accuracies: float) -> str:
        both = [row("original", 0.741), *(row("relaxed", a, seed=i) for i, a in enumerate(accuracies))]
        return method.judge(CLAIM, {"ordering": both}, {}).word

    error = 0.00438 * 2**0.5  # of a difference of two shares of 10,000
    assert word(0.731 + 2.1 * error) == "yes"
    assert word(0.731 + 1.9 * error) == "undecided"
    assert word(0.731 - 1.9 * error) == "undecided"
    assert word(0.731 - 2.1 * error) == "no"
    assert word(0.73, 0.77, 0.80) == "undecided"  # the seeds' own spread counts, where it is known


def test_names_of_one_value_err_together() -> None:
    """`best >= at_03 - 0.01` is no matter of chance where the best is at 0.3."""
    errors = {"a": ("x", 0.1), "b": ("x", 0.1)}
    assert rules.decided("a >= b - 0.01", {"a": 0.8, "b": 0.8}, errors) is True
    assert rules.decided("a >= b - 0.01", {"a": 0.8, "b": 0.8}, errors | {"b": ("y", 0.1)}) is None
    assert rules.decided("a > 0.9 and b > 2", {"a": 0.8, "b": 1.0}, {"a": ("x", 0.1)}) is False  # decided by b


def test_a_row_that_missed_its_own_constraint_is_not_compared_and_says_so() -> None:
    claim = CLAIM.model_copy(update={"equal": "skewness"})
    both = [row("original", 0.741, rho=0.8, skewness=0.3), row("relaxed", 0.80, rho=0.8, skewness=0.775)]
    told = method.judge(claim, {"ordering": both}, {})
    assert (told.word, told.holds) == ("not compared", None)
    assert told.ours.endswith("original reached 30.0 % of the 80 % asked for")
    best = method.Quantity(axis="ordering", column="accuracy", pick="max")
    picked = best.look_up({"ordering": [*both[::-1], row("x", 0.9, rho=0.8, skewness=0.5)]}, {}, keeping=True)
    assert (picked.value, picked.left_out) == (0.80, ("original 30 %", "x 50 %"))


def test_what_has_other_bytes_is_not_compared_at_equal_bytes() -> None:
    claim = CLAIM.model_copy(update={"equal": "bytes"})
    sizes = {"original": 710.0, "relaxed": 1438.0}
    far = [row(name, 0.8, payload_bytes_mean=size) for name, size in sizes.items()]
    told = method.judge(claim, {"ordering": far}, {})
    assert (told.word, told.basis.equal) == ("not compared", "nothing, payloads 710 and 1,438 B")
    near = [r | {"payload_bytes_mean": 700.0 + 10 * i} for i, r in enumerate(far)]
    told = method.judge(claim, {"ordering": near}, {})
    assert (told.word, told.basis.equal) == ("undecided", "payload, 700 and 710 B")
    assert method.judge(claim, {"ordering": [r | {"payload_bytes_mean": None} for r in far]}, {}).word == "not compared"


def test_the_best_place_is_undecided_where_chance_leaves_others() -> None:
    claim = CLAIM.model_copy(
        update={
            "rule": "best_at >= 4",
            "quantities": {"best_at": method.Quantity(axis="ordering", column="accuracy", pick="argmax")},
        }
    )

    def word(at_2: float) -> str:
        return method.judge(claim, {"ordering": [row("2", at_2), row("6", 0.80), row("8", 0.799)]}, {}).word

    assert (word(0.70), word(0.795), word(0.9)) == ("yes", "undecided", "no")


def test_a_row_says_what_it_stands_on() -> None:
    both = [
        row(name, 0.7, epochs=3, samples=12_800, train_flop=2.04e14, train_cpu_s=900.0)
        for name in ("original", "relaxed")
    ]
    told = method.judge(CLAIM, {"ordering": both}, {}).basis
    assert (told.n, told.seeds) == ("10,000 pictures", "1")
    assert told.budget == "3 epochs of 12,800 pictures, 0.204 PFLOP, 900 CPU s"
    old = looked.of_summary({"scheme": "agilenn", "test_n": 100, "test_int8": {"combined": 0.8}}, "test_int8.combined")
    assert looked.basis([old], "").budget == "FLOP and CPU s not recorded"


def test_the_same_pictures_tell_more_than_two_shares() -> None:
    bits = np.ones(1000, bool)
    worse = bits.copy()
    worse[:20] = False
    one, other = (Accuracy(int(b.sum()), 1000, answers=answers.packed(b)) for b in (bits, worse))
    apart, error, paired = basis.accuracy_difference(one, other)
    assert (apart, paired) == (pytest.approx(0.02), True)
    assert error == pytest.approx((20 - 1000 * 0.02**2) ** 0.5 / 1000)
    mixed = np.arange(1000) % 10 > 1
    swapped = np.roll(mixed, 5)  # as many right, other pictures
    for a, b in ((mixed, swapped), (mixed, mixed)):
        one, other = (Accuracy(int(x.sum()), 1000, answers=answers.packed(x)) for x in (a, b))
        assert (
            basis.reaches(*basis.accuracy_difference(one, other)[:1], 0.0, basis.accuracy_difference(one, other)[1])
            is None
        )
    assert basis.accuracy_difference(Accuracy(800, 1000), other)[2] is False


def test_best_of_an_axis_and_figures_of_weights() -> None:
    measured = {"temperature": [{"value": "2", "accuracy": 0.7}, {"value": "6", "accuracy": 0.8}]}
    best = method.Quantity(axis="temperature", column="accuracy", pick="argmax")
    assert best.look_up(measured, {}).value == 6.0
    assert method.Quantity(axis="temperature", column="accuracy", pick="max").look_up(measured, {}).value == 0.8
    key = method.Quantity(scheme="agilenn", key="test_int8.combined")
    assert key.look_up({}, {"agilenn": {"test_int8": {"combined": 0.84}}}).value == 0.84
    assert key.look_up({}, {"agilenn": {"test_int8": 3}}).value is None


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
        rules.holds(rule, {"a": 1.0})


@given(st.text(max_size=30))
def test_any_text_is_a_rule_or_refused(rule: str) -> None:
    with contextlib.suppress(ValueError, ZeroDivisionError):
        assert rules.holds(rule, {"a": 1.0}) in (True, False)


def test_shipped_claims_ask_for_what_the_sweeps_give() -> None:
    known = {*axes.AXES, "alpha", f"{method.FULL}/ablation", f"{method.FULL}/shaping"}
    for claim in read_toml(method.CLAIMS, method.Claims).claim:
        for quantity in claim.quantities.values():
            assert quantity.scheme or quantity.axis in known
            name = quantity.axis.removeprefix(f"{method.FULL}/")
            if quantity.over:
                for curve in (quantity.value, quantity.over):
                    assert [axes.AXES[name].setting(f"{curve}-{n}") for n in quantity.centroids]
            elif quantity.value and name in axes.AXES:
                axis = axes.AXES[name]
                axis.setting(float(quantity.value) if axis.key else quantity.value)


def test_commands_of_the_shipped_claims_name_files_that_are_there() -> None:
    commands = [claim.command for claim in read_toml(method.CLAIMS, method.Claims).claim]
    plans = [Path(command.split("--plan ")[1].split()[0]) for command in commands if "--plan " in command]
    assert plans
    assert [plan for plan in plans if not (REPOSITORY / plan).is_file()] == []


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
