"""Ledgers built entry by entry: approvals by one person alone, and what another says of them."""

from __future__ import annotations

import unittest
from typing import Any, Optional

from ledger_for_tests import ACTION, COMMITMENT, POLICY, Entry, Life, approval_cases, instant, person

BREAKER, OTHER = person("ann", roles=("break-glass",)), person("bob")
ILLEGAL, BROKEN = "ILLEGAL_STEP", "RULE_BROKEN"


def broken(life: Life, actor: Entry = BREAKER, ends: str = instant(16), **members: Any) -> Entry:
    states = life.state("APPROVED", 0, grant={"expiresAt": ends})
    states.append({"id": ACTION, "kind": "GLASS", "state": {"by": actor["id"], "status": "UNREVIEWED"}, "version": 1})
    about = {**life.about(), "requestedBy": {"id": "agent", "onBehalfOf": "member"}, **members}
    return life.add(
        "ACTION_BROKEN_GLASS", actor, **about, policyHash=POLICY, reason=COMMITMENT, channel="API", states=states, signature=""
    )


def reviewed(
    life: Life, actor: Entry, verdict: str = "JUSTIFIED", version: int = 2, by: str = "ann", acting_for: Optional[Entry] = None
) -> Entry:
    states = [{"id": ACTION, "kind": "GLASS", "state": {"by": by, "status": verdict}, "version": version}]
    person_behind = {} if acting_for is None else {"onBehalfOf": acting_for}
    return life.add(
        "BREAK_GLASS_REVIEWED", actor, **life.about(), **person_behind, policyHash=POLICY, verdict=verdict, note=COMMITMENT, states=states,
        signature="",
    )  # fmt: skip


class BreakGlass(unittest.TestCase):
    def life(self, actor: Entry = BREAKER, **members: Any) -> Life:
        life = Life()
        life.propose([("x", 2)])
        life.minute = 1
        broken(life, actor, **members)
        return life

    def test_by_whom_and_how_long(self) -> None:
        self.assertEqual(self.life().found(), [])
        for actor in (OTHER, person("member", roles=("break-glass",)), person("agent", kind="AGENT", roles=("break-glass",))):
            self.assertEqual(self.life(actor).found(), [(ILLEGAL, 3)])
        self.assertEqual(self.life(ends="2026-01-01T00:16:00.000001Z").found(), [(ILLEGAL, 3)])
        self.assertIn((BROKEN, 3), self.life(platform="countersign").found())
        for asked in ({"id": "agent"}, {"id": "agent", "onBehalfOf": "bob"}, {"id": "bob", "onBehalfOf": "member"}):
            self.assertEqual(self.life(requestedBy=asked).found(), [(ILLEGAL, 3)])
        without = self.life()
        without.entries[2]["body"]["states"].pop()
        self.assertIn((BROKEN, 3), without.found())

    def test_nothing_else_approves_alone(self) -> None:
        life = Life()
        life.propose([("x", 2)])
        life.decide(person("ann", "x", roles=("break-glass",)), "APPROVED", 1)
        self.assertEqual(life.found(), [(ILLEGAL, 3)])

    def test_review(self) -> None:
        def found(actor: Entry, **members: Any) -> "list[tuple[str, int]]":
            life = self.life()
            reviewed(life, actor, **members)
            return life.found()

        self.assertEqual(found(OTHER), [])
        self.assertEqual(found(OTHER, verdict="UNJUSTIFIED"), [])
        self.assertEqual(found(BREAKER), [(ILLEGAL, 4)])
        self.assertEqual(found(OTHER, by="bob"), [(ILLEGAL, 4)])
        self.assertEqual(found(OTHER, acting_for=person("cid")), [(ILLEGAL, 4)])
        life = self.life()
        reviewed(life, OTHER)
        reviewed(life, person("cid"), "UNJUSTIFIED", 3)
        self.assertEqual(life.found(), [(ILLEGAL, 5)])

    def test_cases(self) -> None:
        """Those of approvals.json that say who breaks the glass, and who says afterwards whether ann was right to."""
        cases = [case for case in approval_cases() if "breaks" in case]
        self.assertGreater(len(cases), 5)
        for case in cases:
            asks = case.get("maker", person("agent", kind="AGENT"))
            requester = {"id": asks["id"]} if "maker" in case else {"id": "agent", "onBehalfOf": "member"}

            def life_of(breaker: Entry) -> Life:
                life = Life()
                asking = life.ask([case["requirement"]])
                asking["actor"] = asks
                if "maker" in case:
                    del asking["onBehalfOf"]
                life.minute = 1
                broken(life, breaker, requestedBy=requester)
                return life

            with self.subTest(case["name"]):
                self.assertEqual(life_of(case["actor"]).found(), [] if case["breaks"] else [(ILLEGAL, 3)])
                life = life_of(BREAKER)
                reviewed(life, case["actor"])
                self.assertEqual(life.found(), [] if case["reviews"] else [(ILLEGAL, 4)])


if __name__ == "__main__":
    unittest.main()
