"""Members of an object against a table (section 3): those that have to be there, no others, each of its form."""

from __future__ import annotations

import datetime
import re
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from .terms import Members

# The largest integer that section 3 allows as a number.
LARGEST = 2**53 - 1

_HEX = "[0-9a-f]"
_UUID = "%s{8}-%s{4}-%s{4}-%s{4}-%s{12}" % ((_HEX,) * 5)
_INSTANT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z")


class _Missing:
    """The value of a path that is not there. It equals only itself, as section 3 says of members that are not there."""

    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()


def at(value: Any, path: str) -> Any:
    """The value at a dotted path, or MISSING."""
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def same(a: Any, b: Any) -> bool:
    """Equality of JSON values. Unlike Python's it tells true from 1; objects and lists are compared member by member."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and bool(a == b)


def is_integer(value: Any) -> bool:
    """An integer number; true and false are none, although they are int in Python."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_at_least(least: int) -> Callable[[Any], bool]:
    return lambda value: is_integer(value) and least <= value <= LARGEST


def is_instant(value: Any) -> bool:
    """RFC 3339 in UTC with exactly six decimals and Z, years 0001 to 9999, of a day that there is, no second 60."""
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return False
    year, month, day = (int(part) for part in match.groups())
    try:
        # Years 1 to 9999, as section 3 has them.
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def microseconds_between(one: Any, other: Any) -> Optional[int]:
    """Microseconds from one instant to another, or None if one of them is none."""
    if not (is_instant(one) and is_instant(other)):
        return None
    start, end = (datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ") for text in (one, other))
    return (end - start) // datetime.timedelta(microseconds=1)


def is_commitment(value: Any) -> bool:
    """Section 5: an object whose only member is `commit`, with 64 lowercase hex digits."""
    return isinstance(value, dict) and len(value) == 1 and _matches(_HEX + "{64}")(value.get("commit"))


def _matches(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _list_of(item: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(item, value))


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


_is_decimal = _matches(r"[0-9]{1,40}(\.[0-9]{1,18})?")

_FORMS: Dict[str, Callable[[Any], bool]] = {
    "string": _is_string,
    "integer": _is_at_least(0),
    "from1": _is_at_least(1),
    "boolean": lambda value: isinstance(value, bool),
    "true": lambda value: value is True,
    "UUID": _matches(_UUID),
    "instant": is_instant,
    "commitment": is_commitment,
    # What a signature is made of is checked by `signatures`, which has a verdict of its own.
    "JWS": _matches(r"[A-Za-z0-9_-]{1,1024}\.\.[A-Za-z0-9_-]{86}"),
    "sha256": _matches("sha256:%s{64}" % _HEX),
    "hex64": _matches(_HEX + "{64}"),
    "hex32": _matches(_HEX + "{32}"),
    "list": _list_of(_is_string),
    "objects": _list_of(_is_object),
    "object": _is_object,
    "decimals": lambda value: isinstance(value, dict) and all(map(_is_decimal, value.values())),
    "integers": lambda value: isinstance(value, dict) and all(map(_is_at_least(0), value.values())),
}


def _form(what: str) -> Callable[[Any], bool]:
    if what.startswith("="):
        names = frozenset(what[1:].split("|"))
        return lambda value: isinstance(value, str) and value in names
    return _FORMS[what]


class Table:
    """A table of members, in the form of a tree. Raises KeyError if it names a form that there is not."""

    def __init__(self, members: Members) -> None:
        self.form: Callable[[Any], bool] = _is_object
        self.what = "object"
        self.optional = False
        self.children: Dict[str, Table] = {}
        for path, what in members.items():
            self._place(path.replace("[]", "").split("."), what)

    def _place(self, keys: "list[str]", what: str) -> None:
        name = keys[0].rstrip("?")
        child = self.children.setdefault(name, Table({}))
        if len(keys) > 1:
            child._place(keys[1:], what)
            return
        child.form, child.what, child.optional = _form(what), what, keys[0].endswith("?")

    def problems(self, value: Any, path: str = "", others: bool = False) -> Iterator[Tuple[str, str]]:
        """Each (path, what is wrong) of an object of which `form` holds; `others`: it may have more members."""
        prefix = path + "." if path else ""
        for name, child in self.children.items():
            if name not in value:
                if not child.optional:
                    yield prefix + name, "is missing"
                continue
            yield from child._problems_of_member(value[name], prefix + name)
        for name in () if others else value:
            if name not in self.children:
                yield prefix + name, "is no member here"

    def _problems_of_member(self, value: Any, path: str) -> Iterator[Tuple[str, str]]:
        if not self.form(value):
            yield path, "is not of the form %s" % self.what
        elif self.children and isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.problems(item, "%s.%d" % (path, index))
        elif self.children:
            yield from self.problems(value, path)


def first_difference(a: Any, b: Any, paths: Tuple[str, ...]) -> Optional[str]:
    """The first of the paths at which two objects have different values, or None."""
    return next((path for path in paths if not same(at(a, path), at(b, path))), None)
