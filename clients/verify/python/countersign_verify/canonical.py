"""RFC 8785 (JSON Canonicalization Scheme): strict reading and writing.

`scan` accepts a text only if it is byte for byte the RFC 8785 form of the value that it reads: no white space, keys in
the order of their UTF-16 code units and each once (section 3.2.3), strings with the escapes of section 3.2.2.2 and no
others, numbers as ECMAScript writes them (section 3.2.2.3). It keeps its own stack, so nesting cannot exhaust that of
the interpreter.
"""

from __future__ import annotations

import re
from json.encoder import encode_basestring
from typing import Any, List, Optional, Tuple


class NotCanonical(ValueError):
    """The text is not the RFC 8785 form of a JSON value."""


# A run of characters that stand for themselves. Surrogates cannot come out of strict UTF-8; they are excluded all the
# same, so that this module does not depend on how its caller decodes.
_PLAIN = re.compile('[^"\\\\\x00-\x1f\ud800-\udfff]*')
# Control characters without a short escape are written \u00xx in lower case.
_ESCAPE = re.compile(r'\\(?:(["\\bfnrt])|u(00(?:0[0-7bef]|1[0-9a-f])))')
_SHORT = {'"': '"', "\\": "\\", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
# No number that ECMAScript writes is longer; what is longer is refused before it is converted.
_LONGEST_NUMBER = 32
_LITERALS = (("true", True), ("false", False), ("null", None))


def number_text(value: float) -> str:
    """The text of a number by ECMAScript's Number::toString, which RFC 8785 section 3.2.2.3 prescribes."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    # Python's repr gives the same shortest digits that ECMAScript requires; only the layout differs.
    mantissa, _, exponent = repr(abs(float(value))).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # `point` is the position of the decimal point, counted from the first of `digits`.
    point = len(whole) + int(exponent or "0") - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    power = point - 1
    tail = "e" + ("+" if power >= 0 else "-") + str(abs(power))
    return sign + digits[0] + ("." + digits[1:] if count > 1 else "") + tail


def scan_string(text: str, pos: int) -> Tuple[str, int]:
    """Read the string whose opening quote is at `pos`; returns it and the position after it."""
    if text[pos : pos + 1] != '"':
        raise NotCanonical("a string is expected at character %d" % pos)
    pieces: List[str] = []
    pos += 1
    while True:
        run = _PLAIN.match(text, pos)
        assert run is not None  # the pattern matches the empty run as well
        pieces.append(run.group())
        pos = run.end()
        if text[pos : pos + 1] == '"':
            return "".join(pieces), pos + 1
        escape = _ESCAPE.match(text, pos)
        if escape is None:
            raise NotCanonical("a string has no end, a raw control character or a wrong escape at character %d" % pos)
        short, code = escape.groups()
        pieces.append(_SHORT[short] if short else chr(int(code, 16)))
        pos = escape.end()


def _scan_number(text: str, pos: int) -> Tuple[Any, int]:
    """Read a number. Integers without fraction and exponent come back as int, all others as float."""
    match = _NUMBER.match(text, pos)
    if match is None:
        raise NotCanonical("no JSON value at character %d" % pos)
    token = match.group()
    whole = match.group(1) is None and match.group(2) is None
    # Integers of up to 15 digits are exact in a double, so their own digits are their text.
    exact = whole and len(token) <= 15 and token != "-0"
    if not exact and (len(token) > _LONGEST_NUMBER or not _is_number_text(token)):
        raise NotCanonical("a number is not in the form of RFC 8785 at character %d" % pos)
    return (int(token) if whole else float(token)), match.end()


def _is_number_text(token: str) -> bool:
    value = float(token)
    return value not in (float("inf"), float("-inf")) and number_text(value) == token


def _scan_scalar(text: str, pos: int) -> Tuple[Any, int]:
    if text[pos : pos + 1] == '"':
        return scan_string(text, pos)
    for literal, value in _LITERALS:
        if text.startswith(literal, pos):
            return value, pos + len(literal)
    return _scan_number(text, pos)


def utf16(key: str) -> bytes:
    """What RFC 8785 section 3.2.3 orders keys by: their UTF-16 code units."""
    return key.encode("utf-16-be", "surrogatepass")


def _scan_key(text: str, pos: int, before: Optional[bytes]) -> Tuple[str, bytes, int]:
    key, pos = scan_string(text, pos)
    units = utf16(key)
    if before is not None and units <= before:
        raise NotCanonical("%s before character %d" % ("a duplicate key" if units == before else "keys out of order", pos))
    if text[pos : pos + 1] != ":":
        raise NotCanonical("a colon is expected at character %d" % pos)
    return key, units, pos + 1


def scan(text: str, pos: int = 0, max_depth: Optional[int] = None) -> Tuple[Any, int]:
    """Read the RFC 8785 value at `pos`; returns it and the position after it.

    `max_depth` is how many objects and lists may stand in one another; without it there is no limit.
    """
    # One frame for each open object or list: the container, the key that waits for its value, that key's code units.
    frames: List[Tuple[Any, Optional[str], Optional[bytes]]] = []
    while True:
        opening = text[pos : pos + 1]
        if opening == "{" or opening == "[":
            if max_depth is not None and len(frames) >= max_depth:
                raise NotCanonical("nesting is deeper than %d at character %d" % (max_depth, pos))
            value: Any = {} if opening == "{" else []
            pos += 1
            if text[pos : pos + 1] != ("}" if opening == "{" else "]"):
                key: Optional[str] = None
                units: Optional[bytes] = None
                if opening == "{":
                    key, units, pos = _scan_key(text, pos, None)
                frames.append((value, key, units))
                continue
            pos += 1
        else:
            value, pos = _scan_scalar(text, pos)
        # `value` is complete: put it into what surrounds it, and close what ends here.
        while True:
            if not frames:
                return value, pos
            container, key, units = frames.pop()
            if key is None:
                container.append(value)
                closing = "]"
            else:
                container[key] = value
                closing = "}"
            following = text[pos : pos + 1]
            pos += 1
            if following == closing:
                value = container
                continue
            if following != ",":
                raise NotCanonical("a comma or %s is expected at character %d" % (closing, pos - 1))
            if key is not None:
                key, units, pos = _scan_key(text, pos, units)
            frames.append((container, key, units))
            break


def parse(text: str, max_depth: Optional[int] = None) -> Any:
    """Read a text that is one RFC 8785 value and nothing else."""
    value, end = scan(text, 0, max_depth)
    if end != len(text):
        raise NotCanonical("something follows the value at character %d" % end)
    return value


def text_of(value: Any) -> str:
    """The RFC 8785 text of a value. Raises NotCanonical where a number has none. Nesting may be as deep as it likes."""
    pieces: List[str] = []
    # What is still to be written, the next one last: a text as it is, or a value.
    waiting: List[Tuple[bool, Any]] = [(False, value)]
    while waiting:
        written, item = waiting.pop()
        if written:
            pieces.append(item)
        elif isinstance(item, dict):
            waiting.append((True, "}"))
            members = sorted(item.items(), key=lambda member: utf16(member[0]), reverse=True)
            for index, (key, member) in enumerate(members, 1):
                comma = "," if index < len(members) else ""
                waiting.extend(((False, member), (True, comma + encode_basestring(key) + ":")))
            waiting.append((True, "{"))
        elif isinstance(item, list):
            waiting.append((True, "]"))
            for index, member in enumerate(reversed(item), 1):
                waiting.extend(((False, member), (True, "," if index < len(item) else "")))
            waiting.append((True, "["))
        else:
            pieces.append(_scalar_text(item))
    return "".join(pieces)


def _scalar_text(value: Any) -> str:
    if isinstance(value, str):
        # Quote, backslash and control characters are escaped as section 3.2.2.2 wants it, and nothing else is.
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if abs(value) == float("inf"):
        raise NotCanonical("a number is too large")
    return number_text(value)
