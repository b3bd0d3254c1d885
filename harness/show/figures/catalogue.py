"""Lists every figure by name, in the paper's order, then the bench's own."""

from __future__ import annotations

from harness.show.figures.figure import Figure
from harness.show.figures.of_runs import Breakdown, Energy, Front, Latency, Memory
from harness.show.figures.of_settings import Settings
from harness.show.figures.of_shaping import Shaping
from harness.show.figures.of_trainings import Curves, Kinds, SplitGrid, Trained

_ACCURACY = ("accuracy", "accuracy")
_RATE = "compression (float32 features / payload)"
_SKEWNESS = ("skewness", "skewness (%)")

FIGURES: tuple[Figure, ...] = (
    Trained("temperature", "Fig 8", "fig08", "Accuracy and alpha against T", "temperature T", ("alpha", "alpha")),
    Kinds("ordering", "Fig 9", "fig09", "Ways to order the channels", (_ACCURACY, ("violations", "violations"))),
    Trained("lambda", "Fig 10", "fig10", "Accuracy and skewness against lambda", "lambda", _SKEWNESS),
    Curves(),
    Breakdown(),
    Trained("compression", "Fig 17", "fig17", "Accuracy against compression", _RATE, None, "compression"),
    Trained("alpha", "Fig 18", "fig18", "Accuracy against alpha", "alpha (weight of the local logits)", None),
    Energy(),
    Memory(),
    SplitGrid(),
    Latency("frequency", "Fig 22"),
    Latency("bandwidth", "Fig 23"),
    Kinds("xai", "Fig 24", "fig24", "Tools of explanation", (_ACCURACY, ("skewness", "skewness"))),
    Front(),
    Latency("delay"),
    Latency("loss"),
    Kinds("ablation", "", "", "What is left out", (_ACCURACY, ("skewness", "skewness"))),
    Settings("pareto", "Settings of AgileNN: accuracy against latency", joined=False),
    Settings("exit", "Early exit of AgileNN: accuracy against latency", joined=True),
    Trained("rho", "", "", "Accuracy and skewness against rho", "rho", _SKEWNESS),
    Shaping(),
)
