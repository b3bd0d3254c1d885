"""Points of curves come from runs over rates and rows over the same weights; at equal accuracy, curves decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.comparison import checks
from harness.analysis.curves import choices_at
from harness.analysis.datum import read_run
from harness.analysis.material import Material
from harness.analysis.recommending import Wanted, on_front, options
from harness.analysis.trainings import TrainedRow


def test_settings_of_other_runs_and_rows_over_the_same_weights_join(make_run: Callable[..., Path]) -> None:
    times = {"agilenn": {6e6: [9.0] * 5}, "full_offload": {6e6: [14.0] * 5}}
    main = read_run(make_run("main", times, accuracy={"agilenn": 0.87, "full_offload": 0.885}))
    more = read_run(make_run("more", {"agilenn": {6e6: [7.0] * 5}}, axis="bandwidth", accuracy={"agilenn": 0.80}))
    facts = more.manifest["schemes"]["agilenn"] | {"base": "agilenn", "setting": "rate 2", "weights": "others"}
    renamed = replace(
        more,
        manifest=more.manifest
        | {"axis": {"name": "curve", "column": "rate_bps"}, "schemes": {"agilenn_2": facts}}
        | {"accuracy": {"agilenn_2": more.manifest["accuracy"]["agilenn"]}},
        data=tuple(replace(d, scheme="agilenn_2", title="AgileNN, rate 2") for d in more.data),
        cells=tuple(replace(c, scheme="agilenn_2") for c in more.cells),
    )
    columns = {"accuracy": "0.85", "total_6m_ms": "8.0", "recipe_hash": "weights-agilenn", "n_test": "10000"}
    rows = (
        TrainedRow("exit", "0.6", "cifar100", columns),
        TrainedRow("rho", "0.9", "cifar100", columns | {"recipe_hash": "short"}),  # another budget: no point of it
    )
    material = Material((main, renamed), rows)
    found = {c.scheme: (c.curve, c.latency_ms) for c in choices_at(material, "cifar100", 6e6)}
    assert found == {
        "agilenn": ("agilenn", 9.0),
        "full_offload": ("full_offload", 14.0),
        "agilenn_2": ("agilenn", 7.0),
        "agilenn exit 0.6": ("agilenn", 8.0),
    }
    asked = Wanted("virtual", "cifar100", 6e6, 80)
    both = options([main, renamed], asked)
    assert len(both) == 3 and {o.latency_ms for o in both if id(o) in on_front(both)} == {7.0, 9.0, 14.0}
    assert any(o.setting.startswith("rate 2, ") for o in both)


@pytest.mark.parametrize(
    ("jpeg", "accuracy", "expected"),
    [
        (20.0, 0.86, True),  # much slower, far less accurate than AgileNN at its best
        (8.0, 0.90, False),  # quicker and more accurate than all of AgileNN
        (9.5, 0.869, None),  # at the end of AgileNN's curve: within two standard errors of being out of reach
        (5.0, 0.70, None),  # quicker and less accurate: no accuracy in common
    ],
)
def test_at_equal_accuracy_curves_decide(
    make_run: Callable[..., Path], jpeg: float, accuracy: float, expected: bool | None
) -> None:
    times = {"agilenn": {6e6: [9.0] * 5}, "full_offload": {6e6: [jpeg] * 5}}
    run = read_run(make_run("main", times, accuracy={"agilenn": 0.87, "full_offload": accuracy}))
    columns = {"accuracy": "0.80", "total_6m_ms": "7.0", "recipe_hash": "weights-agilenn", "n_test": "10000"}
    material = Material((run,), (TrainedRow("exit", "0.6", "cifar100", columns),))
    told = checks._at_equal_accuracy(material, "cifar100", "full_offload", 6e6)
    assert told is not None and told.holds is expected
    assert told.basis.equal == "rate 6 Mbit/s and accuracy"
