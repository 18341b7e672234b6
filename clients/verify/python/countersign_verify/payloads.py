"""Erasable values (section 5): rows of payload, found by position, against the commitments of a body."""

from __future__ import annotations

import hashlib
import re
from array import array
from bisect import bisect_left, bisect_right
from typing import BinaryIO, Dict, Iterator, List, Optional, Tuple

from .canonical import NotCanonical, scan, scan_string, utf16
from .reading import lines
from .report import CONTENT_MISMATCH, PAYLOAD_MISSING, UNVERIFIABLE, Finding, quote

_PREFIX = b"countersign/commit/v1\0"
_SALT = re.compile(r'\{"salt":"([0-9a-f]{32})","value":')
_ROW = re.compile(rb"([1-9][0-9]{0,18}) ")
# Enough of a line to see its position; the rest is read when its entry comes.
_HEAD = 20


class PayloadsUnreadable(ValueError):
    """The file does not have lines of the form `<seq> <text>`."""


def parse_row(text: str) -> Dict[str, Tuple[str, str]]:
    """A row `{"<path>":{"salt":…,"value":…},…}` as path -> (salt, text of the value).

    The text of the value is cut out of the row, which `scan` has found to be canonical: nothing is written anew, so a
    value may be nested as deeply as it likes. Raises NotCanonical if the row has another form.
    """
    values: Dict[str, Tuple[str, str]] = {}
    if not text.startswith("{"):
        raise NotCanonical("a row is an object")
    if text == "{}":
        return values
    pos, before = 1, None
    while True:
        path, pos = scan_string(text, pos)
        units = utf16(path)
        if before is not None and units <= before:
            raise NotCanonical("paths are out of order or not unique")
        before = units
        salt = _SALT.match(text, pos + 1) if text[pos : pos + 1] == ":" else None
        if salt is None:
            raise NotCanonical("a salt and a value are expected at character %d" % pos)
        start = salt.end()
        _, pos = scan(text, start)
        values[path] = (salt.group(1), text[start:pos])
        if text[pos : pos + 1] != "}":
            raise NotCanonical("a value has more members at character %d" % pos)
        if pos + 2 == len(text) and text[pos + 1] == "}":
            return values
        if text[pos + 1 : pos + 2] != ",":
            raise NotCanonical("a row goes on wrongly at character %d" % (pos + 1))
        pos += 2


def commitment(salt: str, value_text: str) -> str:
    """SHA-256 of the prefix, the salt and the RFC 8785 text of the value (section 5)."""
    return hashlib.sha256(_PREFIX + bytes.fromhex(salt) + value_text.encode("utf-8")).hexdigest()


def row_findings(row: Optional[bytes], commitments: Dict[str, str]) -> Iterator[Finding]:
    """What is wrong between a row (None or `{}`: there is none) and the commitments of its body."""
    values: Dict[str, Tuple[str, str]] = {}
    if row is not None:
        try:
            values = parse_row(row.decode("utf-8"))
        except ValueError as error:  # UnicodeDecodeError and NotCanonical
            yield Finding(CONTENT_MISMATCH, "the payload is not of this format: %s" % error)
            return
    for path in sorted(commitments, key=utf16):
        if path not in values:
            yield Finding(PAYLOAD_MISSING, "no value for %s" % quote(path))
        elif commitment(*values[path]) != commitments[path]:
            yield Finding(CONTENT_MISMATCH, "the value of %s does not hash to its commitment" % quote(path))
    for path in values:
        if path not in commitments:
            yield Finding(CONTENT_MISMATCH, "a value for %s, which is no commitment" % quote(path))


class Payloads:
    """A file of rows, indexed by position: 17 bytes of memory a row."""

    def __init__(self, stream: BinaryIO, longest: int) -> None:
        self._stream = stream
        self._longest = longest
        if not stream.seekable():
            raise PayloadsUnreadable("the payloads are not in a file that can be read at any place")
        # As arrays, which take 8 bytes an element where a list of integers takes 40.
        seqs, offsets, sorted_so_far = array("Q"), array("Q"), True
        for number, line in enumerate(lines(stream, longest), 1):
            data = line.data
            if data is None:
                here = stream.tell()
                stream.seek(line.offset)
                data = stream.read(_HEAD)
                stream.seek(here)
            match = _ROW.match(data)
            if match is None:
                raise PayloadsUnreadable("line %d of the payloads is not `<seq> <text>`" % number)
            seq = int(match.group(1))
            sorted_so_far = sorted_so_far and (not seqs or seqs[-1] <= seq)
            seqs.append(seq)
            offsets.append(line.offset)
        if not sorted_so_far:
            order = sorted(range(len(seqs)), key=seqs.__getitem__)
            seqs, offsets = array("Q", map(seqs.__getitem__, order)), array("Q", map(offsets.__getitem__, order))
        self._seqs, self._offsets = seqs, offsets

    def _find(self, seq: int) -> List[int]:
        """The indexes of the rows of a position; more than one is a problem."""
        return list(range(bisect_left(self._seqs, seq), bisect_right(self._seqs, seq)))

    def findings(self, seq: int, commitments: Dict[str, str]) -> Iterator[Finding]:
        """What is wrong with the payload of an entry."""
        found = self._find(seq)
        if len(found) > 1:
            yield Finding(CONTENT_MISMATCH, "more than one row of payload")
        row: Optional[bytes] = None
        if found:
            self._stream.seek(self._offsets[found[0]])
            line = next(lines(self._stream, self._longest))
            if line.data is None:
                yield Finding(UNVERIFIABLE, "the payload is longer than this program reads and was not checked")
                return
            row = line.data[line.data.index(b" ") + 1 :]
        yield from row_findings(row, commitments)

    def last(self) -> int:
        """The last position that has a row, or 0."""
        return self._seqs[-1] if self._seqs else 0
