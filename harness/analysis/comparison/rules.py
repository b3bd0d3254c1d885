"""Evaluates the rules of claims: comparisons joined by `and`, over + - * /, numbers and names, and nothing else.

A rule is told with its chance error: each comparison is a difference, and one of less than two standard errors is
undecided. Names that stand for the same measured value err together.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping

from harness.analysis.comparison.basis import ERRORS, all_of

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.GtE: operator.ge,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.Lt: operator.lt,
}


def holds(rule: str, numbers: Mapping[str, float]) -> bool:
    """Evaluate a rule.

    Raises:
        ValueError: anything else in it, or an unknown name.
    """
    return all([value for _, value in _parts(rule, numbers)])  # every part is checked, also behind a false one


def decided(rule: str, numbers: Mapping[str, float], errors: Mapping[str, tuple[str, float]]) -> bool | None:
    """Evaluate a rule whose numbers have standard errors; None where they leave it undecided.

    Args:
        errors: by name, the value that it stands for (names of one value err together) and its standard error.

    Raises:
        ValueError: as `holds`. ZeroDivisionError: it divides by 0.
    """
    plain = _parts(rule, numbers)
    variance: list[dict[str, float]] = [{} for _ in plain]
    for name, (of, error) in errors.items():
        moved = _parts(rule, {**numbers, name: numbers[name] + error})
        for own, (before, _), (after, _) in zip(variance, plain, moved, strict=True):
            own[of] = own.get(of, 0.0) + after - before
    found: list[bool | None] = []
    for own, (apart, value) in zip(variance, plain, strict=True):
        error = math.hypot(*own.values()) if own else 0.0
        found.append(None if abs(apart) < ERRORS * error else value)
    return all_of(found)


def _parts(rule: str, numbers: Mapping[str, float]) -> list[tuple[float, bool]]:
    """Return, for each comparison, left less right and whether it holds."""
    try:
        tree = ast.parse(rule, mode="eval").body
    except SyntaxError as e:
        raise ValueError(f"rule '{rule}' can't be read") from e
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    return [_compare(part, rule, numbers) for part in parts]


def _compare(node: ast.expr, rule: str, numbers: Mapping[str, float]) -> tuple[float, bool]:
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or type(node.ops[0]) not in _COMPARISONS:
        raise ValueError(f"rule '{rule}' is no comparison")
    left, right = _number(node.left, rule, numbers), _number(node.comparators[0], rule, numbers)
    return left - right, _COMPARISONS[type(node.ops[0])](left, right)


def _number(node: ast.expr, rule: str, numbers: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in numbers:
        return numbers[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _ARITHMETIC[type(node.op)](_number(node.left, rule, numbers), _number(node.right, rule, numbers))
    raise ValueError(f"rule '{rule}' holds what is no number, known name or + - * /")
