"""Verdicts, the problems that were found, and how the result is written."""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

INTACT, EMPTY = "INTACT", "EMPTY"
# The verdicts of section 7.
TRUNCATED = "TRUNCATED"
ROLLED_BACK = "ROLLED_BACK"
FORKED = "FORKED"
SEQUENCE_GAP = "SEQUENCE_GAP"
LINK_BROKEN = "LINK_BROKEN"
CONTENT_MISMATCH = "CONTENT_MISMATCH"
BAD_SIGNATURE = "BAD_SIGNATURE"
RULE_BROKEN = "RULE_BROKEN"
ILLEGAL_STEP = "ILLEGAL_STEP"
PAYLOAD_MISSING = "PAYLOAD_MISSING"
CHECKPOINT_INCONSISTENT = "CHECKPOINT_INCONSISTENT"
UNVERIFIABLE = "UNVERIFIABLE"
# The order of problems at one position (section 7).
ORDER = (
    TRUNCATED, ROLLED_BACK, FORKED, SEQUENCE_GAP, LINK_BROKEN, CONTENT_MISMATCH, BAD_SIGNATURE, RULE_BROKEN,
    ILLEGAL_STEP, PAYLOAD_MISSING, CHECKPOINT_INCONSISTENT, UNVERIFIABLE,
)  # fmt: skip

MOST_PROBLEMS = 1000
_LONGEST_DETAIL = 300


class Finding(NamedTuple):
    """A verdict about one entry, by a check that need not know where the entry stands."""

    verdict: str
    detail: str


class Problem(NamedTuple):
    """A verdict about a position."""

    verdict: str
    seq: int
    detail: str


def quote(value: Any) -> str:
    """A value out of the input for a message: ASCII, on one line, of limited length."""
    if isinstance(value, (dict, list)):
        # Nobody knows how deeply it is nested.
        return "an object" if isinstance(value, dict) else "a list"
    text = ascii(value if not isinstance(value, str) else value[:80])
    return text if len(text) <= 100 else text[:97] + "..."


def _place_in_order(problem: Problem) -> Tuple[int, int]:
    return problem.seq, ORDER.index(problem.verdict)


class Problems:
    """Collects problems, whose positions must not go back: those of one position with the same verdict are one. Keeps
    the first MOST_PROBLEMS, and the first in the order of section 7 however many there are."""

    def __init__(self) -> None:
        self.kept: List[Problem] = []
        self.total = 0
        self.first: Optional[Problem] = None
        self._position = 0
        self._verdicts: Set[str] = set()

    def add(self, verdict: str, seq: int, detail: str) -> None:
        """Add one. Its detail is cut, because names of members come out of the input."""
        if seq != self._position:
            self._position, self._verdicts = seq, set()
        if verdict in self._verdicts:
            return
        self._verdicts.add(verdict)
        text = detail[:_LONGEST_DETAIL].encode("ascii", "backslashreplace").decode("ascii")
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_LONGEST_DETAIL])
        problem = Problem(verdict, seq, text)
        self.total += 1
        if len(self.kept) < MOST_PROBLEMS:
            self.kept.append(problem)
        if self.first is None or _place_in_order(problem) < _place_in_order(self.first):
            self.first = problem

    def in_order(self) -> List[Problem]:
        """Those kept, in the order of section 7: by position, and at one position by verdict."""
        return sorted(self.kept, key=_place_in_order)


class Result(NamedTuple):
    """What a verification came to."""

    verdict: str
    ledger: Optional[str]
    entries: int
    head_seq: Optional[int]
    head_hash: Optional[str]
    problems: List[Problem]
    problems_total: int
    not_checked: List[str]


def as_json(result: Result) -> str:
    """One JSON object. Positions are strings, as in the format itself, because they may pass 2^53."""
    document: Dict[str, Any] = {
        "verdict": result.verdict,
        "ledger": result.ledger,
        "entries": result.entries,
        "head": None if result.head_seq is None else {"seq": str(result.head_seq), "hash": result.head_hash},
        "problems": [{"verdict": p.verdict, "seq": str(p.seq), "detail": p.detail} for p in result.problems],
        "problemsTotal": result.problems_total,
        "notChecked": result.not_checked,
    }
    return json.dumps(document, ensure_ascii=True)


def as_text(result: Result) -> str:
    """The same for people."""
    lines = [result.verdict, "ledger:  %s" % (result.ledger or "unknown"), "entries: %d" % result.entries]
    if result.head_seq is not None:
        lines.append("head:    %d:%s" % (result.head_seq, result.head_hash))
    for problem in result.problems:
        lines.append("%d %s: %s" % (problem.seq, problem.verdict, problem.detail))
    if result.problems_total > len(result.problems):
        lines.append("(%d problems in all; %d are shown)" % (result.problems_total, len(result.problems)))
    lines.extend("not checked: " + text for text in result.not_checked)
    return "\n".join(lines)
