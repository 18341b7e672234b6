"""Checking a ledger entry by entry, with the checks, the verdicts and the places of section 7."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .body import LEDGER, TooLarge, body_findings, outer_findings, walk
from .entries import Text
from .keys import Key
from .members import Table, is_instant, same
from .payloads import Payloads
from .report import (
    BAD_SIGNATURE, CHECKPOINT_INCONSISTENT, CONTENT_MISMATCH, EMPTY, FORKED, ILLEGAL_STEP, INTACT, LINK_BROKEN,
    ROLLED_BACK, RULE_BROKEN, SEQUENCE_GAP, TRUNCATED, UNVERIFIABLE, Finding, Problems, Result, quote,
)  # fmt: skip
from .signatures import must_be_signed, signature_wrong
from .tables import ENVELOPE
from .things import Things

ZEROS = "0" * 64
FIRST_TYPE = "LEDGER_CREATED"
_IS_UUID = Table({"id": ENVELOPE["id"]})


class Known(NamedTuple):
    """An entry whose content is known, so that later ones are judged by it."""

    body: Dict[str, Any]
    recorded_at: str


class Verifier:
    """One pass over a ledger. Remembers the ids, the things with their states, and the problems."""

    def __init__(
        self,
        ledger: Optional[str] = None,
        keys: Optional[Mapping[str, Key]] = None,
        heads: Sequence[Tuple[int, str]] = (),
        payloads: Optional[Payloads] = None,
        from_seq: int = 1,
    ) -> None:
        self.problems = Problems()
        self._ledger = ledger
        self._keys = keys
        self._heads: Dict[int, List[str]] = {}
        for seq, digest in heads:
            self._heads.setdefault(seq, []).append(digest)
        self._payloads = payloads
        self._from_seq = from_seq
        # The hashes that the next prevHash may be; None where it is compared with nothing.
        self._before: Optional[List[str]] = [ZEROS] if from_seq == 1 else self._heads.get(from_seq - 1)
        self._link_known = self._before is not None
        self._recorded_at: Optional[str] = None
        self._ids: Dict[bytes, int] = {}
        self._things = Things(partial=from_seq > 1)
        self._entries = 0
        self._head: Optional[Tuple[int, str]] = None
        self._contradicted = False

    def run(self, source: Iterable[Tuple[int, int, Iterator[Text]]]) -> Result:
        """Check all places of a ledger, each with the number of its lines and what they say."""
        expected = self._from_seq
        for place, count, texts in source:
            if place > expected:
                self.problems.add(SEQUENCE_GAP, expected, "no entry from %d to %d" % (expected, place - 1))
                # Of entry 1 the link is known whatever is missing; this is not entry 1.
                self._before = None
            self._place(place, count, texts)
            expected = max(expected, place + 1)
        return self._end()

    def _place(self, place: int, count: int, texts: Iterator[Text]) -> None:
        """Check all entries at one place: one, unless there is a fork."""
        if place < self._from_seq:
            self.problems.add(LINK_BROKEN, place, "the file begins at %d" % self._from_seq)
        if count > 1:
            self.problems.add(FORKED, place, "%d entries" % count)
        hashes: List[str] = []
        known: Optional[Known] = None
        for text in texts:
            self._entries += 1
            hashes.append(text.hash)
            known = self._entry(text, place)
        self._compare_heads(place, hashes)
        if count == 1 and known is not None:
            self._judge_later_by(known, place)
        self._before = hashes
        self._head = (place, hashes[-1])

    def _compare_heads(self, place: int, hashes: List[str]) -> None:
        """The first known head that is not the entry there is the place of CHECKPOINT_INCONSISTENT."""
        for digest in self._heads.get(place, ()):
            if digest not in hashes and not self._contradicted:
                self._contradicted = True
                self.problems.add(CHECKPOINT_INCONSISTENT, place, "the hash is %s, a head says %s" % (hashes[-1], digest))

    def _entry(self, text: Text, place: int) -> Optional[Known]:
        """Check one entry; returns it if later ones are judged by it."""
        if text.unknown is not None:
            self.problems.add(UNVERIFIABLE, place, text.unknown)
            return None
        entry = text.value
        if not isinstance(entry, dict) or not same(entry.get("v"), 1):
            self.problems.add(UNVERIFIABLE, place, "v is not 1")
            return None
        for wrong in self._links(entry, place):
            self.problems.add(LINK_BROKEN, place, wrong)
        body, recorded_at = entry.get("body"), entry.get("recordedAt")
        if not isinstance(body, dict) or not isinstance(recorded_at, str):
            self.problems.add(CONTENT_MISMATCH, place, "body is not an object, or recordedAt is no string")
            return None
        try:
            for finding in self._content(entry, text.form, body, place):
                self.problems.add(finding.verdict, place, finding.detail)
        except TooLarge:
            self.problems.add(UNVERIFIABLE, place, "the paths of commitments are too long; the rest was not checked")
            return None
        for wrong in self._things.judge(body, recorded_at):
            self.problems.add(ILLEGAL_STEP, place, wrong)
        return Known(body, recorded_at)

    def _links(self, entry: Dict[str, Any], place: int) -> Iterator[str]:
        """The place of an entry and the link to the one before (sections 1 and 2)."""
        ledger = entry.get("ledger")
        if self._ledger is None and isinstance(ledger, str) and LEDGER.fullmatch(ledger):
            self._ledger = ledger
        if self._ledger is not None and not same(ledger, self._ledger):
            yield "ledger is %s, not %s" % (quote(ledger), self._ledger)
        if not same(entry.get("seq"), str(place)):
            yield "seq is %s, not %d" % (quote(entry.get("seq")), place)
        if self._before is not None and not any(same(entry.get("prevHash"), digest) for digest in self._before):
            yield "prevHash is not %s" % " or ".join(self._before[:2])

    def _content(self, entry: Dict[str, Any], form: Optional[str], body: Dict[str, Any], place: int) -> Iterator[Finding]:
        """Every check of section 7 from the form of the text to the conditions that the entry alone breaks."""
        if form is not None:
            yield Finding(CONTENT_MISMATCH, "not in the form of RFC 8785: %s" % form)
        for wrong in outer_findings(entry):
            yield Finding(CONTENT_MISMATCH, wrong)
        recorded_at = entry["recordedAt"]
        if is_instant(recorded_at) and self._recorded_at is not None and recorded_at < self._recorded_at:
            yield Finding(CONTENT_MISMATCH, "recordedAt %s is before %s" % (recorded_at, self._recorded_at))
        # Before `walk`, which cuts what is nested too deeply off the body.
        if must_be_signed(body):
            unsigned = signature_wrong(body, self._ledger or entry.get("ledger"), recorded_at, self._keys)
            if unsigned is not None:
                yield Finding(BAD_SIGNATURE, unsigned)
        commitments, held, dotted = walk(body)
        if held is not None:
            yield Finding(CONTENT_MISMATCH, held)
        if self._payloads is not None:
            yield from self._payloads.findings(place, commitments)
        if (body.get("type") == FIRST_TYPE) != (place == 1):
            yield Finding(LINK_BROKEN if place == 1 else RULE_BROKEN, "%s is entry 1 and no other" % FIRST_TYPE)
        first = self._ids.get(_identity(body))
        if first is not None:
            yield Finding(RULE_BROKEN, "id %s is that of entry %d" % (quote(body["id"]), first))
        for wrong in body_findings(body, dotted):
            yield Finding(RULE_BROKEN, wrong)

    def _judge_later_by(self, known: Known, place: int) -> None:
        """Remember of an entry what later ones are checked against."""
        if is_instant(known.recorded_at):
            self._recorded_at = known.recorded_at
        identity = _identity(known.body)
        if identity:
            self._ids.setdefault(identity, place)
        self._things.apply(known.body)

    def _end(self) -> Result:
        """The end (section 7): one fault of it, the first there is; then what was not checked."""
        last = self._head[0] if self._head is not None else self._from_seq - 1
        furthest = max(self._heads, default=0)
        if self._payloads is not None and self._payloads.last() > last:
            self.problems.add(TRUNCATED, last + 1, "a payload at %d is beyond the last entry" % self._payloads.last())
        elif furthest > last:
            verdict = ROLLED_BACK if self._entries else TRUNCATED
            self.problems.add(verdict, last + 1, "a known head at %d is beyond the last entry" % furthest)
        first = self.problems.first
        verdict = first.verdict if first is not None else INTACT if self._entries else EMPTY
        seq, digest = self._head if self._head is not None else (None, None)
        kept, total = self.problems.in_order(), self.problems.total
        return Result(verdict, self._ledger, self._entries, seq, digest, kept, total, self._not_checked())

    def _not_checked(self) -> List[str]:
        texts: List[str] = []
        for seq in sorted(self._heads):
            if seq < self._from_seq and not (seq == self._from_seq - 1 and self._link_known):
                texts.append("the head at %d, which is before the first entry read" % seq)
        if self._payloads is None:
            texts.append("values: no payloads were given")
        if self._keys is None:
            texts.append("whether signatures verify: no keys were given")
        if self._from_seq > 1:
            texts.append("what depends on entries before %d" % self._from_seq)
            if not self._link_known:
                texts.append("the link of entry %d to the one before" % self._from_seq)
        return texts


def _identity(body: Dict[str, Any]) -> bytes:
    """The id of an entry, where it is a UUID, or nothing."""
    identity = body.get("id")
    return b"" if any(_IS_UUID.problems({"id": identity})) else bytes.fromhex(identity.replace("-", ""))
