"""Emits dense layers with two outputs in each half word: half the widening of weights, and a multiply in every cycle.

A half of a word of weights holds 256 * a + b for outputs a and b at one input. SMLAD with it gives 256 * A + B, where A
and B are the two inner products; with the lower bytes alone (SXTB16) it gives B, and A = (256 A + B - B) >> 8 is exact
in 32 bits while |A| < 2**23. Long rows are summed in segments for which that holds whatever the input is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .source import indent

UNROLL = 4  # steps of four inputs; even, as two registers take turns
REACH = ((1 << 23) - 1) // 128  # the most that |a| may add up to in a segment


def packable(weights: np.ndarray) -> bool:
    """Tell whether 256 * a + b fits 16 bits for each pair of rows. (It does but for a = -128 beside a negative b.)"""
    a, b = weights[0 : len(weights) // 2 * 2 : 2].astype(np.int32), weights[1::2].astype(np.int32)
    return bool((256 * a + b[: len(a)]).min(initial=0) >= -(1 << 15))


def packed(weights: np.ndarray) -> np.ndarray:
    """Return int8 [outputs, inputs], both even and inputs a multiple of 4, packed in the order of reading.

    For every four inputs and every pair of outputs, inputs 0 and 2 come first, then inputs 1 and 3.
    """
    outputs, inputs = weights.shape
    both = 256 * weights[0::2].astype(np.int32) + weights[1::2]
    halves = both.astype("<i2").reshape(outputs // 2, inputs // 4, 2, 2)  # pair, step, input / 2, odd
    return np.ascontiguousarray(halves.transpose(1, 0, 3, 2)).reshape(-1).view(np.int8)


def segment(weights: np.ndarray) -> int:
    """Return the most loops (of UNROLL steps) that may pass before the sums are taken apart."""
    inputs = weights.shape[1]
    size = 4 * UNROLL
    sums = np.abs(weights[0::2].astype(np.int64)).cumsum(1)
    loops = max(1, inputs // size)
    for count in range(loops, 0, -1):
        ends = [*range(count * size, loops * size, count * size), inputs]  # what is left over joins the last
        reach = np.diff(sums[:, [e - 1 for e in ends]], axis=1, prepend=0)
        if reach.max(initial=0) <= REACH:
            return count
    return 1


class PairLoop:
    """Emits the inner products of 2 or 4 outputs: accumulators s (both outputs) and l (the second) of each pair."""

    def __init__(self, outputs: int) -> None:
        self.pairs = outputs // 2
        self.weights = [("p0", "q0"), ("p1", "q1")]
        self.inputs = ("x0", "x1", "x2", "x3") if self.pairs == 1 else ("x0", "x1", "x2")

    def declared(self) -> str:
        return ", ".join([*self.inputs, *(r for pair in self.weights for r in pair)])

    def prologue(self) -> list[str]:
        return ["LDRD_INC(p0, q0, w, 8);", "LDRD_INC(x0, x1, x, 8);"]

    def step(self, at: int) -> list[str]:
        """Emit four inputs; the registers of the next step are loaded between the multiplies."""
        return list(self.one_pair(at % 2) if self.pairs == 1 else self.two_pairs(at % 2))

    def one_pair(self, odd: int) -> Iterator[str]:
        p, q = self.weights[odd]
        x, y = self.inputs[2 * odd : 2 * odd + 2]
        other, others = self.weights[1 - odd], self.inputs[2 - 2 * odd : 4 - 2 * odd]
        yield f"LDRD_INC({other[0]}, {other[1]}, w, 8);"
        yield f"SMLAD(s0, {x}, {p});"
        yield f"SXTB16({p}, {p});"
        yield f"SMLAD(s0, {y}, {q});"
        yield f"SXTB16({q}, {q});"
        yield f"SMLAD(l0, {x}, {p});"
        yield f"LDRD_INC({others[0]}, {others[1]}, x, 8);"
        yield f"SMLAD(l0, {y}, {q});"

    def two_pairs(self, odd: int) -> Iterator[str]:
        x, coming = ("x2", "x0") if odd else ("x0", "x2")
        yield "LDRD_INC(p1, q1, w, 8);"
        yield f"SMLAD(s0, {x}, p0);"
        yield "SXTB16(p0, p0);"
        yield "SMLAD(s0, x1, q0);"
        yield "SXTB16(q0, q0);"
        yield f"SMLAD(l0, {x}, p0);"
        yield f"LDR_INC({coming}, x, 4);"
        yield "SMLAD(l0, x1, q0);"
        yield "LDRD_INC(p0, q0, w, 8);"
        yield "SMLAD(s1, x1, q1);"
        yield "SXTB16(q1, q1);"
        yield f"SMLAD(s1, {x}, p1);"
        yield "SXTB16(p1, p1);"
        yield "SMLAD(l1, x1, q1);"
        yield "LDR_INC(x1, x, 4);"
        yield f"SMLAD(l1, {x}, p1);"

    def lines(self, steps: int, count: int) -> list[str]:
        """Emit all steps, with `count` loops between two foldings of the sums into a0, a1."""
        loops, rest = divmod(steps, UNROLL)
        body = [line for i in range(UNROLL) for line in self.step(i)]
        out = self.prologue()
        fold = [
            line
            for i in range(self.pairs)
            for line in (f"a{i} += (int32_t)((uint32_t)s{i} - (uint32_t)l{i}) >> 8;", f"s{i} = l{i};")
        ]
        if loops > count:
            out += [
                f"for (int left = {loops};; left -= {count}) {{",
                f"  int n = left < {count} ? left : {count};",
                *indent(["do {", *indent(body), "} while (--n != 0);"]),
                f"  if (left <= {count}) break;",
                *indent(fold),
                "}",
            ]
        elif loops:
            out += [f"for (int n = {loops}; n > 0; n--) {{", *indent(body), "}"]
        out += [line for i in range(rest) for line in self.step(i)]
        return [*out, *fold]
