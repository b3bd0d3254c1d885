"""Emits the inner product of two output channels by one or two pixels, unrolled and scheduled for the M7.

With two pixels, a word (two elements) of each pixel against a word of each channel is four SMLADs, and in the other
slot of each of their four cycles stands one of the four loads of the next word. Each load stands in the cycle after
which its register is free, and its result is used one cycle later, which is when the M7 has it for a multiply: that
makes a MAC every cycle with eight registers (4 accumulators, 2 of data, 2 of weights) and two pointers. The loads are
single ones, because no public figure says what an LDRD beside a MAC costs on the chip.
"""

from __future__ import annotations

from dataclasses import dataclass

LDRD_REACH = 1020  # bytes
LDR_REACH = 4095


@dataclass(frozen=True)
class Step:
    """Describes one or two consecutive words: byte offsets of the first from the data and the weight pointer."""

    data: int
    weights: int
    words: int


def steps(segments: list[tuple[int, int]], words: int) -> list[Step]:
    """Return the steps through segments [(data offset, weight offset)] of `words` words each."""
    return [
        Step(data + 4 * at, weights + 8 * at, min(2, words - at))
        for data, weights in segments
        for at in range(0, words, 2)
    ]


class Dot:
    """Emits the loads and MACs. `p` is the data pointer, `w` the weights', `second` the second pixel's distance."""

    def __init__(self, pixels: int, second: int) -> None:
        self.pixels, self.second = pixels, second
        self.swapped = False
        self.fresh = False  # the next MACs start from the biases b0, b1

    def mac(self, accumulator: str, x: str, w: str) -> str:
        if self.fresh:
            return f"SMLAD_FROM({accumulator}, {x}, {w}, b{accumulator[-1]});"
        return f"SMLAD({accumulator}, {x}, {w});"

    def registers(self) -> tuple[list[str], list[str]]:
        """Return the register names as (first pixel's or current, second pixel's or next)."""
        a, b = ["x0", "x1"], ["y0", "y1"]
        return (b, a) if self.swapped and self.pixels == 1 else (a, b)

    def first_loads(self, first: Step) -> list[str]:
        """Return the loads for the first step; what is used last is loaded last."""
        if self.pixels == 1:
            return [f"LDRD(w0, w1, w, {first.weights});", *self.load_two(["x0", "x1"], first)]
        return [
            f"LDR(w0, w, {first.weights});",
            f"LDR(x0, p, {first.data});",
            f"LDR(y0, p, {self.second + first.data});",
        ]

    def prologue(self, first: Step) -> list[str]:
        """Return the loads for the first step where a round starts in the middle of a block."""
        self.swapped = False
        return self.first_loads(first)

    def load_two(self, x: list[str], step: Step) -> list[str]:
        if step.words == 1:
            return [f"LDR({x[0]}, p, {step.data});"]
        if step.data <= LDRD_REACH:
            return [f"LDRD({x[0]}, {x[1]}, p, {step.data});"]
        return [f"LDR({x[0]}, p, {step.data});", f"LDR({x[1]}, p, {step.data + 4});"]

    def body(
        self,
        run: list[Step],
        after: Step | None,
        advance: tuple[int, int] = (0, 0),
        ending: tuple[str, ...] = (),
    ) -> list[str]:
        """Return the MACs of all steps, with the loads of each next step in between.

        Args:
            run: the steps; the first is loaded already.
            after: what to load at the end (the next round's first step), from the pointers as they then are.
            advance: bytes by which p and w move on in this run, before `after` is loaded.
            ending: up to three instructions for the last step's free slots, where two registers have come free.
        """
        lines: list[str] = []
        for at, step in enumerate(run):
            last = at + 1 == len(run)
            follows = after if last else run[at + 1]
            move = advance if last else (0, 0)
            tail = ending if last else ()
            lines += (self.two_pixels if self.pixels == 2 else self.one_pixel)(step, follows, move, tail)
            self.fresh = False
        return lines

    def moves(self, move: tuple[int, int]) -> tuple[list[str], list[str]]:
        return (
            [f"ADDI(p, {move[0]});" if move[0] <= LDR_REACH else f"p += {move[0]};"] if move[0] else [],
            [f"ADDI(w, {move[1]});" if move[1] <= LDR_REACH else f"w += {move[1]};"] if move[1] else [],
        )

    def two_pixels(self, step: Step, follows: Step | None, move: tuple[int, int], ending: tuple[str, ...]) -> list[str]:
        """Emit word by word: in each of four cycles an SMLAD, and a load of what the next cycles need."""
        move_p, move_w = self.moves(move)
        places = [(step.data + 4 * i, step.weights + 8 * i) for i in range(step.words)]
        upcoming = [*places[1:], (follows.data, follows.weights) if follows else None]
        out = []
        for (_, weights), following in zip(places, upcoming, strict=True):
            last = following is upcoming[-1]
            out += [self.mac("a00", "x0", "w0"), f"LDR(w1, w, {weights + 4});"]
            if following:
                data, weights_ = following
                slots = [
                    f"LDR(w0, w, {weights_});",
                    f"LDR(y0, p, {self.second + data});",
                    f"LDR(x0, p, {data});",
                ]
            else:
                slots = [*ending, "", "", ""][:3]
            if last:
                out += [*move_w, *move_p]
            out += [self.mac("a10", "y0", "w0"), slots[0]]
            out += [self.mac("a11", "y0", "w1"), slots[1]]
            out += [self.mac("a01", "x0", "w1"), slots[2]]
            self.fresh = False
        return [line for line in out if line]

    def one_pixel(self, step: Step, follows: Step | None, move: tuple[int, int], ending: tuple[str, ...]) -> list[str]:
        x, other = self.registers()
        move_p, move_w = self.moves(move)
        next_x = self.load_two(other, follows) if follows else []
        next_w = [f"LDRD(w0, w1, w, {follows.weights});"] if follows else []
        self.swapped = not self.swapped
        out = [*move_p, self.mac("a00", x[0], "w0"), *next_x[:1], self.mac("a01", x[0], "w1")]
        self.fresh = False
        if step.words == 2:
            out += [f"LDRD(w0, w1, w, {step.weights + 8});", self.mac("a00", x[1], "w0"), *next_x[1:], *ending, *move_w]
            return [*out, self.mac("a01", x[1], "w1"), *next_w]
        return [*out, *next_x[1:], *ending, *move_w, *next_w]
