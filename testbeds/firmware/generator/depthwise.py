"""Emits DEPTHWISE_CONV_2D with its channels taken apart into planes of 16 bits in scratch memory.

There neighbours in a row share a word; a 3x3 kernel then needs six multiplies an output, its weights stay in registers,
and two outputs are made at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .layer import Emitted
from .quant import Requantizer
from .shapes import Window
from .source import c_array, c_int, halves, indent, round_up, words

SCRATCH_BUDGET = 20 << 10
UNROLL_PAIRS = {"fast": 12, "lean": 1}  # pairs of outputs in a row, at 110 bytes of code each
UNROLL_WORDS = 4  # words of a row's planes, at 70 bytes of code each: shorter loops cost more in mispredicted ends


@dataclass(frozen=True)
class DepthwiseSpec:
    """Describes a depthwise convolution: `weights` are int8 [kh, kw, out]; output channel o reads input channel o //
    multiplier; the bias is as in the file.
    """

    window: Window
    weights: np.ndarray
    bias: np.ndarray
    requantizer: Requantizer
    input_zero: int
    low: int
    high: int
    multiplier: int


def folded_bias(spec: DepthwiseSpec) -> np.ndarray:
    sums = spec.weights.astype(np.int64).sum((0, 1))
    return np.asarray(spec.bias.astype(np.int64) - spec.input_zero * sums)


class Depthwise:
    """Plans and emits one depthwise convolution with a 3x3 kernel and stride 1 or 2."""

    def __init__(self, spec: DepthwiseSpec, name: str, variant: str) -> None:
        self.spec, self.name, self.window = spec, name, spec.window
        self.unroll_pairs = UNROLL_PAIRS[variant]
        w = self.window
        self.group = 4 if w.channels % 4 == 0 and spec.multiplier == 1 else 1
        self.columns = (w.out_width - 1) * w.sx + 3
        self.row_words = round_up(self.columns, 2) // 2
        self.row_bytes = 4 * self.row_words
        self.pitch = self.row_bytes * self.group
        self.plan_band()

    @staticmethod
    def fits(spec: DepthwiseSpec) -> bool:
        w = spec.window
        if (w.kh, w.kw) != (3, 3) or w.sx not in (1, 2) or w.sy not in (1, 2):
            return False
        return w.channels * spec.multiplier <= 1300 and ((w.out_width - 1) * w.sx + 5) * 2 * 4 * 4 < 4000

    def plan_band(self) -> None:
        w, channels = self.window, self.window.channels
        best, best_cost = 1, float("inf")
        for rows in range(1, w.out_height + 1):
            taken = (rows - 1) * w.sy + 3
            if rows > 1 and taken * self.pitch > SCRATCH_BUDGET:
                break
            bands = -(-w.out_height // rows)
            extraction = taken * self.columns * channels * 1.2
            setup = channels * 45
            cost = bands * (extraction + setup + 4 * self.fills(taken, rows))
            if cost < best_cost:
                best, best_cost = rows, cost
        self.band = best

    def fills(self, taken: int, rows: int) -> float:
        """Estimate the line fills of a band of `rows` output rows from `taken` input rows.

        A group of channels touches at most one line a pixel; with many channels those lines share few of the data
        cache's 128 places (32 sets, 4 ways).
        """
        w, group = self.window, self.group
        out_channels = w.channels * self.spec.multiplier
        read = taken * w.width * min(1.0, w.channels / 32)
        written = rows * w.out_width * min(1.0, out_channels / 32)
        places = 110 / max(1, out_channels // 32)
        if read + written <= places:
            return read * max(1.0, w.channels / 32) + written * max(1.0, out_channels / 32)
        # Each group reads the band again, and each channel writes it again unless it stays in the cache.
        return w.channels / group * (read + (written if written <= 0.7 * places else written * group))

    def constants(self) -> tuple[list[str], int]:
        """Return, for each output channel, (w0, w1), (w1, w2) of each kernel row, the bias twice, multiplier and
        rounding: 40 bytes.
        """
        spec = self.spec
        kernel = spec.weights.transpose(2, 0, 1).astype(np.int16)  # [out][ky][kx]
        n = kernel.shape[0]
        packed = halves(np.stack([kernel[:, :, 0:2], kernel[:, :, 1:3]], axis=2)).reshape(n, 6).astype(np.int64)
        bias = folded_bias(spec)
        multipliers = np.broadcast_to(spec.requantizer.multipliers, (n,))
        rounding = np.full(n, spec.requantizer.addend, np.int64)
        table = np.concatenate([packed, np.stack([bias, bias, multipliers, rounding], axis=1)], axis=1)
        return c_array(f"{self.name}_k", table, "int32_t", 10), 4 * table.size

    def emit(self) -> Emitted:
        w, spec = self.window, self.spec
        constants, flash = self.constants()
        channels_out = w.channels * spec.multiplier
        first = f"oy * {w.sy} - {w.pt}" if w.pt else f"oy * {w.sy}"
        rows = (
            f"const int rows = {w.out_height} - oy < {self.band} ? {w.out_height} - oy : {self.band};"
            if w.out_height % self.band
            else f"const int rows = {self.band};"
        )
        per_group = self.group * spec.multiplier
        step = self.row_bytes if spec.multiplier == 1 else 0  # planes of a group lie beside each other
        work = [f"{self.name}_channels(scratch, k, o, rows);"]
        body = [
            rows,
            f"const uint8_t *k = (const uint8_t *){self.name}_k;",
            f"int8_t *o = out + oy * {w.out_width * channels_out};",
            f"for (int c = 0; c < {w.channels}; c += {self.group}) {{",
            f"  {self.name}_planes(scratch, in + c, {first}, (rows - 1) * {w.sy} + 3);",
            *indent(work),
            f"  k += {40 * per_group};",
            f"  o += {per_group};",
            "}",
        ]
        code = [
            *self.planes_function(),
            "",
            *self.channel_function(per_group, step),
            "",
            f"static KERNEL void {self.name}(const int8_t *in, int8_t *out) {{",
            "  uint8_t *const scratch = (uint8_t *)graph_scratch;",
            f"  for (int oy = 0; oy < {w.out_height}; oy += {self.band}) {{",
            *indent(body, 2),
            "  }",
            "}",
        ]
        scratch = ((self.band - 1) * w.sy + 3) * self.pitch + 32
        return Emitted([*constants, *code], flash, scratch)

    # ---- taking channels apart -------------------------------------------------------------------------------

    def planes_function(self) -> list[str]:
        w, zero = self.window, self.spec.input_zero
        row = self.four_channels() if self.group == 4 else self.one_channel()
        outside = w.pt or (w.out_height - 1) * w.sy + 3 - w.pt > w.height
        lines = [f"in += y * {w.width * w.channels};"]
        loop = []
        if outside:
            loop += [
                f"if (y < 0 || y >= {w.height}) {{",
                f"  fill_words(dst, {words(zero)}, {self.pitch // 4});",
                "  continue;",
                "}",
            ]
        loop += row
        lines += [
            f"for (; rows > 0; rows--, y++, dst += {self.pitch}, in += {w.width * w.channels}) {{",
            *indent(loop),
            "}",
            "KERNEL_BARRIER();",
        ]
        return [
            f"/* `rows` input rows from row y of {self.group} channel(s) into planes. */",
            f"static KERNEL void {self.name}_planes(uint8_t *dst, const int8_t *in, int y, int rows) {{",
            *indent(lines),
            "}",
        ]

    def one_channel(self) -> list[str]:
        w, zero = self.window, self.spec.input_zero
        used = min(w.width, self.columns - w.pl)
        right = 2 * self.row_words - w.pl - used
        lines = ["uint8_t *d = dst;", "const int8_t *s = in;"]
        if w.pl:
            lines += [f"fill_halves(d, {zero}, {w.pl});", f"d += {2 * w.pl};"]
        lines += [f"for (int x = 0; x < {used}; x++, d += 2, s += {w.channels}) put_half(d, *s);"]
        if right:
            lines.append(f"fill_halves(d, {zero}, {right});")
        return lines

    def four_channels(self) -> list[str]:
        """Emit words of two neighbouring pixels of each of four channels; at the edges one or both are padding."""
        w = self.window
        lines = [
            "uint8_t *d = dst;",
            "const uint8_t *s = (const uint8_t *)in;",
            "uint32_t a, b, e, f, t, u;",
        ]
        kinds = []
        for j in range(self.row_words):
            left, right = 2 * j - w.pl, 2 * j + 1 - w.pl
            kinds.append((0 <= left < w.width, 0 <= right < w.width))
        lines += self.loads(kinds[0], 0)
        j = 0
        while j < self.row_words:
            run = 1
            while j + run < self.row_words and kinds[j + run] == kinds[j]:
                run += 1
            again = self.pack(kinds[j], kinds[j])
            if run - 1 > UNROLL_WORDS:
                lines += ["{", f"  int n = {run - 1};", *indent(["do {", *indent(again), "} while (--n != 0);"]), "}"]
            else:
                lines += again * (run - 1)
            j += run
            lines += self.pack(kinds[j - 1], kinds[j] if j < self.row_words else None)
        return lines

    def loads(self, kind: tuple[bool, bool], offset: int) -> list[str]:
        """Emit loads of four channels of a left and a right pixel into a and b; what lies outside is padding."""
        c, (left, right) = self.window.channels, kind
        byte = self.spec.input_zero & 0xFF
        pad = f"0x{byte * 0x01010101:08X}u"
        return [
            f"LDR(a, s, {offset});" if left else f"a = {pad};",
            f"LDR(b, s, {offset + (c if left else 0)});" if right else f"b = {pad};",
        ]

    def pack(self, kind: tuple[bool, bool], following: tuple[bool, bool] | None) -> list[str]:
        """Emit the packing of one word of each channel from a and b, with the loads of the next word in between."""
        step, advance = self.row_bytes, self.window.channels * sum(kind)
        next_a, next_b = self.loads(following, 0) if following else ("", "")
        base = -4 if following else 0
        lines = [  # the pointers move on first, in slots that nothing else can take
            "SXTB16(e, a);",
            "ADDI(d, 4);" if following else "",
            "SXTB16(f, b);",
            f"ADDI(s, {advance});" if following and advance else "",
            "PKHBT_LSL16(t, e, f);",
            "PKHTB_ASR16(u, f, e);",
            f"STR(t, d, {base});",
            "SXTB16_ROR8(e, a);",
            f"STR(u, d, {2 * step + base});",
            "SXTB16_ROR8(f, b);",
            next_a,
            "PKHBT_LSL16(t, e, f);",
            next_b,
            "PKHTB_ASR16(u, f, e);",
            f"STR(t, d, {step + base});",
            f"STR(u, d, {3 * step + base});",
        ]
        return [line for line in lines if line]

    # ---- one channel -----------------------------------------------------------------------------------------

    def channel_function(self, count: int, plane_step: int) -> list[str]:
        w = self.window
        out_step = w.channels * self.spec.multiplier
        pairs = w.out_width // 2
        most = min(self.unroll_pairs, 2000 // out_step)  # what a store's offset reaches
        unroll = max(u for u in range(1, most + 1) if pairs % u == 0) if pairs else 0
        step = 4 * w.sx  # bytes of a plane's row that two outputs move on by
        lines = [
            "uint32_t u0, v0, u1, v1, u2, v2, x0, x1;",
            "int32_t a0, a1, t0;" if pairs else "int32_t a0;",
            "const uint8_t *x = plane;",
            "int8_t *out = to;",
            "int left = rows;",
            "LDRD(u0, v0, k, 0);",
            "LDRD(u1, v1, k, 8);",
            "LDRD(u2, v2, k, 16);",
        ]
        first = ["LDRD(x0, x1, x, 0);", "LDRD(a0, a1, k, 24);"]
        if pairs == 0:
            row = ["const uint8_t *p = x;", *self.one(0), f"out += {out_step};"]
        elif pairs == unroll and not w.out_width & 1:
            # Whole rows stand in a line: the last two outputs load the next row's first operands.
            lines += first
            blocks = [
                self.two(out_step, i, i * step, (i + 1) * step if i + 1 < unroll else w.sy * self.pitch)
                for i in range(unroll)
            ]
            row = ["const uint8_t *p = x;", *[line for block in blocks for line in block]]
            row.append(f"out += {w.out_width * out_step};")
        else:
            blocks = [self.two(out_step, i, i * step, (i + 1) * step) for i in range(unroll)]
            row = [
                "const uint8_t *p = x;",
                *first,
                f"for (int n = {pairs // unroll}; n > 0; n--) {{",
                *indent([line for block in blocks for line in block]),
                f"  p += {unroll * step};",
                f"  out += {2 * unroll * out_step};",
                "}",
            ]
            if w.out_width & 1:
                row += [*self.one(0), f"out += {out_step};"]
        lines += ["do {", *indent(row), f"  x += {w.sy * self.pitch};", "} while (--left != 0);"]
        loop = [*lines, "k += 40;", "to++;", *([f"plane += {plane_step};"] if plane_step else [])]
        if count > 1:
            loop = [f"for (int c = {count}; c > 0; c--) {{", *indent(loop), "}"]
        return [
            f"/* {count} output channel(s) over the rows of a band. k: weights, bias, multiplier, rounding of each. */",
            f"static KERNEL void {self.name}_channels(const uint8_t *plane, const uint8_t *k, int8_t *to, int rows) {{",
            *indent(loop),
            "}",
        ]

    def words(self, at: int) -> list[str]:
        if at <= 1020:
            return [f"LDRD(x0, x1, p, {at});"]
        return [f"LDR(x0, p, {at});", f"LDR(x1, p, {at + 4});"]

    def two(self, out_step: int, index: int, at: int, following: int) -> list[str]:
        """Emit two outputs from byte `at` of the row on. The accumulators hold the bias, and x0 and x1 the first row's
        words; both are loaded again, the words from `following`.
        """
        lines = []
        for ky in range(3):
            u, v, last = f"u{ky}", f"v{ky}", ky == 2
            below = at + (ky + 1) * self.pitch
            if self.window.sx == 1:
                lines += [f"SMLAD(a0, x0, {u});", f"SMLATB(a1, x0, {u});"]
                lines += ["LDR(x0, k, 36);"] if last else []
                lines += [f"SMLABT(a0, x1, {v});", f"SMLAD(a1, x1, {v});"]
                lines += ["LDR(x1, k, 32);"] if last else self.words(below)
            else:
                lines += [f"SMLAD(a0, x0, {u});", f"LDR(x0, p, {at + ky * self.pitch + 8});", f"SMLAD(a1, x1, {u});"]
                lines += [f"SMLABT(a0, x1, {v});", "LDR(x1, k, 32);" if last else f"LDR(x1, p, {below + 4});"]
                lines += [f"SMLABT(a1, x0, {v});", "LDR(x0, k, 36);" if last else f"LDR(x0, p, {below});"]
        q = self.spec.requantizer
        if q.pre:
            limit = (1 << (31 - q.pre)) - 1
            lines += [f"{a} = saturate({a}, {limit}) * {1 << q.pre};" for a in ("a0", "a1")]
        lines += ["SMMLA(t0, a0, (int32_t)x1, (int32_t)x0);", "SMMLA(a1, a1, (int32_t)x1, (int32_t)x0);"]
        lines += self.words(following)
        # The first bias is loaded two cycles before its sum begins, the second a cycle later.
        lines += [f"SSAT8_ASR(t0, t0, {q.shift});", "LDR(a0, k, 24);", *self.clamp("t0")]
        place = 2 * index * out_step
        lines += [f"SSAT8_ASR(a1, a1, {q.shift});", f"STRB(t0, out, {place});", *self.clamp("a1")]
        return [*lines, f"STRB(a1, out, {place + out_step});", "LDR(a1, k, 28);"]

    def clamp(self, name: str) -> list[str]:
        low, high = self.spec.low, self.spec.high
        return [] if (low, high) == (-128, 127) else [f"{name} = clamp({name}, {c_int(low)}, {c_int(high)});"]

    def one(self, at: int) -> list[str]:
        """Emit the last output of a row of odd length."""
        q = self.spec.requantizer
        lines = ["LDR(a0, k, 24);"]
        for ky in range(3):
            lines += [
                f"LDR(x0, p, {at + ky * self.pitch});",
                f"LDR(x1, p, {at + ky * self.pitch + 4});",
                f"SMLAD(a0, x0, u{ky});",
                f"SMLABT(a0, x1, v{ky});",
            ]
        lines.append("LDRD(x0, x1, k, 32);")
        if q.pre:
            lines.append(f"a0 = saturate(a0, {(1 << (31 - q.pre)) - 1}) * {1 << q.pre};")
        lines += ["SMMLA(a0, a0, (int32_t)x0, (int32_t)x1);", f"SSAT8_ASR(a0, a0, {q.shift});"]
        return [*lines, *self.clamp("a0"), "STRB(a0, out, 0);"]


class PlainDepthwise:
    """Emits any kernel and stride, tap by tap: correct, compact and slow."""

    def __init__(self, spec: DepthwiseSpec, name: str) -> None:
        self.spec, self.name = spec, name

    def emit(self) -> Emitted:
        spec, w, q = self.spec, self.spec.window, self.spec.requantizer
        n = spec.weights.shape[2]
        table = np.stack([folded_bias(spec), np.broadcast_to(q.multipliers, (n,))], axis=1)
        lines = [
            *c_array(f"{self.name}_k", table, "int32_t", 8),
            *c_array(f"{self.name}_w", spec.weights, "int8_t"),
            f"static KERNEL void {self.name}(const int8_t *in, int8_t *out) {{",
            "  static const depthwise_t shape = {"
            f"{w.height}, {w.width}, {w.channels}, {w.kh}, {w.kw}, {w.sy}, {w.sx}, {w.pt}, {w.pl}, "
            f"{w.out_height}, {w.out_width}, {spec.multiplier}, {spec.input_zero}, {q.pre}, {q.shift}, "
            f"{c_int(q.addend)}, {spec.low}, {spec.high}}};",
            f"  depthwise_plain(in, out, {self.name}_w, {self.name}_k, &shape);",
            "}",
        ]
        return Emitted(lines, 4 * table.size + spec.weights.size + 72)
