"""Ledgers built entry by entry: the life of an action, approvals, deadlines, principals, tokens, set-up."""

from __future__ import annotations

import unittest
from random import Random
from typing import Any, Callable

from countersign_verify.approvals import Approval, enough
from ledger_for_tests import (
    AGENT, CHAIN, COMMITMENT, GRANT, MEMBER, OTHER_GRANT, SYSTEM, Entry, Life, approval_cases, check, found, instant, linked, person, uuid,
)  # fmt: skip

ANN, BOB = person("ann", "x", "y"), person("bob", "x")


class Acknowledged(unittest.TestCase):
    """A type with a condition that moves nothing."""

    def test_only_administrators(self) -> None:
        for kind, roles, expected in (
            ("HUMAN", ("admin",), []),
            ("HUMAN", ("auditor",), [("RULE_BROKEN", 2)]),
            ("AGENT", ("admin",), [("RULE_BROKEN", 2)]),
        ):
            life = Life()
            problems = [{"seq": "1", "verdict": "FORKED"}]
            actor = person("root", kind=kind, roles=roles)
            life.add("LEDGER_ACKNOWLEDGED", actor, note=COMMITMENT, problems=problems, signature="")
            with self.subTest(kind=kind, roles=roles):
                self.assertEqual(life.found(), expected)


class Approvals(unittest.TestCase):
    """`enough`: assignment of approvals to places."""

    def enough(self, approvals: "list[tuple[str, str]]", *places: "tuple[str, int]") -> bool:
        """Those whose groups begin with a question mark are unknown."""
        given = [
            Approval(frozenset(who.split()), frozenset(groups.strip("?").split()), groups.startswith("?"))
            for who, groups in approvals
        ]
        return enough(given, [{"group": group, "needed": needed} for group, needed in places])

    def test_assignment(self) -> None:
        self.assertTrue(self.enough([]))
        self.assertTrue(self.enough([("a", "x y"), ("b", "x")], ("x", 1), ("y", 1)))
        self.assertTrue(self.enough([("b", "x"), ("a", "x y")], ("y", 1), ("x", 1)))
        self.assertFalse(self.enough([("a", "x"), ("b", "x")], ("x", 1), ("y", 1)))
        self.assertFalse(self.enough([("a", "x y")], ("x", 1), ("y", 1)))
        self.assertFalse(self.enough([("a", "x"), ("a", "y")], ("x", 1), ("y", 1)))
        self.assertFalse(self.enough([("a b", "x"), ("b", "y")], ("x", 1), ("y", 1)))
        self.assertFalse(self.enough([("a", "x")], ("x", 2**53)))
        self.assertTrue(self.enough([("a", "x"), ("b", "x"), ("c", "y z")], ("x", 2), ("z", 1)))
        # Needs two swaps: c can only be x, b gives x up for y, a gives y up for z.
        self.assertTrue(self.enough([("a", "y z"), ("b", "x y"), ("c", "x")], ("y", 1), ("x", 1), ("z", 1)))


    def test_without_any_one_who_is_unknown(self) -> None:
        self.assertFalse(self.enough([("a", "?x")], ("x", 1)))
        self.assertTrue(self.enough([("a", "?x"), ("b", "?x")], ("x", 1)))
        self.assertTrue(self.enough([("a", "x"), ("b", "?x")], ("x", 1)))
        self.assertTrue(self.enough([("a", "?x"), ("b", "x")], ("x", 1)))
        self.assertFalse(self.enough([("a", "?x"), ("b", "x")], ("x", 2)))
        self.assertTrue(self.enough([("a", "?x"), ("b", "?x"), ("c", "?x")], ("x", 2)))
        # Another of y does not stand in for the only one of x; one who can be both does.
        self.assertFalse(self.enough([("a", "?x"), ("b", "y"), ("c", "y")], ("x", 1), ("y", 1)))
        self.assertTrue(self.enough([("a", "?x"), ("b", "x y"), ("c", "y")], ("x", 1), ("y", 1)))
        self.assertFalse(self.enough([("a", "?x"), ("a", "x")], ("x", 1)))

    def test_against_every_assignment(self) -> None:
        random = Random(7)

        def most(given: "list[Approval]", places: "list[str]") -> int:
            if not given:
                return 0
            rest = [most(given[1:], places[:at] + places[at + 1 :]) + 1 for at, p in enumerate(places) if p in given[0].fits]
            return max([most(given[1:], places), *rest])

        for _ in range(2000):
            groups = lambda: frozenset(random.sample("xyz", random.randint(0, 2)))  # noqa: E731
            given = [Approval(frozenset(str(n)), groups(), random.random() < 0.5) for n in range(random.randint(0, 5))]
            places = [random.choice("xyz") for _ in range(random.randint(0, 3))]
            without = [[*given[:at], *given[at + 1 :]] for at, one in enumerate(given) if one.unknown]
            expected = all(most(some, places) == len(places) for some in [given, *without])
            self.assertEqual(enough(given, [{"group": group, "needed": 1} for group in places]), expected, (given, places))


class Asked(unittest.TestCase):
    """Every case of approvals.json, which has what a requirement can ask, beside the vectors."""

    def test_cases(self) -> None:
        cases = approval_cases()
        self.assertGreater(len(cases), 30)
        for case in cases:
            for verdict, status, legal in (("APPROVE", "APPROVED", case["approves"]), ("DENY", "DENIED", case["denies"])):
                life = Life()
                asking = life.ask([case["requirement"]])
                if "maker" in case:
                    asking["actor"] = case["maker"]
                    del asking["onBehalfOf"]
                body = life.decide(case["actor"], status, int(verdict == "APPROVE"), verdict)
                body["decision"].update(case["decision"])
                with self.subTest(case["name"], verdict=verdict):
                    self.assertEqual(life.found(), [] if legal else [("ILLEGAL_STEP", 3)])


class Action(unittest.TestCase):
    """Steps of an action, each ledger sound but for what a test changes."""

    def approved(self) -> Life:
        life = Life()
        life.propose([("x", 1)])
        life.decide(BOB, "APPROVED", 1)
        return life

    def executing(self) -> Life:
        life = self.approved()
        life.issue()
        life.redeem()
        return life

    def test_whole_lives(self) -> None:
        life = self.executing()
        life.end("ACTION_COMPLETED", AGENT, "SUCCEEDED", outcome="SUCCEEDED", latencyMs=5, onBehalfOf=MEMBER)
        self.assertEqual(life.found(), [])
        life = self.executing()
        life.minute = 50
        life.end("ACTION_AMBIGUOUS", SYSTEM, "AMBIGUOUS", reason="OUTCOME_NEVER_TOLD")
        life.end("ACTION_COMPLETED", person("root", roles=("admin",)), "FAILED", outcome="FAILED", latencyMs=5)
        self.assertEqual(life.found(), [])

    def test_proposals_are_signed(self) -> None:
        life = Life()
        del life.propose([("x", 1)])["signature"]
        self.assertEqual(life.found(), [("BAD_SIGNATURE", 2), ("RULE_BROKEN", 2)])
        life = Life()
        body = life.propose([], "PERMIT")
        self.assertEqual(life.found(), [])
        body["grant"]["id"] = OTHER_GRANT
        self.assertEqual(life.found(), [("RULE_BROKEN", 2)])

    def test_two_approvals(self) -> None:
        def life_of(second: Entry, status: str = "APPROVED") -> Life:
            life = Life()
            life.propose([("x", 1), ("y", 1)])
            life.decide(ANN, "PENDING", 1)
            life.decide(second, status, 2)
            return life

        self.assertEqual(life_of(BOB).found(), [])
        self.assertEqual(life_of(person("cid", "z")).found()[0], ("ILLEGAL_STEP", 4))
        again = life_of(ANN)
        self.assertEqual(again.found(), [("ILLEGAL_STEP", 4)])
        self.assertIn("twice", check(linked(again.entries)).problems[0].detail)
        self.assertEqual(life_of(ANN, "PENDING").found(), [("ILLEGAL_STEP", 4)])
        by_service = life_of(BOB)
        by_service.entries[3]["body"]["onBehalfOf"] = MEMBER
        self.assertEqual(by_service.found(), [("ILLEGAL_STEP", 4)])

    def test_unknown_identity(self) -> None:
        def life_of(first: str, *second: Entry) -> Life:
            life = Life()
            life.propose([("x", 1)])
            life.decide(ANN, first, 1)["identity"] = "UNKNOWN"
            for actor in second:
                life.decide(actor, "APPROVED", 2)
            return life

        self.assertEqual(life_of("PENDING").found(), [])
        self.assertEqual(life_of("PENDING", BOB).found(), [])
        self.assertEqual(life_of("APPROVED").found(), [("ILLEGAL_STEP", 3)])
        both = life_of("PENDING", BOB)
        both.entries[3]["body"]["identity"] = "UNKNOWN"
        self.assertEqual(both.found(), [])
        left_out = life_of("PENDING", BOB)
        left_out.entries[2]["body"].pop("identity")
        self.assertEqual(left_out.found(), [("ILLEGAL_STEP", 3)])
        other = life_of("PENDING")
        other.entries[2]["body"]["identity"] = "KNOWN"
        self.assertEqual(other.found(), [("RULE_BROKEN", 3)])

    def test_exact_quorum(self) -> None:
        life = Life()
        life.propose([("x", 1)])
        body = life.decide(BOB, "PENDING", 1)
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 3)])
        body["states"] = life.state("APPROVED", 1, grant={"expiresAt": instant(40)})
        body["states"][0]["version"] = 2
        self.assertEqual(life.found(), [])
        body["states"][0]["state"]["grant"]["id"] = GRANT
        self.assertEqual(life.found(), [("RULE_BROKEN", 3)])

    def test_what_a_status_does_not_have(self) -> None:
        life = self.approved()
        life.entries[-1]["body"]["states"][0]["state"]["expiresAt"] = instant(20)
        self.assertEqual(life.found(), [("RULE_BROKEN", 3)])
        life = Life()
        life.propose([("x", 1)])["states"][0]["state"]["grant"] = {"expiresAt": instant(40)}
        self.assertEqual(life.found(), [("RULE_BROKEN", 2)])

    def test_too_early(self) -> None:
        life = Life()
        life.propose([("x", 2)])
        life.decide(BOB, "APPROVED", 1)
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 3)])

    def test_deadlines(self) -> None:
        life = Life()
        life.propose([("x", 1)])
        life.minute = 20
        life.decide(BOB, "APPROVED", 1)
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 3)])
        for minute, expected in ((39, [("ILLEGAL_STEP", 4)]), (40, [])):
            life = self.approved()
            life.minute = minute
            life.add("ACTION_EXPIRED", SYSTEM, **life.about(), policyHash="sha256:" + "e" * 64, reason="EXPIRED",
                     states=life.state("EXPIRED", 1))  # fmt: skip
            self.assertEqual(life.found(), expected)
        life = self.executing()
        life.minute = 49
        life.end("ACTION_AMBIGUOUS", SYSTEM, "AMBIGUOUS", reason="OUTCOME_NEVER_TOLD")
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 6)])

    def test_grants(self) -> None:
        life = self.approved()
        life.issue()
        life.issue(grant=OTHER_GRANT, voids=GRANT)
        self.assertEqual(life.found(), [])
        life.redeem()
        # The first grant is void, and so is the state that keeps it.
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 6)])
        life = self.approved()
        life.issue()
        life.issue(grant=OTHER_GRANT)
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 5)])
        life = self.approved()
        life.issue()["states"][0]["state"]["grant"]["expiresAt"] = instant(41)
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 4)])

    def test_by_whom(self) -> None:
        def other(life: Life) -> "list[tuple[str, int]]":
            life.entries[-1]["body"]["actor"]["id"] = "other"
            return life.found()

        self.assertEqual(other(self.executing()), [("ILLEGAL_STEP", 5)])
        life = self.executing()
        life.end("ACTION_COMPLETED", person("root", roles=("admin",)), "FAILED", outcome="FAILED", latencyMs=5)
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 6)])
        life = self.executing()
        life.minute = 50
        life.end("ACTION_AMBIGUOUS", BOB, "AMBIGUOUS", reason="OUTCOME_NEVER_TOLD")
        self.assertEqual(life.found(), [("RULE_BROKEN", 6)])
        for actor, expected in ((BOB, []), (AGENT, [("ILLEGAL_STEP", 3)])):
            life = Life()
            life.propose([("x", 1)])
            life.add("ACTION_CANCELLED", actor, **life.about(), policyHash="sha256:" + "e" * 64, states=life.state("CANCELLED"))
            self.assertEqual(life.found(), expected)

    def test_steps(self) -> None:
        life = self.approved()
        life.decide(BOB, "DENIED", 1, "DENY")
        self.assertEqual(life.found(), [])
        life.decide(BOB, "APPROVED", 2)
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 5)])
        life = self.executing()
        life.end("ACTION_COMPLETED", AGENT, "FAILED", outcome="SUCCEEDED", latencyMs=5, onBehalfOf=MEMBER)
        self.assertEqual(life.found(), [("RULE_BROKEN", 6)])

    def test_a_signed_fact_is_recorded_once(self) -> None:
        life = Life()
        life.propose([("x", 2)])
        life.decide(BOB, "PENDING", 1)
        life.entries.append({**life.entries[-1]})
        self.assertEqual(life.found(), [("RULE_BROKEN", 4), ("ILLEGAL_STEP", 4)])


class Chains(unittest.TestCase):
    def second(self, change: Callable[[Entry], Any]) -> "list[tuple[str, int]]":
        life = Life()
        life.propose([("x", 1)])["conversation"] = "c"
        life.version = 0
        body = life.propose([("x", 1)])
        action, chain = uuid(0xB1), uuid(0xC1)
        body.update(action=action, chain=chain, conversation="c")
        body["states"][0]["id"] = action
        body["states"][1].update(id=chain)
        body["states"][1]["state"].update(number=2)
        closed = {"number": 1, "platform": "p", "status": "CLOSED"}
        body["states"].append({"id": CHAIN, "kind": "CHAIN", "state": closed, "version": 2})
        change(body)
        return life.found()

    @staticmethod
    def goes_on(body: Entry, **changes: Any) -> None:
        """Make it a step of the chain that is there."""
        del body["states"][1:]
        body.update({"chain": CHAIN, **changes})

    def test_in_the_place_of_another(self) -> None:
        self.assertEqual(self.second(lambda b: None), [])
        closed = self.second(lambda b: (b["states"][1]["state"].update(number=3), b["states"][2]["state"].update(number=2)))
        self.assertEqual(closed, [("ILLEGAL_STEP", 3)])
        self.assertEqual(self.second(lambda b: b["states"][1]["state"].update(number=1)), [("RULE_BROKEN", 3)])
        self.assertEqual(self.second(lambda b: b["states"][1]["state"].update(platform="q")), [("RULE_BROKEN", 3)])
        self.assertEqual(self.second(lambda b: b["states"][2]["state"].update(platform="q")), [("ILLEGAL_STEP", 3)])
        self.assertEqual(self.second(lambda b: b["states"][2]["state"].update(status="OPEN")), [("RULE_BROKEN", 3), ("ILLEGAL_STEP", 3)])
        self.assertEqual(self.second(lambda b: b.update(conversation="d")), [("ILLEGAL_STEP", 3)])
        self.assertEqual(self.second(lambda b: b["actor"].update(id="other")), [("ILLEGAL_STEP", 3)])
        self.assertEqual(self.second(lambda b: b.pop("onBehalfOf")), [("ILLEGAL_STEP", 3)])
        # Nothing makes the chain that it names.
        self.assertEqual(self.second(lambda b: b["states"].pop(1)), [("RULE_BROKEN", 3), ("ILLEGAL_STEP", 3)])

    def test_without_another(self) -> None:
        alone = lambda b, number: (b["states"].pop(), b["states"][1]["state"].update(number=number))  # noqa: E731
        self.assertEqual(self.second(lambda b: alone(b, 1)), [])
        self.assertEqual(self.second(lambda b: alone(b, 2)), [("RULE_BROKEN", 3)])

    def test_dependent(self) -> None:
        self.assertEqual(self.second(lambda b: self.goes_on(b)), [])
        self.assertEqual(self.second(lambda b: self.goes_on(b, chain=uuid(0xC9))), [("ILLEGAL_STEP", 3)])
        self.assertEqual(self.second(lambda b: self.goes_on(b, conversation="d")), [("ILLEGAL_STEP", 3)])
        self.assertEqual(self.second(lambda b: self.goes_on(b, platform="q")), [("ILLEGAL_STEP", 3)])
        self.assertEqual(self.second(lambda b: self.goes_on(b, actor=person("other", kind="AGENT"))), [("ILLEGAL_STEP", 3)])


class Sessions(unittest.TestCase):
    SESSION = uuid(0xA0)

    def session(self, actor: Entry, **members: Any) -> Life:
        life = Life()
        states = [{"id": self.SESSION, "kind": "SESSION", "state": {"expiresAt": instant(9), "status": "OPEN"}, "version": 1}]
        life.add("SESSION_STARTED", actor, session=self.SESSION, method="m", signature="", states=states, **members)
        return life

    def ended(self, life: Life, actor: Entry, reason: str, **state: Any) -> "list[tuple[str, int]]":
        states = [{"id": self.SESSION, "kind": "SESSION", "state": {"status": "ENDED", **state}, "version": 2}]
        life.add("SESSION_ENDED", actor, session=self.SESSION, reason=reason, states=states)
        return life.found()

    def test_by_whom(self) -> None:
        for actor, other, expected in (
            (ANN, None, []), (BOB, None, [("ILLEGAL_STEP", 3)]), (AGENT, ANN, []), (AGENT, BOB, [("ILLEGAL_STEP", 3)]),
            (AGENT, None, [("ILLEGAL_STEP", 3)]), (BOB, ANN, [("ILLEGAL_STEP", 3)]), (ANN, ANN, [("ILLEGAL_STEP", 3)]),
        ):  # fmt: skip
            life = self.session(ANN)
            life.add("NEW_TYPE", actor, session=self.SESSION, **({"onBehalfOf": other} if other else {}))
            self.assertEqual(life.found(), expected)
        # Nobody acts for who acts for somebody.
        life = self.session(ANN, onBehalfOf=BOB)
        life.add("NEW_TYPE", AGENT, session=self.SESSION, onBehalfOf=ANN)
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 3)])

    def test_the_end(self) -> None:
        self.assertEqual(self.ended(self.session(ANN), ANN, "LOGOUT"), [])
        self.assertEqual(self.ended(self.session(ANN), BOB, "LOGOUT"), [("ILLEGAL_STEP", 3)])
        self.assertEqual(self.ended(self.session(ANN), ANN, "LOGOUT", expiresAt=instant(9)), [("RULE_BROKEN", 3)])
        self.assertEqual(self.ended(self.session(ANN), SYSTEM, "EXPIRED"), [("ILLEGAL_STEP", 3)])
        for actor, expected in ((SYSTEM, []), (ANN, [("RULE_BROKEN", 3)])):
            life = self.session(ANN)
            life.minute = 9
            self.assertEqual(self.ended(life, actor, "EXPIRED"), expected)
            life.add("NEW_TYPE", ANN, session=self.SESSION)
            self.assertEqual(life.found()[-1], ("ILLEGAL_STEP", 4))


class Directory(unittest.TestCase):
    """PRINCIPAL, TOKEN, SETUP, and what moves nothing."""

    ADMIN = person("root", roles=("admin",))

    def principal(self, life: Life, type_name: str, version: int, **state: Any) -> Entry:
        whole = {"kind": "AGENT", "roles": ["a"], "suspended": False, **state}
        states = [{"id": "bot", "kind": "PRINCIPAL", "state": whole, "version": version}]
        return life.add(type_name, self.ADMIN, signature="", subject={"id": "bot", "kind": "AGENT"}, states=states)

    def test_principals(self) -> None:
        life = Life()
        self.principal(life, "PRINCIPAL_INVITED", 1, owner="root", invitedAt=instant(1), roles=[])
        later = {"owner": "ann", "invitedAt": instant(1), "key": "k", "roles": []}
        self.principal(life, "PRINCIPAL_UPDATED", 2, **later)
        self.principal(life, "PRINCIPAL_SUSPENDED", 3, **later, suspended=True)
        self.principal(life, "PRINCIPAL_REINSTATED", 4, **later)
        self.principal(life, "PRINCIPAL_ROLES_CHANGED", 5, **{**later, "roles": ["b"]})
        self.assertEqual(life.found(), [])
        self.principal(life, "PRINCIPAL_SUSPENDED", 6, **{**later, "key": "other", "roles": ["b"]}, suspended=True)
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 7)])
        body = self.principal(life, "PRINCIPAL_REINSTATED", 7, **{**later, "key": "other", "roles": ["b"]}, kind="HUMAN")
        self.assertEqual(life.found()[1:], [("RULE_BROKEN", 8), ("ILLEGAL_STEP", 8)])
        body["subject"]["kind"] = "HUMAN"
        self.assertEqual(life.found()[1:], [("ILLEGAL_STEP", 8)])

    def test_what_principals_are_made_with(self) -> None:
        invited = {"owner": "root", "invitedAt": instant(1), "roles": []}
        broken = [("RULE_BROKEN", 2)]
        for type_name, state, expected in (
            ("PRINCIPAL_INVITED", {**invited, "roles": ["a"]}, broken),
            ("PRINCIPAL_INVITED", {**invited, "suspended": True}, broken),
            ("PRINCIPAL_INVITED", {"owner": "root", "roles": []}, broken),
            ("PRINCIPAL_INVITED", {"invitedAt": instant(1), "roles": []}, broken),
            ("PRINCIPAL_INVITED", {**invited, "kind": "HUMAN"}, broken),
            ("PRINCIPAL_INVITED", {**invited, "key": "k"}, []),
            ("PRINCIPAL_SUSPENDED", {"suspended": True, "roles": []}, []),
            ("PRINCIPAL_SUSPENDED", {"suspended": True, "roles": ["a"]}, broken),
            ("PRINCIPAL_SUSPENDED", {"suspended": True, "roles": [], "key": "k"}, broken),
            ("PRINCIPAL_SUSPENDED", {"suspended": False, "roles": []}, broken),
            ("PRINCIPAL_ROLES_CHANGED", {"roles": ["a"]}, []),
            ("PRINCIPAL_ROLES_CHANGED", {"roles": ["a"], "suspended": True}, broken),
            ("PRINCIPAL_ROLES_CHANGED", {"roles": ["a"], "owner": "ann"}, broken),
            ("PRINCIPAL_UPDATED", {"roles": []}, [("RULE_BROKEN", 2), ("ILLEGAL_STEP", 2)]),
        ):
            life = Life()
            self.principal(life, type_name, 1, **state)
            self.assertEqual(life.found(), expected, (type_name, state))

    def test_tokens(self) -> None:
        # No condition says what the id is made of.
        for name, state, expected in (("* jti", {"revoked": True}, []), ("jti", {"revoked": True}, []), ("i j", {"revoked": 1}, [("RULE_BROKEN", 2)])):
            life = Life()
            life.add("TOKEN_REVOKED", self.ADMIN, signature="", states=[{"id": name, "kind": "TOKEN", "state": state, "version": 1}])
            self.assertEqual(life.found(), expected)

    def test_set_up(self) -> None:
        def setup(life: Life, type_name: str, actor: Entry, version: int, **state: Any) -> Entry:
            whole = {"attempts": 0, "expiresAt": instant(9), "hash": "a" * 64, **state}
            states = [{"id": "administrator", "kind": "SETUP", "state": whole, "version": version}]
            return life.add(type_name, actor, signature="", states=states)

        life = Life()
        setup(life, "SETUP_CODE_ISSUED", SYSTEM, 1)
        setup(life, "SETUP_CODE_REFUSED", BOB, 2, attempts=1)
        used = setup(life, "SETUP_CODE_USED", ANN, 3, attempts=1, usedBy="ann")
        self.assertEqual(life.found(), [])
        used["states"][0]["state"]["usedBy"] = "bob"
        self.assertEqual(life.found(), [("RULE_BROKEN", 4)])
        used["states"][0]["state"].update(usedBy="ann", attempts=0)
        self.assertEqual(life.found(), [("ILLEGAL_STEP", 4)])

    def test_all_or_none(self) -> None:
        for members, expected in (
            ({}, []),
            (Life().about(), [("RULE_BROKEN", 2)]),
            ({**Life().about(), "policyHash": "sha256:" + "e" * 64}, []),
            ({"sourceChain": CHAIN}, [("RULE_BROKEN", 2)]),
        ):
            life = Life()
            life.add("GRANT_REFUSED", AGENT, reason="GRANT_VOID", **members)
            self.assertEqual(life.found(), expected)

    def test_counts(self) -> None:
        for reads, expected in (({"a": 1}, []), ({"a": "1"}, [("RULE_BROKEN", 2)])):
            life = Life()
            life.add("AUDIT_READ", self.ADMIN, read={"from": instant(1), "entries": 1, "reads": reads})
            self.assertEqual(found(check(linked(life.entries))), expected)


if __name__ == "__main__":
    unittest.main()
