"""Ledgers built entry by entry: rights to approve that people lend, and decisions by them."""

from __future__ import annotations

import unittest
from typing import Any, Dict

from ledger_for_tests import COMMITMENT, MEMBER, Entry, Life, instant, person, uuid

ANN, BOB, CID = person("ann", "x"), person("bob", "x"), person("cid", "z")
LENT = uuid(0xD0)
ILLEGAL, BROKEN = "ILLEGAL_STEP", "RULE_BROKEN"


def lent(life: Life, actor: Entry = ANN, version: int = 1, **state: Any) -> Entry:
    """ANN lends CID the right of x, from minute 1 to 10."""
    members: Dict[str, Any] = {
        "status": "MADE", "delegator": "ann", "delegate": "cid", "group": "x", "startsAt": instant(1), "expiresAt": instant(10),
        **state,
    }  # fmt: skip
    states = [{"id": LENT, "kind": "DELEGATION", "state": members, "version": version}]
    note = {"note": COMMITMENT} if version == 1 else {}
    return life.add("DELEGATION_MADE" if version == 1 else "DELEGATION_ENDED", actor, delegation=LENT, states=states, signature="", **note)


def by_right(body: Entry, **members: str) -> Entry:
    body["decision"]["delegatedBy"] = {"delegation": LENT, "group": "x", "id": "ann", **members}
    return body


class Made(unittest.TestCase):
    def made(self, actor: Entry = ANN, **state: Any) -> "list[tuple[str, int]]":
        life = Life()
        lent(life, actor, **state)
        return life.found()

    def test_by_whom_to_whom_and_how_long(self) -> None:
        self.assertEqual(self.made(), [])
        for actor, state in (
            (BOB, {}),
            (person("ann", "x", kind="AGENT"), {}),
            (person("ann", "y"), {}),
            (ANN, {"delegate": "ann"}),
            (ANN, {"expiresAt": instant(1)}),
            (ANN, {"expiresAt": "2026-01-31T00:01:00.000001Z"}),
            (ANN, {"startsAt": instant(11)}),
            (ANN, {"status": "ENDED"}),
        ):
            self.assertIn((BROKEN, 2), self.made(actor, **state))
        self.assertEqual(self.made(expiresAt="2026-01-31T00:01:00.000000Z"), [])

    def test_ended(self) -> None:
        def ended(actor: Entry, minute: int = 2, **state: Any) -> "list[tuple[str, int]]":
            life = Life()
            lent(life)
            life.minute = minute
            lent(life, actor, 2, status="ENDED", **state)
            return life.found()

        self.assertEqual(ended(ANN), [])
        self.assertEqual(ended(person("root", roles=("admin",))), [])
        for found in (ended(CID), ended(ANN, 10), ended(ANN, expiresAt=instant(11))):
            self.assertEqual(found, [(ILLEGAL, 3)])


class Decisions(unittest.TestCase):
    def decided(self, actor: Entry = CID, minute: int = 2, *, verdict: str = "APPROVE", **members: str) -> Life:
        life = Life()
        lent(life)
        life.propose([("x", 1)])
        life.minute = minute
        status = "APPROVED" if verdict == "APPROVE" else "DENIED"
        by_right(life.decide(actor, status, 1 if verdict == "APPROVE" else 0, verdict), **members)
        return life

    def test_in_force(self) -> None:
        for verdict in ("APPROVE", "DENY"):
            self.assertEqual(self.decided(verdict=verdict).found(), [])
            self.assertEqual(self.decided(minute=1, verdict=verdict).found(), [])
            self.assertEqual(self.decided(minute=9, verdict=verdict).found(), [])
            for life in (
                self.decided(minute=0, verdict=verdict),
                self.decided(minute=10, verdict=verdict),
                self.decided(BOB, verdict=verdict),
                self.decided(verdict=verdict, id="bob"),
                self.decided(verdict=verdict, delegation=uuid(0xD1)),
            ):
                self.assertEqual(life.found(), [(ILLEGAL, 4)])
            self.assertIn((ILLEGAL, 4), self.decided(verdict=verdict, group="z").found())

    def test_after_it_was_ended(self) -> None:
        life = Life()
        lent(life)
        life.propose([("x", 1)])
        life.minute = 2
        lent(life, ANN, 2, status="ENDED")
        by_right(life.decide(CID, "APPROVED", 1))
        self.assertEqual(life.found(), [(ILLEGAL, 5)])

    def test_without_naming_it(self) -> None:
        life = self.decided()
        del life.entries[3]["body"]["decision"]["delegatedBy"]
        self.assertEqual(life.found(), [(ILLEGAL, 4)])

    def test_by_who_asked_or_for_them(self) -> None:
        for asks in ("ann", "cid"):
            life = self.decided()
            life.entries[2]["body"]["onBehalfOf"] = {**MEMBER, "id": asks}
            self.assertEqual(life.found(), [(ILLEGAL, 4)])

    def test_one_person_is_one_vote(self) -> None:
        def life_of(first: Entry, second: Entry, status: str = "APPROVED") -> Life:
            life = Life()
            lent(life)
            life.propose([("x", 2)])
            life.minute = 2
            for at, (actor, to) in enumerate(((first, "PENDING"), (second, status)), 1):
                body = life.decide(actor, to, at)
                if actor is CID:
                    by_right(body)
            return life

        self.assertEqual(life_of(CID, BOB).found(), [])
        for pair in ((CID, ANN), (ANN, CID), (CID, CID)):
            self.assertEqual(life_of(*pair).found(), [(ILLEGAL, 5)])
            self.assertEqual(life_of(*pair, "PENDING").found(), [(ILLEGAL, 5)])


if __name__ == "__main__":
    unittest.main()
