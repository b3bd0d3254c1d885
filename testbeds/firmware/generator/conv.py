"""Emits CONV_2D: a band of input rows is widened to 16 bits once, then every pair of output channels runs over it.

The widened rows and the two channels' weights lie in scratch memory (DTCM on the board: no wait states, no cache). A
3x3 window of a pixel is three runs of consecutive halves there, so no patch matrix is built. Two pixels by two channels
are worked on at a time (dot.py).
"""

from __future__ import annotations

import numpy as np

from .conv_pair import PairCode
from .conv_spec import ConvSpec
from .layer import Emitted
from .source import c_array, halves, indent, round_up, words

SCRATCH_BUDGET = 20 << 10  # bytes of scratch that one layer may take
UNROLL_WORDS = {"fast": 104, "lean": 16}  # words of one inner product that are unrolled; 52 bytes of code for two
CHUNK_WORDS = {"fast": 48, "lean": 12}  # of a longer row that is worked on in a loop; an even number of steps


def folded_bias(spec: ConvSpec) -> np.ndarray:
    """Return the bias for inputs taken with their zero point: bias - zero * sum of weights. Padding is that point."""
    sums = spec.weights.reshape(spec.weights.shape[0], -1).astype(np.int64).sum(1)
    return np.asarray(spec.bias.astype(np.int64) - spec.input_zero * sums)


class Conv:
    """Plans and emits one convolution."""

    def __init__(self, spec: ConvSpec, name: str, variant: str) -> None:
        self.spec, self.name, self.window = spec, name, spec.window
        w = self.window
        self.unroll_words, self.chunk_words = UNROLL_WORDS[variant], CHUNK_WORDS[variant]
        self.out_channels = spec.weights.shape[0]
        self.quads = w.channels % 4 == 0  # the data may lie in SXTB16's order, four elements at a time
        self.flat = w.contiguous and self.quads  # the band is one long row of pixels
        self.segment_words = -(-w.kw * w.channels // 2)
        self.total_words = round_up(w.kh * self.segment_words, 2)
        self.plan_rows()
        self.pairs = -(-self.out_channels // 2)
        self.plan_band()
        self.wide_weights = variant == "fast" and self.band_pixels < 16 and self.total_words * 8 <= 2048

    def plan_rows(self) -> None:
        """Plan how an input row lies in scratch: one copy, or two where pixels start at odd halves (stride x C odd)."""
        w = self.window
        columns = w.width if self.flat else (w.out_width - 1) * w.sx + w.kw
        self.columns = columns
        parity = (w.pl * w.channels) & 1
        alternates = (w.sx * w.channels) & 1 and w.out_width > 1
        self.copies = [parity, 1 - parity] if alternates else [parity]
        # This is where the row's first byte goes, in halves from the copy's start.
        self.lead = {k: (w.pl * w.channels + k) & 1 for k in self.copies}
        self.copy_halves = round_up(columns * w.channels + 2, 4) if not self.quads else columns * w.channels
        self.pitch = 2 * self.copy_halves * len(self.copies)
        if alternates:
            second = 2 * (self.copy_halves + self.lead[self.copies[1]] + w.sx * w.channels - self.lead[parity])
        else:
            second = 2 * w.sx * w.channels
        self.second = second
        self.first = 2 * self.lead[parity]  # where the window of pixel 0 starts

    def plan_band(self) -> None:
        """Plan the rows of a band: as many as pay, by a rough count of cycles, and as fit the scratch memory."""
        w = self.window
        best, best_cost = 1, float("inf")
        for rows in range(1, w.out_height + 1):
            if rows > 1 and self.scratch_for(rows) > SCRATCH_BUDGET:
                break
            bands = -(-w.out_height // rows)
            widening = ((rows - 1) * w.sy + w.kh) * self.columns * w.channels * 0.7
            unpacking = self.pairs * (self.total_words * 3 + 40)
            written = rows * w.out_width * self.out_channels
            lines = written / 32
            misses = lines * 4 if written <= 2048 else self.pairs * min(lines, rows * w.out_width) * 4
            cost = bands * (widening + unpacking + misses)
            if cost < best_cost:
                best, best_cost = rows, cost
        self.band = best
        self.band_pixels = best * w.out_width

    def band_rows(self, rows: int) -> int:
        return (rows - 1) * self.window.sy + self.window.kh

    def scratch_for(self, rows: int) -> int:
        slack = round_up(max(self.pitch, 2 * self.second) + 64, 8)
        return self.band_rows(rows) * self.pitch + slack + self.total_words * 8 + 32

    # ---- constants -------------------------------------------------------------------------------------------

    def channel_pairs(self) -> list[tuple[int, int]]:
        """Return the pairs of output channels; with an odd count the last pair overlaps the one before it."""
        n = self.out_channels
        if n == 1:
            return [(0, 0)]
        return [(c, c + 1) for c in range(0, n - 1, 2)] + ([(n - 2, n - 1)] if n & 1 else [])

    def weight_words(self) -> np.ndarray:
        """Return the weights as halves [out][total_words][2], in the order in which the data lies in scratch."""
        w, spec = self.window, self.spec
        n = self.out_channels
        segments = np.zeros((n, w.kh, self.segment_words * 2), np.int16)
        flat = spec.weights.reshape(n, w.kh, w.kw * w.channels)
        if self.quads:
            flat = flat.reshape(n, w.kh, -1, 4)[..., [0, 2, 1, 3]].reshape(n, w.kh, -1)
        segments[:, :, : flat.shape[2]] = flat
        total = np.zeros((n, self.total_words, 2), np.int16)
        total[:, : w.kh * self.segment_words] = segments.reshape(n, -1, 2)
        return total

    def constants(self) -> tuple[list[str], int]:
        """Return the C arrays of weights and per-pair constants, and their bytes."""
        bias, multipliers = folded_bias(self.spec), self.spec.requantizer.multipliers
        multipliers = np.broadcast_to(multipliers, (self.out_channels,))
        pairs = self.channel_pairs()
        table = np.array([[bias[a], bias[b], multipliers[a], multipliers[b]] for a, b in pairs], np.int64)
        total = self.weight_words()
        both = np.stack([np.stack([total[a], total[b]], axis=1) for a, b in pairs])  # [pair][word][2 ch][2]
        if self.wide_weights:
            weights = halves(both).reshape(len(pairs), -1)
            data = np.concatenate([table, weights], axis=1).reshape(-1)
            data = np.concatenate([data, np.zeros(4, np.int64)])  # the loads run ahead
            return c_array(f"{self.name}_w", data, "int32_t", 12), 4 * data.size
        lines = c_array(f"{self.name}_k", table, "int32_t", 8)
        # widen_pair takes 4 bytes of each channel: SXTB16 makes bytes 0, 2 the first word and 1, 3 the second.
        steps_ = both.reshape(len(pairs), -1, 2, 2, 2)  # [pair][step][word in step][channel][half]
        packed = steps_.transpose(0, 1, 3, 4, 2)  # [pair][step][channel][half][word]: bytes e0 e2' ...
        data = packed.reshape(-1).astype(np.int8)
        data = np.concatenate([data, np.zeros(8, np.int8)])
        return [*lines, *c_array(f"{self.name}_w", data, "int8_t")], data.size + 4 * table.size

    # ---- code ------------------------------------------------------------------------------------------------

    def emit(self) -> Emitted:
        w = self.window
        constants, flash = self.constants()
        buffer_bytes = self.scratch_for(self.band) - self.total_words * 8 - 32
        buffer_bytes = round_up(buffer_bytes, 8)
        count = f"rows * {w.width}" if self.flat else "rows"
        channel = f"(c == {self.pairs - 1} ? {self.out_channels - 2} : 2 * c)" if self.out_channels & 1 else "2 * c"
        if self.out_channels == 1:
            channel = "0"
        constants_ = f"*k = (const uint8_t *){self.name}_k" if not self.wide_weights else "*unused = 0"
        tail = [
            f"const uint8_t *w = (const uint8_t *){self.name}_w, {constants_};",
            f"int8_t *o = out + oy * {w.out_width * self.out_channels};",
            f"for (int c = 0; c < {len(self.channel_pairs())}; c++) {{",
        ]
        if self.wide_weights:
            tail = [line.replace(", *unused = 0", "") for line in tail]
            tail += [
                f"  {self.name}_pair(scratch + {self.first}, w + 16, o + {channel}, {count});",
                f"  w += {self.total_words * 8 + 16};",
            ]
        else:
            tail += [
                f"  widen_pair(scratch + {buffer_bytes}, k, w, {self.total_words // 2});",
                "  KERNEL_BARRIER();",
                f"  {self.name}_pair(scratch + {self.first}, scratch + {buffer_bytes + 16}, o + {channel}, {count});",
                f"  w += {self.total_words * 4};",
                "  k += 16;",
            ]
        tail += ["}"]
        rows = (
            f"const int rows = {w.out_height} - oy < {self.band} ? {w.out_height} - oy : {self.band};"
            if w.out_height % self.band
            else f"const int rows = {self.band};"
        )
        code = [
            *PairCode(self).function(),
            "",
            f"static KERNEL void {self.name}(const int8_t *in, int8_t *out) {{",
            "  uint8_t *const scratch = (uint8_t *)graph_scratch;",
            f"  for (int oy = 0; oy < {w.out_height}; oy += {self.band}) {{",
            *indent([rows, *self.widen_band(), "KERNEL_BARRIER();", *tail], 2),
            "  }",
            "}",
        ]
        return Emitted([*constants, *code], flash, buffer_bytes + self.total_words * 8 + 32)

    def widen_band(self) -> list[str]:
        w = self.window
        row_bytes = w.width * w.channels
        if self.flat:
            source = f"(const uint8_t *)(in + oy * {row_bytes})"
            return [f"widen_quads(scratch, {source}, rows * {row_bytes // 4});"]
        first = f"oy * {w.sy} - {w.pt}" if w.pt else f"oy * {w.sy}"
        lines = [
            f"const int8_t *src = in + ({first}) * {row_bytes};",
            "uint8_t *dst = scratch;",
            f"for (int r = 0; r < (rows - 1) * {w.sy} + {w.kh}; r++, dst += {self.pitch}, src += {row_bytes}) {{",
        ]
        body = self.widen_row()
        below = (w.out_height - 1) * w.sy + w.kh - w.pt > w.height
        if w.pt or below:
            lines += [
                f"  const int y = {first} + r;",
                f"  if (y < 0 || y >= {w.height}) {{",
                f"    fill_words(dst, {words(self.spec.input_zero)}, {self.pitch // 4});",
                "    continue;",
                "  }",
            ]
        return [*lines, *indent(body), "}"]

    def widen_row(self) -> list[str]:
        """Emit the widening of one row into its copies, with the padding left and right of it."""
        w, zero = self.window, self.spec.input_zero
        used = min(w.width, self.columns - w.pl)  # columns of the input that any window reaches
        right = self.columns - w.pl - used
        lines = []
        if self.quads:
            pixel = 2 * w.channels
            if w.pl:
                lines.append(f"fill_words(dst, {words(zero)}, {w.pl * pixel // 4});")
            lines.append(f"widen_quads(dst + {w.pl * pixel}, (const uint8_t *)src, {used * w.channels // 4});")
            if right:
                at = (w.pl + used) * pixel
                lines.append(f"fill_words(dst + {at}, {words(zero)}, {right * pixel // 4});")
            return lines
        count = used * w.channels
        aligned = (w.width * w.channels) % 4 == 0 and count % 4 == 0
        for number, parity in enumerate(self.copies):
            at = 2 * (number * self.copy_halves + self.lead[parity])
            start = at + 2 * w.pl * w.channels
            if w.pl:
                lines.append(f"fill_halves(dst + {at}, {zero}, {w.pl * w.channels});")
            if not aligned:
                lines.append(f"widen_bytes(dst + {start}, src, {count});")
            elif start % 4 == 0:
                lines.append(f"widen_even(dst + {start}, (const uint8_t *)src, {count});")
            else:
                lines.append(f"widen_odd(dst + {start - 2}, (const uint8_t *)src, {count}, {zero});")
            if right:
                lines.append(f"fill_halves(dst + {start + 2 * count}, {zero}, {right * w.channels});")
        return lines
