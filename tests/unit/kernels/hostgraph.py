"""A generated graph on this machine, with a check that no kernel writes beside the arena."""

from __future__ import annotations

import numpy as np

from testbeds.firmware.host.graphlib import GraphLibrary

# Words are promised to lie at word addresses: with these, a load that breaks the promise ends the process.
ALIGNED = ("-fsanitize=alignment", "-fsanitize-trap=alignment")


class HostGraph(GraphLibrary):
    """Fails where bytes before or behind the arena were written."""

    def __init__(self, model, folder, variant="fast", flags=("-O1",)):
        super().__init__(model, folder, variant, flags)

    def run(self, x):
        out = super().run(x)
        assert np.all(self.memory[: self.start] == 0x5A), "written before the arena"
        assert np.all(self.memory[self.start + self.arena.size :] == 0x5A), "written behind the arena"
        return out
