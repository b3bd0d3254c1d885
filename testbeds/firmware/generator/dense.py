"""Emits FULLY_CONNECTED, and 1x1 convolutions of one pixel: each weight is used once, so it is widened in passing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .conv_pair import finish
from .dense_pairs import PairLoop, packable, packed, segment
from .layer import Emitted
from .quant import Requantizer
from .source import c_array, c_int, indent, round_up

UNROLL = 4  # steps of four inputs


@dataclass(frozen=True)
class DenseSpec:
    """Describes a dense layer: `weights` are int8 [out, in], `bias` is int32 [out]."""

    weights: np.ndarray
    bias: np.ndarray
    requantizer: Requantizer
    input_zero: int
    low: int
    high: int
    rows: int = 1


class Dense:
    """Emits four outputs at a time over an input that lies widened in scratch memory."""

    def __init__(self, spec: DenseSpec, name: str) -> None:
        self.spec, self.name = spec, name
        self.outputs, self.inputs = spec.weights.shape
        self.padded = round_up(self.inputs, 4)
        self.groups = [(c, min(4, self.outputs - c)) for c in range(0, self.outputs, 4)]
        self.paired = packable(spec.weights)
        if self.paired and self.groups[-1][1] == 3:
            self.groups[-1:] = [(self.outputs - 3, 2), (self.outputs - 1, 1)]

    def constants(self) -> tuple[list[str], int]:
        spec = self.spec
        weights = np.zeros((self.outputs, self.padded), np.int8)
        weights[:, : self.inputs] = spec.weights
        parts = [
            packed(weights[c : c + n])
            if self.paired and n > 1
            else weights[c : c + n].reshape(n, -1, 4).transpose(1, 0, 2).reshape(-1)
            for c, n in self.groups
        ]
        data = np.concatenate([*parts, np.zeros(32, np.int8)])
        bias = spec.bias.astype(np.int64) - spec.input_zero * spec.weights.astype(np.int64).sum(1)
        multipliers = np.broadcast_to(spec.requantizer.multipliers, (self.outputs,))
        table = np.stack([bias, multipliers], axis=1)
        lines = [*c_array(f"{self.name}_k", table, "int32_t", 8), *c_array(f"{self.name}_w", data, "int8_t")]
        return lines, data.size + 4 * table.size

    def emit(self) -> Emitted:
        constants, flash = self.constants()
        sizes = sorted({n for _, n in self.groups}, reverse=True)
        code: list[str] = []
        for n in sizes:
            code += [*(self.pair_function(n) if self.paired and n > 1 else self.group_function(n)), ""]
        whole, rest = divmod(self.inputs, 4)
        body = [
            f"widen_quads(scratch, (const uint8_t *)in, {whole});" if whole else "",
            *(
                [
                    "{",
                    "  uint8_t last[4] = {0, 0, 0, 0};",
                    f"  memcpy(last, in + {4 * whole}, {rest});",
                    "  KERNEL_BARRIER();",
                    f"  widen_quads(scratch + {8 * whole}, last, 1);",
                    "}",
                ]
                if rest
                else []
            ),
            "KERNEL_BARRIER();",
            f"const uint8_t *w = (const uint8_t *){self.name}_w, *k = (const uint8_t *){self.name}_k;",
        ]
        fours = self.outputs // 4
        if fours:
            body += [
                f"for (int c = 0; c < {fours}; c++, w += {4 * self.padded}, k += 32)",
                f"  {self.name}_by4(scratch, w, k, out + 4 * c);",
            ]
        for c, n in self.groups[fours:]:
            body.append(f"{self.name}_by{n}(scratch, w, k, out + {c});")
            if c + n < self.outputs:
                body.append(f"w += {n * self.padded}, k += {8 * n};")
        if self.spec.rows > 1:
            body = [
                f"for (int row = 0; row < {self.spec.rows}; row++, in += {self.inputs}, out += {self.outputs}) {{",
                *indent(body),
                "}",
            ]
        code += [
            f"static KERNEL void {self.name}(const int8_t *in, int8_t *out) {{",
            "  uint8_t *const scratch = (uint8_t *)graph_scratch;",
            *indent(body),
            "}",
        ]
        return Emitted([*constants, *code], flash, 2 * self.padded + 64)

    def group_function(self, n: int) -> list[str]:
        accumulators = [f"a{i}" for i in range(n)]
        steps, rest = divmod(self.padded // 4, UNROLL)
        raw = [f"w{i}" for i in range(n)]
        lines = [
            f"uint32_t x0, x1, t, {', '.join(raw)};",
            f"int32_t {', '.join(accumulators)}, {', '.join(f'm{i}' for i in range(n))}, r;",
            *[f"LDR({a}, k, {8 * i});" for i, a in enumerate(accumulators)],
            *self.load("w", raw, 0, 0),
            "LDRD(x0, x1, x, 0);",
        ]
        if steps:
            loop = [line for i in range(UNROLL) for line in self.step(n, i, i + 1 == UNROLL, UNROLL)]
            lines += [f"for (int n = {steps}; n > 0; n--) {{", *indent(loop), "}"]
        for i in range(rest):
            lines += self.step(n, i, False, 0, last=i + 1 == rest)
        return self.function(n, [*lines, *self.ending(n, accumulators)])

    def pair_function(self, n: int) -> list[str]:
        """Emit 2 or 4 outputs by dense_pairs.py: a0 and a1 are the first of each pair, l0 and l1 the second."""
        loop = PairLoop(n)
        pairs = range(n // 2)
        weights = np.concatenate([self.spec.weights[c : c + size] for c, size in self.groups if size == n])
        lines = [
            f"uint32_t {loop.declared()};",
            f"int32_t {', '.join(f'a{i} = 0, s{i}, l{i}, m{2 * i}, m{2 * i + 1}' for i in pairs)}, r, b;",
            *(f"LDR(l{i}, k, {16 * i + 8}); s{i} = l{i};" for i in pairs),
            *loop.lines(self.padded // 4, segment(weights)),
            *(f"LDR(b, k, {16 * i}); a{i} += b;" for i in pairs),
        ]
        return self.function(n, [*lines, *self.ending(n, [f"{kind}{i}" for i in pairs for kind in "al"])])

    def ending(self, n: int, accumulators: list[str]) -> list[str]:
        """Emit the way from accumulators to bytes."""
        spec = self.spec
        addend = c_int(spec.requantizer.addend)
        lines = [f"LDR(m{i}, k, {8 * i + 4});" for i in range(n)]
        lines += [f"CONST_LOW(r, {addend});", f"CONST_HIGH(r, {addend});"]
        lines += finish(
            accumulators,
            [f"m{i}" for i in range(n)],
            [str(i) for i in range(n)],
            list(range(n)),
            spec.requantizer,
            spec.low,
            spec.high,
            [],
        )
        return lines

    def function(self, n: int, lines: list[str]) -> list[str]:
        return [
            f"/* {n} output(s): x the widened input, w the weights, k biases and multipliers. */",
            f"static KERNEL void {self.name}_by{n}(const uint8_t *x, const uint8_t *w, const uint8_t *k,",
            "                         int8_t *out) {",
            *indent(lines),
            "}",
        ]

    def load(self, pointer: str, raw: list[str], offset: int, first: int) -> list[str]:
        """Emit loads of the raw words from `first` on, two at a time."""
        lines = []
        for i in range(first, len(raw), 2):
            if i + 1 < len(raw):
                lines.append(f"LDRD({raw[i]}, {raw[i + 1]}, {pointer}, {offset + 4 * i});")
            else:
                lines.append(f"LDR({raw[i]}, {pointer}, {offset + 4 * i});")
        return lines

    def step(self, n: int, at: int, wrap: bool, unroll: int, last: bool = False) -> list[str]:
        """Emit four inputs by n outputs: an SXTB16 and an SMLAD a cycle, then the next step's loads."""
        lines = ["SXTB16(t, w0);"]
        pending = "SMLAD(a0, x0, t);"
        for i in range(n):
            lines += [f"SXTB16_ROR8(w{i}, w{i});", pending]
            pending = f"SMLAD(a{i}, x1, w{i});"
            if i + 1 < n:
                lines += [f"SXTB16(t, w{i + 1});", pending]
                pending = f"SMLAD(a{i + 1}, x0, t);"
        lines.append(pending)
        if last:
            return lines
        if wrap:
            return [
                *lines,
                f"ADDI(w, {4 * n * unroll});",
                *self.load("w", [f"w{i}" for i in range(n)], 0, 0),
                f"ADDI(x, {8 * unroll});",
                "LDRD(x0, x1, x, 0);",
            ]
        return [
            *lines,
            *self.load("w", [f"w{i}" for i in range(n)], 4 * n * (at + 1), 0),
            f"LDRD(x0, x1, x, {8 * (at + 1)});",
        ]
