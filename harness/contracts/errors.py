"""Defines the errors that a user can cure: each is one line, and ends a way in with its exit code."""

from __future__ import annotations


class BenchError(Exception):
    """Says what is wrong and how to cure it, in one line.

    Args:
        what: what is wrong, naming the file, key, device or option.
        cure: what the user can do about it.
    """

    exit_code = 2

    def __init__(self, what: str, cure: str = "") -> None:
        self.what = " ".join(what.split())
        self.cure = " ".join(cure.split())
        super().__init__(f"{self.what}: {self.cure}" if self.cure else self.what)

    def and_then(self, step: str) -> None:
        """Add a step to the cure, unless it is told already."""
        if step not in self.cure:
            self.cure = f"{self.cure}, then {step}" if self.cure else step
            self.args = (f"{self.what}: {self.cure}",)


class TestbedAbsent(BenchError):
    """Says that the testbed asked for has no board attached. Under pytest this is exit code 4, never a skip."""

    __test__ = False  # the name begins with "Test": pytest would collect it


class SampleFailed(BenchError):
    """Says that one sample could not be measured; the run goes on, and the sample is kept with its error and null
    values.
    """


class BenchFailed(SampleFailed):
    """Says that a sample was lost to the bench (a process, a cable, the broker, a bad account) and not to its scheme or
    link: it may be taken again.
    """
