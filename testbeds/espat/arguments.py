"""Parses an AT command's arguments: numbers and quoted strings between commas (ESP-AT user guide, "Command Types")."""

from __future__ import annotations


class BadArguments(ValueError):
    """Says that the arguments are not what the command takes: the module answers ERROR."""


def split_arguments(text: str) -> list[int | str]:
    r"""Split a text into its arguments: `0,"a\,b",5` becomes [0, 'a,b', 5]. Quoted strings may escape `"`, `,` and `\`
    with a backslash.

    Raises:
        BadArguments: a quote is open, text follows a quote, or an unquoted word is not a number.
    """
    out: list[int | str] = []
    k = 0
    while True:
        if k < len(text) and text[k] == '"':
            word, k = _quoted(text, k + 1)
            out.append(word)
        else:
            end = text.find(",", k)
            end = len(text) if end < 0 else end
            out.append(_number(text[k:end]))
            k = end
        if k == len(text):
            return out
        if text[k] != ",":
            raise BadArguments(f"a comma is missing at {k}")
        k += 1


def _quoted(text: str, k: int) -> tuple[str, int]:
    word = []
    while k < len(text) and text[k] != '"':
        if text[k] == "\\" and k + 1 < len(text):
            k += 1
        word.append(text[k])
        k += 1
    if k >= len(text):
        raise BadArguments("a quote is not closed")
    return "".join(word), k + 1


def _number(text: str) -> int | str:
    if text == "":
        return ""  # an optional argument left out
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise BadArguments(f"{text[:12]!r} is no number")
    return int(text)
