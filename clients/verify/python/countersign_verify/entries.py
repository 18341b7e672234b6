"""The file of entries (section 10): its lines, what they say, and the place of each (section 7)."""

from __future__ import annotations

import re
import shutil
import tempfile
from array import array
from typing import Any, BinaryIO, Iterator, List, NamedTuple, Optional, Tuple

from .canonical import NotCanonical, parse
from .loose import NotJson, read
from .reading import lines

_SEQ = re.compile(r"[1-9][0-9]{0,18}")
_LARGEST_SEQ = 2**63 - 1
# Far deeper than an entry may be nested (section 3), but no deeper than what memory holds.
_DEEPEST_READ = 1 << 17


class Text(NamedTuple):
    """What a line says. `unknown` is why its value is not known; `form` what is wrong with the form of RFC 8785."""

    value: Any
    unknown: Optional[str]
    form: Optional[str]
    hash: str


def is_seq(value: Any) -> bool:
    """Section 1: 1 to 2^63 - 1, decimal, without leading zeros, as a string."""
    return isinstance(value, str) and _SEQ.fullmatch(value) is not None and int(value) <= _LARGEST_SEQ


def text_of_line(data: Optional[bytes], digest: str) -> Text:
    """Read a line: UTF-8, and JSON, in the form of RFC 8785 or in another."""
    if data is None:
        return Text(None, "the entry is longer than this program reads", None, digest)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return Text(None, "not UTF-8 at byte %d" % error.start, None, digest)
    try:
        return Text(parse(text, _DEEPEST_READ), None, None, digest)
    except NotCanonical as error:
        form = str(error)
    try:
        return Text(read(text, _DEEPEST_READ), None, form, digest)
    except NotJson as error:
        return Text(None, "no JSON that this program reads: %s" % error, None, digest)


class Entries:
    """A file of entries, in the order of their places: 16 bytes of memory a line."""

    def __init__(self, stream: BinaryIO, longest: int, from_seq: int = 1) -> None:
        if not stream.seekable():
            copy = tempfile.TemporaryFile()
            shutil.copyfileobj(stream, copy)
            copy.seek(0)
            stream = copy
        self._stream, self._longest = stream, longest
        places, offsets, ascending = array("Q"), array("Q"), True
        before = from_seq - 1
        for line in lines(stream, longest):
            value = text_of_line(line.data, line.hash).value
            seq = value.get("seq") if isinstance(value, dict) else None
            place = int(seq) if is_seq(seq) else before + 1
            ascending = ascending and place >= before
            places.append(place)
            offsets.append(line.offset)
            before = place
        if not ascending:
            order = sorted(range(len(places)), key=places.__getitem__)
            places, offsets = array("Q", map(places.__getitem__, order)), array("Q", map(offsets.__getitem__, order))
        self._places, self._offsets = places, offsets

    def _text(self, offset: int) -> Text:
        self._stream.seek(offset)
        line = next(lines(self._stream, self._longest))
        return text_of_line(line.data, line.hash)

    def __iter__(self) -> Iterator[Tuple[int, int, Iterator[Text]]]:
        """Each place with the number of its lines and what they say, one at a time."""
        start, count = 0, len(self._places)
        while start < count:
            end = start + 1
            while end < count and self._places[end] == self._places[start]:
                end += 1
            offsets: List[int] = list(self._offsets[start:end])
            yield self._places[start], end - start, map(self._text, offsets)
            start = end
