"""Is shaping worth its bytes: gains at equal bytes between neighbouring points, seed by seed, and the claim on them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import shaping
from harness.analysis.comparison import method
from harness.contracts.toml import read_toml
from harness.runs import trained_rows as rows

CENTROIDS = (2, 3, 4, 8)
CLAIM = next(c for c in read_toml(method.CLAIMS, method.Claims).claim if c.name == "shaping")


def made(
    lead: dict[str, float], seeds: tuple[int, ...] = (0,), spread: float = 0.0, shift: float = 0.0
) -> list[rows.Row]:
    """Rows of curves of one slope, each `lead` above it; the shaped ones send `shift` bytes more."""
    found = []
    for curve in shaping.WORDS:
        channels, _, kind = curve.partition("-")
        for seed in seeds:
            for place, n in enumerate(CENTROIDS):
                sent = 300.0 + 100 * place + (shift if kind == "shaped" else 0.0)
                right = 0.80 + 1e-4 * sent + lead.get(curve, 0.0) + (spread * seed if kind == "shaped" else 0.0)
                found.append(
                    dict.fromkeys(rows.COLUMNS)
                    | {"axis": "shaping", "value": f"{curve}-{n}", "dataset": "cifar10", "profile": "compact"}
                    | {"channels": channels, "shaping": "yes" if kind == "shaped" else "no", "centroids": n}
                    | {"seed": seed, "accuracy": right, "bytes_lzw": sent, "bytes_context": 0.8 * sent}
                    | {"n_test": 10_000, "epochs": 3, "samples": 12_800, "train_flop": 2e13, "train_cpu_s": 600.0}
                    | {"recipe_hash": f"{curve}-{n}-{seed}", "source": "measured"}
                )
    return found


def judged(own: list[rows.Row]) -> method.Verdict:
    return method.judge(CLAIM, {"shaping": own}, {})


def test_a_gain_is_the_mean_over_the_bytes_that_both_reach() -> None:
    low = [(100.0, 0.80), (200.0, 0.90)]
    found = shaping.gain([(150.0, 0.87), (300.0, 0.87)], low)
    assert found is not None
    assert (found.least_bytes, found.most_bytes) == (150.0, 200.0)
    assert found.value == pytest.approx(-0.005)
    assert shaping.gain([(200.0, 0.87), (300.0, 0.87)], low) is None  # one byte is no range
    assert shaping.gain([(250.0, 0.87), (300.0, 0.87)], low) is None


_CURVE = st.lists(st.tuples(st.floats(1, 1e4), st.floats(0, 1)), min_size=2, max_size=6)


@given(_CURVE, _CURVE)
def test_a_gain_changes_its_sign_with_the_sides_and_stays_within_what_was_measured(
    one: list[shaping.Point], other: list[shaping.Point]
) -> None:
    found, back = shaping.gain(one, other), shaping.gain(other, one)
    assert (found is None) == (back is None)
    if found and back:
        assert found.value == pytest.approx(-back.value, abs=1e-9)
        assert abs(found.value) <= 1 + 1e-9
        assert max(min(b for b, _ in one), min(b for b, _ in other)) == found.least_bytes


def test_the_claim_is_decided_by_both_codecs_against_both_rivals() -> None:
    ahead = judged(made({"chosen-shaped": 0.03}))
    assert ahead.word == "yes"
    assert "chosen-shaped over random-plain by the context codec: +3.00 points" in ahead.ours
    assert ahead.basis.seeds == "1"
    assert "300 to 600 B" in ahead.basis.equal
    assert "at most 0.02 PFLOP, 600 CPU s a point" in ahead.basis.budget
    assert judged(made({"chosen-shaped": -0.03})).word == "no"
    assert judged(made({"chosen-shaped": 0.03, "random-plain": 0.06})).word == "no"


def test_less_than_two_standard_errors_is_undecided() -> None:
    assert judged(made({"chosen-shaped": 0.005})).word == "undecided"  # of one seed: the test pictures' error
    seeds = (0, 1, 2)
    assert judged(made({"chosen-shaped": 0.005}, seeds)).word == "yes"  # three seeds that agree
    apart = judged(
        made({"chosen-shaped": -0.01}, seeds, spread=0.02)
    )  # -1, +1 and +3 points: 1.0 with an error of 1.15
    assert (apart.word, apart.basis.seeds) == ("undecided", "3")


def test_equal_bytes_are_equal_bytes() -> None:
    """A curve of the same slope that sends 50 B more at each point gains nothing by its higher points."""
    shifted = judged(made({}, (0, 1), shift=50.0))
    assert "chosen-shaped over chosen-plain by LZW: +0.00 points" in shifted.ours.replace("-0.00", "+0.00")
    beyond = judged(made({}, shift=1000.0))
    assert (beyond.word, "no bytes in common" in beyond.ours) == ("not compared", True)


def test_missing_rows_are_told_and_half_a_seed_is_left_out() -> None:
    whole = made({"chosen-shaped": 0.03}, (0, 1))
    assert judged([]).word == "not measured"
    lacking = [r for r in whole if (r["value"], r["seed"]) != ("chosen-shaped-3", 1)]
    one = judged(lacking)
    assert (one.word, one.basis.seeds) == ("yes", "1")
    assert "seed 1 lacks chosen-shaped-3: left out" in one.basis.equal
    none = judged([r for r in whole if r["value"] != "random-plain-4"])
    assert none.word == "not measured"
    assert "seed 0 lacks random-plain-4; seed 1 lacks random-plain-4" in none.ours
    old = judged([r | {"bytes_context": None} for r in whole])  # a row of an earlier version
    assert old.word == "not measured"
