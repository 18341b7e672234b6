"""Lines of a file, one at a time, each with its hash, of limited length."""

from __future__ import annotations

import hashlib
from typing import BinaryIO, Iterator, NamedTuple, Optional

# How much of a line that is too long is read at once.
_CHUNK = 1 << 20


class Line(NamedTuple):
    """A line without its line feed. `data` is None where it is longer than the limit; `hash` is that of all of it."""

    data: Optional[bytes]
    hash: str
    offset: int


def lines(stream: BinaryIO, longest: int) -> Iterator[Line]:
    """The lines of a stream. A last line without a line feed is a line as well: the line feed is no part of a text."""
    offset = 0
    while True:
        start = offset
        data = stream.readline(longest + 1)
        if not data:
            return
        offset += len(data)
        if data.endswith(b"\n"):
            data = data[:-1]
        elif len(data) > longest:
            # Hashed all the same, so that the next entry's link can be checked.
            digest = hashlib.sha256(data)
            while True:
                data = stream.readline(_CHUNK)
                offset += len(data)
                digest.update(data[:-1] if data.endswith(b"\n") else data)
                if not data or data.endswith(b"\n"):
                    break
            yield Line(None, digest.hexdigest(), start)
            continue
        yield Line(data, hashlib.sha256(data).hexdigest(), start)
