"""Emits the function of a convolution that runs two output channels over the pixels of a band."""

from __future__ import annotations

from .conv_spec import PlannedConv
from .dot import Dot, Step, steps
from .quant import Requantizer
from .source import c_int, indent


class PairCode:
    """Emits that function for a planned convolution."""

    def __init__(self, conv: PlannedConv) -> None:
        self.conv = conv

    def function(self) -> list[str]:
        w = self.conv.window
        head = [
            "/* Two output channels over the pixels of a band. x: widened data; w: weights, with\n"
            " * two biases and two multipliers before them. */",
            f"static KERNEL void {self.conv.name}_pair(const uint8_t *x, const uint8_t *w, int8_t *out, "
            f"int {'pixels' if self.conv.flat else 'rows'}) {{",
        ]
        step = 2 * self.conv.out_channels
        pairs = self.loop("pixels >> 1" if self.conv.flat else str(w.out_width // 2), step)
        single = ["{", *indent(self.single()), "}"]
        if self.conv.flat:
            lines = ["const uint8_t *p = x;", *pairs, "if (pixels & 1)", *single]
            return [*head, *indent(lines), "}"]
        lines = ["do {", "  const uint8_t *p = x;"]
        if w.out_width > 1:
            lines += indent(pairs)
        if w.out_width & 1:
            lines += [*indent(single), f"  out += {self.conv.out_channels};"]
        lines += [f"  x += {w.sy * self.conv.pitch};", "} while (--rows != 0);"]
        return [*head, *indent(lines), "}"]

    def ending(self) -> tuple[str, ...]:
        """Return the loads of the requantisation's constants, to be issued while the last products are made."""
        addend = self.conv.spec.requantizer.addend
        return "LDRD(m0, m1, w, -8);", f"CONST_LOW(r, {c_int(addend)});", f"CONST_HIGH(r, {c_int(addend)});"

    def loop(self, count: str, step: int) -> list[str]:
        """Emit blocks of two pixels. The next block's first operands are loaded while this one's results are stored."""
        dot = Dot(2, self.conv.second)
        first, middle, moved_p = self.products(dot)
        move = 4 * self.conv.window.sx * self.conv.window.channels - moved_p
        advance = [f"p += {move};"] if move else []
        loads = [*dot.first_loads(first), "LDRD(b0, b1, w, -16);"]
        finish_ = finish(
            ["a00", "a01", "a10", "a11"],
            ["m0", "m1", "m0", "m1"],
            ["0", "1", str(self.conv.out_channels), str(self.conv.out_channels + 1)],
            self.kept(2),
            self.conv.spec.requantizer,
            self.conv.spec.low,
            self.conv.spec.high,
            [*advance, *loads],
        )
        return [
            "uint32_t x0, y0, w0;",
            "int32_t b0, b1;",
            *loads,
            f"for (int n = {count}; n > 0; n--) {{",
            *indent(["uint32_t w1;", "int32_t a00, a01, a10, a11, m0, m1, r;"]),
            *indent(middle),
            *indent(finish_),
            f"  out += {step};",
            "}",
        ]

    def single(self) -> list[str]:
        """Emit the block of the last pixel of an odd row."""
        dot = Dot(1, self.conv.second)
        first, middle, _ = self.products(dot)
        return [
            "uint32_t x0, x1, y0, y1, w0, w1;",
            "int32_t a00, a01, b0, b1, m0, m1, r;",
            *dot.first_loads(first),
            "LDRD(b0, b1, w, -16);",
            *middle,
            *finish(
                ["a00", "a01"],
                ["m0", "m1"],
                ["0", "1"],
                self.kept(1),
                self.conv.spec.requantizer,
                self.conv.spec.low,
                self.conv.spec.high,
                [],
            ),
            "(void)x1, (void)y0, (void)y1;",
        ]

    def kept(self, pixels: int) -> list[int]:
        """Return which of the block's results are stored: with one output channel every other one is a copy."""
        return [i for i in range(2 * pixels) if self.conv.out_channels > 1 or i % 2 == 0]

    def products(self, dot: Dot) -> tuple[Step, list[str], int]:
        """Return (first step, code, bytes that p has moved) of the inner products.

        The code has one of three forms: unrolled; a loop over kernel rows, each unrolled; or a loop over kernel rows
        and chunks of a row.
        """
        w, words_ = self.conv.window, self.conv.segment_words
        if w.kh * words_ <= self.conv.unroll_words:
            run = steps([(ky * self.conv.pitch, ky * words_ * 8) for ky in range(w.kh)], words_)
            if run[-1].data + self.conv.second + 8 <= 4000:
                dot.fresh = True
                return run[0], dot.body(run, None, ending=self.ending()), 0
        if words_ <= self.conv.unroll_words and w.kh > 1:
            return self.row_loop(dot)
        return self.chunk_loop(dot)

    def start(self, dot: Dot) -> list[str]:
        return ["a00 = b0;", "a01 = b1;", *(["a10 = b0;", "a11 = b1;"] if dot.pixels == 2 else [])]

    def row_loop(self, dot: Dot) -> tuple[Step, list[str], int]:
        w, words_ = self.conv.window, self.conv.segment_words
        run = steps([(0, 0)], words_)
        advance = (self.conv.pitch, words_ * 8)
        dot.swapped = False
        body = dot.body(run, run[0], advance)
        if dot.swapped:  # the registers do not come back to where they were: load afresh each time round
            dot.swapped = False
            body = [*dot.prologue(run[0]), *dot.body(run, None), f"p += {advance[0]};", f"w += {advance[1]};"]
        lines = [
            *self.start(dot),
            f"for (int ky = {w.kh}; ky != 0; ky--) {{",
            *indent(body),
            "}",
            f"w -= {w.kh * advance[1]};",
            *self.ending(),
        ]
        return run[0], lines, w.kh * self.conv.pitch

    def chunk_loop(self, dot: Dot) -> tuple[Step, list[str], int]:
        w, words_ = self.conv.window, self.conv.segment_words
        chunks, rest = divmod(words_, self.conv.chunk_words)
        run = steps([(0, 0)], self.conv.chunk_words)
        advance = (self.conv.chunk_words * 4, self.conv.chunk_words * 8)
        dot.swapped = False
        body = dot.body(run, run[0], advance)
        if dot.swapped:
            raise ValueError("chunk_words must be an even number of steps")
        lines = [f"for (int n = {chunks}; n != 0; n--) {{", *indent(body), "}"]
        if rest:
            lines += dot.body(steps([(0, 0)], rest), None)
        step_p, step_w = self.conv.pitch - chunks * advance[0], words_ * 8 - chunks * advance[1]
        if w.kh == 1:
            lines = [*self.start(dot), *lines, f"w -= {chunks * advance[1]};", *self.ending()]
            return run[0], lines, chunks * advance[0]
        again = dot.prologue(run[0])
        lines = [
            *self.start(dot),
            f"for (int ky = {w.kh}; ky != 0; ky--) {{",
            *indent([*again, *lines, f"p += {step_p};", f"w += {step_w};"]),
            "}",
            f"w -= {w.kh * words_ * 8};",
            *self.ending(),
        ]
        return run[0], lines, w.kh * self.conv.pitch


def finish(
    names: list[str],
    multipliers: list[str],
    places: list[str],
    keep: list[int],
    q: Requantizer,
    low: int,
    high: int,
    following: list[str],
) -> list[str]:
    """Requantise accumulators and store them at out + places, in an order that fills both issue slots.

    r holds the rounding constant; `following` are instructions to put in behind the last multiply.
    """
    lines = []
    if q.pre:
        limit = (1 << (31 - q.pre)) - 1
        lines += [f"{names[i]} = saturate({names[i]}, {limit}) * {1 << q.pre};" for i in keep]
    multiply = [f"SMMLA({names[i]}, {names[i]}, {multipliers[i]}, r);" for i in keep]
    shift = [f"SSAT8_ASR({names[i]}, {names[i]}, {q.shift});" for i in keep]
    if (low, high) != (-128, 127):
        shift = [f"{s} {names[i]} = clamp({names[i]}, {low}, {high});" for s, i in zip(shift, keep, strict=True)]
    store = [f"STRB({names[i]}, out, {places[i]});" for i in keep]
    rest = list(following)
    lines += multiply[:2]
    for at in range(len(keep)):
        lines.append(shift[at])
        lines += multiply[at + 2 : at + 3]
        if at >= 2:
            lines.append(store[at - 2])
    for line in store[-2:] if len(keep) > 1 else store:
        lines.append(line)
        if rest and not rest[0].startswith("LDR"):
            lines.append(rest.pop(0))
        lines += rest[:1]
        rest = rest[1:]
    return [*lines, *rest]
