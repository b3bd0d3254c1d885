"""Does it matter which channels stay on the device? AgileNN with k channels drawn by chance.

Nothing asks them to be important: no skewness and no disorder loss. Extractor, codebook, remote network and alpha are
AgileNN's, so whatever separates the two schemes is the choice of channels.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from baselines.schemes.agilenn import AgileNN

CHANCE = {
    "preselect.method": '"random"',
    "losses.skewness_weight": "0.0",
    "losses.disorder_weight": "0.0",
}


class RandomChannels(AgileNN):
    """AgileNN, the local channels by chance."""

    name = "random_channels"
    title = "Random channels"
    recipe_name = "agilenn"  # its recipe, but for what CHANCE says

    def train(self, options: Any, report: Any) -> Path:
        """Train and write the artefact; the user's own settings come after CHANCE."""
        return super().train(replace(options, overrides=CHANCE | options.overrides), report)
