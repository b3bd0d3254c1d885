"""How many samples a point gets, and that each is kept before the next begins."""

from __future__ import annotations

import numpy as np
import pytest

from harness.contracts.errors import BenchError
from harness.runs.sample import Point
from harness.sweep.plan import choose_images, further_images, make
from harness.sweep.repeat import Enough, Procedure, interval_share, procedure

from ...support import runs

POINTS = [Point("near", "tiny", "compact", "native", None), Point("far", "tiny", "compact", "native", None)]


def _rows(enough: Enough, point: Point, latencies: list[float]) -> None:
    for image, ms in enumerate(latencies):
        enough.note(runs.measured(image, image, point=point, total_ms=ms))


def test_a_steady_point_is_finished_and_a_noisy_one_goes_on_to_its_cap() -> None:
    wanted = Procedure(repeat_until=0.05, max_samples=40)
    enough = Enough(wanted)
    near, far = POINTS
    _rows(enough, near, [10.0 + 0.01 * i for i in range(10)])
    noisy = np.random.default_rng(0).normal(10, 3, 10).tolist()
    _rows(enough, far, noisy)
    more = [p for p in make(POINTS, range(10), [], 0, free=False, extra_images=range(10, 50)).samples if p.extra]
    assert not any(enough.wants(p) for p in more if p.point is near)
    assert all(enough.wants(p) for p in more if p.point is far)
    _rows(enough, far, [1.0, 90.0] * 15)
    assert not any(enough.wants(p) for p in more)  # 40 samples


def test_images_asked_for_are_taken_however_steady_the_point_is() -> None:
    enough = Enough(Procedure(repeat_until=0.5, max_samples=40))
    _rows(enough, POINTS[0], [10.0] * 20)
    assert all(enough.wants(p) for p in make(POINTS[:1], range(30), [31], 0, free=False).samples)


def test_too_few_samples_carry_no_interval_and_ask_for_more() -> None:
    enough = Enough(Procedure(repeat_until=0.05, max_samples=40))
    _rows(enough, POINTS[0], [10.0] * 4)
    extra = next(p for p in make(POINTS[:1], range(4), [], 0, free=False, extra_images=[9]).samples if p.extra)
    assert enough.wants(extra)
    assert interval_share([10.0] * 4) is None


def test_failures_and_warmups_do_not_narrow_but_failures_count_for_the_cap() -> None:
    enough = Enough(Procedure(repeat_until=0.05, max_samples=6))
    extra = next(p for p in make(POINTS[:1], [0], [], 0, free=False, extra_images=[9]).samples if p.extra)
    for image in range(5):
        enough.note(runs.measured(image, image, point=POINTS[0], status="failed", total_ms=None))
        enough.note(runs.measured(image, image, point=POINTS[0], warmup=True))
    assert enough.wants(extra)
    enough.note(runs.measured(9, 9, point=POINTS[0], status="failed", total_ms=None))
    assert not enough.wants(extra)


def test_what_was_measured_before_a_kill_counts() -> None:
    rows = [runs.measured(i, i, point=POINTS[0], total_ms=10.0) for i in range(8)]
    extra = next(p for p in make(POINTS[:1], [0], [], 0, free=False, extra_images=[9]).samples if p.extra)
    assert not Enough(Procedure(0.05, 40), rows).wants(extra)


def test_further_images_are_new_ones_in_one_order() -> None:
    chosen, warmups = choose_images(50, 5, 2, 3)
    more = further_images(50, 20, chosen, warmups, 3)
    assert len(more) == 15
    assert not set(more) & {*chosen, *warmups}
    assert further_images(50, 10, chosen, warmups, 3) == more[:5]
    assert len(further_images(10, 20, *choose_images(10, 5, 2, 3), 3)) == 3  # the test set ends
    assert further_images(50, 0, chosen, warmups, 3) == []


def test_a_longer_plan_begins_as_the_shorter_one() -> None:
    base = make(POINTS[:1], range(5), [9], 0, free=False).samples
    longer = make(POINTS[:1], range(5), [9], 0, free=False, extra_images=[20, 21]).samples
    assert longer[: len(base)] == base
    assert len({p.key for p in longer}) == len(longer)


def test_the_emulated_board_has_a_fixed_n() -> None:
    assert procedure(None, None, 30.0, images=10, free=True) == Procedure(deadline_ms=30.0)
    assert procedure("none", None, None, images=10, free=True) == Procedure()
    for until, most in ((0.05, None), (None, 20)):
        with pytest.raises(BenchError, match="--images"):
            procedure(until, most, None, images=10, free=True)


def test_a_real_board_repeats_unless_told_otherwise() -> None:
    assert procedure(None, None, None, images=10, free=False) == Procedure(0.05, 100)
    assert procedure(0.02, 40, None, images=10, free=False) == Procedure(0.02, 40)
    assert procedure(None, None, None, images=500, free=False).max_samples == 500
    assert procedure("none", None, None, images=10, free=False) == Procedure()
    with pytest.raises(BenchError, match="less than --images"):
        procedure(None, 5, None, images=10, free=False)
    with pytest.raises(BenchError, match="leave one"):
        procedure("none", 5, None, images=10, free=False)
