"""Says what is wrong in a configuration, in the bench's words: pydantic's findings as one line with the key and the
cure.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

_MANY = 12  # known keys beyond which only the nearest ones are told
_NEAREST = 5
_SILENT = ("missing", "extra_forbidden", "secret", "union_tag_not_found")  # the value is absent, or not to be told

_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda c: "is missing",
    "string_type": lambda c: "must be text in quotes",
    "path_type": lambda c: "must be a path in quotes",
    "int_type": lambda c: "must be a whole number",
    "int_parsing": lambda c: "must be a whole number",
    "int_from_float": lambda c: "must be a whole number",
    "float_type": lambda c: "must be a number",
    "float_parsing": lambda c: "must be a number",
    "finite_number": lambda c: "must be a finite number",
    "bool_type": lambda c: "must be true or false",
    "bool_parsing": lambda c: "must be true or false",
    "greater_than": lambda c: f"must be above {c['gt']:g}",
    "greater_than_equal": lambda c: f"must be at least {c['ge']:g}",
    "less_than": lambda c: f"must be below {c['lt']:g}",
    "less_than_equal": lambda c: f"must be at most {c['le']:g}",
    "literal_error": lambda c: f"must be {c['expected']}",
    "enum": lambda c: f"must be {c['expected']}",
    "union_tag_invalid": lambda c: f"{str(c['discriminator']).strip(chr(39))} must be one of {c['expected_tags']}",
    "union_tag_not_found": lambda c: f"lacks {str(c['discriminator']).strip(chr(39))}",
    "string_pattern_mismatch": lambda c: f"must have the form {c['pattern']}",
    "string_too_short": lambda c: f"must have at least {c['min_length']} characters",
    "string_too_long": lambda c: f"must have at most {c['max_length']} characters",
    "too_short": lambda c: f"must have at least {c['min_length']} values",
    "too_long": lambda c: f"must have at most {c['max_length']} values",
    "list_type": lambda c: "must be a list in brackets",
    "tuple_type": lambda c: "must be a list in brackets",
    "dict_type": lambda c: "must be a section",
    "model_type": lambda c: "must be a section",
    "model_attributes_type": lambda c: "must be a section",
    "value_error": lambda c: str(c["error"]),
    "assertion_error": lambda c: str(c["error"]),
}


def first_problem(error: ValidationError, model: type[BaseModel] | None = None) -> tuple[str, str]:
    """Word the first finding as what is wrong and its cure; a secret's value is never told.

    Args:
        model: the model that was to be made: an unknown key then names the known ones.
    """
    first = error.errors()[0]
    key = key_of(error)
    more = f"; {error.error_count() - 1} more" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = list(known_keys(model, first["loc"][:-1])) if model else []
        return f"unknown key '{key}'{more}", _known(str(first["loc"][-1]), known) or "take it out"
    word = _WORDS.get(first["type"])
    said = word(first.get("ctx", {})) if word else first["msg"][:1].lower() + first["msg"][1:]
    value = first.get("input")
    silent = first["type"] in _SILENT or isinstance(value, dict | BaseModel)
    got = "" if silent else f" (got {str(value)[:40]!r})"
    return f"{f'key {key}: ' if key else ''}{said}{got}{more}", "mend that key"


def key_of(error: ValidationError) -> str:
    """Return the dotted key of the first finding; "" for what concerns the whole."""
    return ".".join(str(part) for part in error.errors()[0]["loc"])


def _known(wrong: str, known: list[str]) -> str:
    if len(known) > _MANY:
        known = difflib.get_close_matches(wrong, known, n=_NEAREST, cutoff=0.0)
        return f"the nearest known ones are {', '.join(known)}"
    return f"known are {', '.join(known)}" if known else ""


def known_keys(model: type[BaseModel], section: tuple[int | str, ...]) -> Iterator[str]:
    """Return the keys that a section of a model's file may have, in order."""
    found: list[Any] = [model]
    for part in section:
        found = [kind for one in found for kind in _inside(one, part)] or [k for k in found if _tagged(k, part)]
    keys = [field.alias or name for kind in found if _is_model(kind) for name, field in kind.model_fields.items()]
    yield from dict.fromkeys(keys)


def _inside(kind: Any, part: int | str) -> Iterator[Any]:
    """Return the types that stand under a key or index of a type."""
    if _is_model(kind):
        for name, field in kind.model_fields.items():
            if part in (name, field.alias):
                yield from _plain(field.annotation)
    elif get_origin(kind) is dict:
        yield from _plain(get_args(kind)[1])
    elif get_origin(kind) in (list, tuple):
        yield from _plain(get_args(kind)[0])


def _plain(kind: Any) -> Iterator[Any]:
    """Return the types of a union, one by one, without their annotations."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _plain(get_args(kind)[0])
    elif origin in (Union, UnionType):
        for one in get_args(kind):
            yield from _plain(one)
    else:
        yield kind


def _tagged(kind: Any, tag: int | str) -> bool:
    """Say whether this is the member of a union that goes by `tag`, which is no key."""
    if not _is_model(kind):
        return False
    return any(
        get_origin(field.annotation) is Literal and tag in get_args(field.annotation)
        for field in kind.model_fields.values()
    )


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
