"""JSON as RFC 8259 has it, for texts that are not in the form of RFC 8785: what they say is known all the same.

Section 7 tells a text that is no JSON (UNVERIFIABLE) from one of another form (CONTENT_MISMATCH), of which everything
else is checked. Of members with one name the last counts. As in `canonical`, nesting cannot exhaust the interpreter.
"""

from __future__ import annotations

import re
from json.decoder import scanstring
from typing import Any, List, Optional, Tuple

from .members import LARGEST

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LITERALS = (("true", True), ("false", False), ("null", None))


class NotJson(ValueError):
    """The text is no JSON."""


def _skip(text: str, pos: int) -> int:
    match = _SPACE.match(text, pos)
    assert match is not None  # the pattern matches nothing as well
    return match.end()


def _string(text: str, pos: int) -> Tuple[str, int]:
    if text[pos : pos + 1] != '"':
        raise NotJson("a string is expected at character %d" % pos)
    try:
        return scanstring(text, pos + 1, True)
    except ValueError:
        raise NotJson("no JSON string at character %d" % pos) from None


def _key(text: str, pos: int) -> Tuple[str, int]:
    key, pos = _string(text, pos)
    pos = _skip(text, pos)
    if text[pos : pos + 1] != ":":
        raise NotJson("a colon is expected at character %d" % pos)
    return key, _skip(text, pos + 1)


def _scalar(text: str, pos: int) -> Tuple[Any, int]:
    if text[pos : pos + 1] == '"':
        return _string(text, pos)
    for literal, value in _LITERALS:
        if text.startswith(literal, pos):
            return value, pos + len(literal)
    match = _NUMBER.match(text, pos)
    if match is None:
        raise NotJson("no JSON value at character %d" % pos)
    number = float(match.group())
    return (int(number) if abs(number) <= LARGEST and number == int(number) else number), match.end()


def read(text: str, max_depth: Optional[int] = None) -> Any:
    """The value of a text that is JSON. Raises NotJson, also where more than `max_depth` objects and lists are open."""
    frames: List[Tuple[Any, Optional[str]]] = []
    pos = _skip(text, 0)
    while True:
        opening = text[pos : pos + 1]
        if opening == "{" or opening == "[":
            if max_depth is not None and len(frames) >= max_depth:
                raise NotJson("nesting is deeper than this program reads at character %d" % pos)
            value: Any = {} if opening == "{" else []
            pos = _skip(text, pos + 1)
            if text[pos : pos + 1] != ("}" if opening == "{" else "]"):
                key: Optional[str] = None
                if opening == "{":
                    key, pos = _key(text, pos)
                frames.append((value, key))
                continue
            pos += 1
        else:
            value, pos = _scalar(text, pos)
        while True:
            pos = _skip(text, pos)
            if not frames:
                if pos != len(text):
                    raise NotJson("something follows the value at character %d" % pos)
                return value
            container, key = frames.pop()
            if key is None:
                container.append(value)
            else:
                container[key] = value
            following = text[pos : pos + 1]
            pos += 1
            if following == ("]" if key is None else "}"):
                value = container
                continue
            if following != ",":
                raise NotJson("a comma or an end is expected at character %d" % (pos - 1))
            pos = _skip(text, pos)
            if key is not None:
                key, pos = _key(text, pos)
            frames.append((container, key))
            break
