"""The ledger of the vectors with one thing changed at a time."""

from __future__ import annotations

import copy
import random
import unittest
from typing import Any, Callable, List

from countersign_verify import report
from ledger_for_tests import SIGNER, SYSTEM, Entry, check, entries_of, found, linked, uuid
from test_vectors import ENTRIES, KEYS, VECTORS

TEXTS = [vector["entry"].encode("utf-8") for vector in ENTRIES]
ROWS = [("%s %s" % (v["seq"], v["payload"])).encode("utf-8") for v in ENTRIES if v["payload"]]
HEAD = (len(ENTRIES), ENTRIES[-1]["hash"])
# Positions in the vectors.
SESSION, PROPOSAL, DECISION, NOTE, INVITED, COPIED, ENDED = 2, 3, 4, 14, 19, 21, 22
# The second proposal, which depends on the same session and chain.
FURTHER = 16


class Bytes(unittest.TestCase):
    """Changes that whoever makes them cannot cover by new links."""

    def test_any_byte(self) -> None:
        chance = random.Random(1)
        for index, text in enumerate(TEXTS):
            for _ in range(12):
                place = chance.randrange(len(text))
                changed = bytearray(text)
                changed[place] ^= 1 << chance.randrange(8)
                texts = TEXTS[:index] + [bytes(changed)] + TEXTS[index + 1 :]
                with self.subTest(seq=index + 1, place=place):
                    result = check(texts, keys=None, heads=[HEAD], rows=ROWS)
                    self.assertNotEqual(result.verdict, "INTACT")

    def test_any_byte_of_a_payload(self) -> None:
        chance = random.Random(2)
        for index, row in enumerate(ROWS):
            start = row.index(b" ") + 1
            for _ in range(12):
                place = chance.randrange(start, len(row))
                changed = bytearray(row)
                changed[place] ^= 1 << chance.randrange(8)
                if b"\n" in changed:
                    continue
                rows = ROWS[:index] + [bytes(changed)] + ROWS[index + 1 :]
                with self.subTest(row=index, place=place):
                    verdicts = {verdict for verdict, _ in found(check(TEXTS, keys=KEYS, rows=rows))}
                    self.assertIn("CONTENT_MISMATCH", verdicts)
                    self.assertLessEqual(verdicts, {"CONTENT_MISMATCH", "PAYLOAD_MISSING"})

    def test_white_space_and_carriage_return(self) -> None:
        unverifiable = (b"\xef\xbb\xbf" + TEXTS[4], TEXTS[4][:-1], b"", b"\xff", b"1", TEXTS[4].replace(b'"v":1', b'"v":2'))
        other_form = (TEXTS[4] + b" ", TEXTS[4] + b"\r", TEXTS[4].replace(b'"v":1', b'"v":1.0'), TEXTS[4][:-1] + b',"v":1}')
        for verdict, all_changed in (("UNVERIFIABLE", unverifiable), ("CONTENT_MISMATCH", other_form)):
            for changed in all_changed:
                texts = TEXTS[:4] + [changed] + TEXTS[5:]
                expected = [(verdict, 5), ("LINK_BROKEN", 6)]
                self.assertEqual(found(check(texts, keys=KEYS)), expected, changed[:5])

    def test_order_gap_and_repetition(self) -> None:
        # Lines are taken in the order of their places.
        self.assertEqual(found(check(TEXTS[:6] + [TEXTS[7], TEXTS[6]] + TEXTS[8:], keys=KEYS)), [])
        self.assertEqual(found(check(TEXTS[:6] + TEXTS[7:], keys=KEYS)), [("SEQUENCE_GAP", 7)])
        self.assertEqual(found(check(TEXTS[:6] + TEXTS[9:], keys=KEYS)), [("SEQUENCE_GAP", 7)])
        self.assertEqual(found(check(TEXTS[4:], keys=KEYS))[0], ("SEQUENCE_GAP", 1))

    def test_fork(self) -> None:
        for texts in (TEXTS[:7] + [TEXTS[6]] + TEXTS[7:], TEXTS + [TEXTS[6]]):
            self.assertEqual(found(check(texts, keys=KEYS, heads=[HEAD])), [("FORKED", 7)])
        other = TEXTS[6].replace(b'"v":1', b'"v":2')
        expected = [("FORKED", 7), ("UNVERIFIABLE", 7)]
        self.assertEqual(found(check(TEXTS[:7] + [other] + TEXTS[7:], keys=KEYS)), expected)
        # What makes the session and what makes the action count for nothing once they are forked.
        result = found(check(TEXTS[:2] + TEXTS[1:], keys=KEYS))
        self.assertEqual(result, [("FORKED", 2), ("ILLEGAL_STEP", 3), ("ILLEGAL_STEP", FURTHER), ("ILLEGAL_STEP", ENDED)])

    def test_cut_at_the_end(self) -> None:
        self.assertEqual(found(check(TEXTS[:-1], keys=KEYS)), [])
        self.assertEqual(found(check(TEXTS[:-1], keys=KEYS, heads=[HEAD])), [("ROLLED_BACK", ENDED)])
        self.assertEqual(found(check(TEXTS, keys=KEYS, heads=[(5, "0" * 64)])), [("CHECKPOINT_INCONSISTENT", 5)])
        self.assertEqual(check([]).verdict, "EMPTY")
        self.assertEqual(found(check([], heads=[HEAD])), [("TRUNCATED", 1)])
        # One fault of the end is reported, and of heads that differ the first.
        rows = [b'99 {"a":{"salt":"' + b"0" * 32 + b'","value":1}}']
        self.assertEqual(found(check(TEXTS[:1], keys=KEYS, heads=[HEAD], rows=rows)), [("TRUNCATED", 2)])
        heads = [(7, "0" * 64), (5, "0" * 64), (ENDED + 4, "0" * 64), (30, "0" * 64)]
        expected = [("CHECKPOINT_INCONSISTENT", 5), ("ROLLED_BACK", ENDED + 1)]
        self.assertEqual(found(check(TEXTS, keys=KEYS, heads=heads)), expected)
        self.assertEqual(check(TEXTS, keys=KEYS, heads=heads).verdict, "CHECKPOINT_INCONSISTENT")

    def test_a_link(self) -> None:
        entries = entries_of(VECTORS)
        entries[0]["prevHash"] = "1" + "0" * 63
        texts = linked(entries, sign=False)
        changed = texts[0].replace(b'"prevHash":"0', b'"prevHash":"1')
        self.assertIn(("LINK_BROKEN", 1), found(check([changed] + texts[1:], keys=KEYS)))


class Members(unittest.TestCase):
    """Changes with new links and new signatures, so that only the change itself can show."""

    def broken(self, seq: int, change: Callable[[Entry], Any], verdict: str = "RULE_BROKEN", **options: Any) -> None:
        entries = entries_of(VECTORS)
        change(entries[seq - 1])
        problems = found(check(linked(entries), **options))
        self.assertIn((verdict, seq), problems)
        self.assertEqual({v for v, at in problems if at == seq}, {verdict}, problems)

    def test_unchanged(self) -> None:
        self.assertEqual(found(check(linked(entries_of(VECTORS)))), [])

    def test_the_entry(self) -> None:
        for change in (lambda e: e.update(v=2), lambda e: e.update(v="1"), lambda e: e.update(v=True), lambda e: e.pop("v")):
            self.broken(NOTE, change, "UNVERIFIABLE")
        for change in (
            lambda e: e.update(extra=1),
            lambda e: e.pop("recordedAt"),
            lambda e: e.pop("body"),
            lambda e: e.update(body=[]),
            lambda e: e.update(recordedAt="2026-11-31T07:38:43.254604Z"),
            lambda e: e.update(recordedAt="2026-02-29T07:38:43.254604Z"),
            lambda e: e.update(recordedAt="2026-11-26T24:00:00.000000Z"),
            lambda e: e.update(recordedAt="2026-11-26T07:38:43.25460Z"),
            lambda e: e.update(recordedAt="2026-11-26T07:38:43.254604+00:00"),
            lambda e: e.update(recordedAt="2026-11-26T07:38:43.000000Z"),
        ):
            self.broken(NOTE, change, "CONTENT_MISMATCH")
        self.broken(NOTE, lambda e: e.update(ledger="vectors/eu-2"), "LINK_BROKEN")
        for ledger in ("Vectors/eu-1", "vectors/eu-1\n", None):
            entries = entries_of(VECTORS)
            entries[NOTE - 1]["ledger"] = ledger
            self.assertEqual(found(check(linked(entries))), [("LINK_BROKEN", NOTE), ("CONTENT_MISMATCH", NOTE)])
        self.assertIn(("LINK_BROKEN", 1), found(check(TEXTS, keys=KEYS, ledger="vectors/eu-2")))

    def test_seq(self) -> None:
        for seq in ("014", "0", "-14", "99999999999999999999", "9" * 5000, 14, str(2**63)):
            entries = entries_of(VECTORS)
            for index, entry in enumerate(entries, 1):
                entry["seq"] = str(index)
            entries[NOTE - 1]["seq"] = seq
            problems = found(check(linked(entries, number=False)))
            self.assertEqual(problems, [("LINK_BROKEN", NOTE), ("CONTENT_MISMATCH", NOTE)], seq)

    def test_the_body(self) -> None:
        def put(name: str, value: Any) -> Callable[[Entry], Any]:
            return lambda entry: entry["body"].update({name: value})

        deep: Any = []
        for _ in range(62):
            deep = [deep]
        for change in (
            put("text", "a\0"),
            put("a\0", 1),
            put("n", 2**53),
            put("n", -(2**53)),
            put("n", 1.5),
            put("n", 1e21),
            put("deep", [deep]),
        ):
            self.broken(NOTE, change, "CONTENT_MISMATCH")
        for change in (put("a.b", {"commit": "0" * 64}), put("states", []), put("type", None), put("type", "LEDGER_CREATED")):
            self.broken(NOTE, change)
        for change in (
            put("actor", None),
            put("client", {"name": "x"}),
            put("traceId", "x"),
            put("id", "01920000-0000-7000-8000-00000000000D"),
            lambda b: b["body"]["actor"].update(name="x"),
            lambda b: b["body"]["actor"].update(kind="ROBOT"),
            lambda b: b["body"]["actor"].update(roles=[1]),
            lambda b: b["body"].pop("actor"),
        ):
            # Of a type that is not known all of that may be; of a known one not.
            entries = entries_of(VECTORS)
            change(entries[NOTE - 1])
            self.assertEqual(found(check(linked(entries))), [])
            self.assertIn(("RULE_BROKEN", ENDED), self.changed(ENDED, change))
        self.broken(NOTE, put("session", "x"), "ILLEGAL_STEP")
        self.broken(NOTE, put("session", None), "ILLEGAL_STEP")
        # Any version and variant of a UUID.
        self.assertEqual(self.changed(ENDED, put("id", "01920000-0000-4000-c000-000000000001")), [])
        for value in (2**53 - 1, -(2**53 - 1), [[]], None, {"commit": "x"}, deep):
            self.assertEqual(self.changed(NOTE, put("more", value)), [], value)

    def changed(self, seq: int, change: Callable[[Entry], Any]) -> List[Any]:
        entries = entries_of(VECTORS)
        change(entries[seq - 1])
        return found(check(linked(entries)))

    def test_members_of_a_type(self) -> None:
        for change in (
            lambda b: b.update(more=1),
            lambda b: b.pop("arguments"),
            lambda b: b.update(arguments={"commit": "C" * 64}),
            lambda b: b.update(arguments={"commit": "c" * 64, "salt": ""}),
            lambda b: b.update(sourceChain=None),
            lambda b: b.update(digest="sha256:" + "D" * 64),
            lambda b: b["policy"].update(version=True),
            lambda b: b["policy"]["rules"][0].pop("because"),
            lambda b: b["policy"]["requirements"][0].update(more=1),
            lambda b: b["policy"].update(rules={}),
            lambda b: b["policy"].update(outcome="FORBID"),
            lambda b: b["states"][0]["state"].update(approvals=1),
            lambda b: b["states"][0]["state"].pop("expiresAt"),
            lambda b: b["states"][0]["state"].update(more=1),
            lambda b: b["states"][0].update(id=uuid(1)),
            lambda b: b["states"].reverse(),
            lambda b: b["states"].append(copy.deepcopy(b["states"][1])),
            lambda b: b["states"][1]["state"].update(number=2),
            lambda b: b["states"][1]["state"].update(platform="other"),
            lambda b: b["policy"]["requirements"][0].update(needed=0),
            lambda b: b["policy"].update(version=-1),
        ):
            self.broken(PROPOSAL, lambda entry, change=change: change(entry["body"]))
        # Checks are independent of each other: the version is wrong too, or the chain is not there.
        for change in (
            lambda b: b["states"][0].update(version=0),
            lambda b: b["states"][0].update(version=2**31),
            lambda b: b["states"][1].update(id=uuid(1)),
            lambda b: b["states"][1].update(kind="UNKNOWN"),
            lambda b: b.pop("states"),
        ):
            problems = self.changed(PROPOSAL, lambda entry, change=change: change(entry["body"]))
            self.assertEqual(problems[:2], [("RULE_BROKEN", PROPOSAL), ("ILLEGAL_STEP", PROPOSAL)])
        self.broken(INVITED, lambda e: e["body"]["actor"].update(kind="AGENT"))

    def test_signatures(self) -> None:
        both = [("BAD_SIGNATURE", DECISION), ("RULE_BROKEN", DECISION)]
        for change, expected in (
            (lambda b: b.pop("signature"), both),
            (lambda b: b.update(signature=b["signature"] + "="), both),
            (lambda b: b.update(signature=b["signature"][:-2]), both),
            (lambda b: b["decision"].update(channel="SLACK"), both[:1]),
        ):
            entries = entries_of(VECTORS)
            change(entries[DECISION - 1]["body"])
            self.assertEqual(found(check(linked(entries, sign=False), keys=KEYS)), expected)
        entries = entries_of(VECTORS)
        del entries[DECISION - 1]["body"]["signature"]
        self.assertEqual(found(check(linked(entries, sign=False), keys=None)), both)
        entries = entries_of(VECTORS)
        entries[ENDED - 1]["body"]["signature"] = entries[DECISION - 1]["body"]["signature"]
        self.assertEqual(found(check(linked(entries, sign=False), keys=KEYS)), [("RULE_BROKEN", ENDED)])
        # Another key signs: known to nobody who has the keys of the vectors.
        self.assertEqual(
            found(check(linked(entries_of(VECTORS)), keys=KEYS)),
            [("BAD_SIGNATURE", seq) for seq in (SESSION, PROPOSAL, DECISION, *range(FURTHER - 1, COPIED + 1))],
        )
        good = check(linked(entries_of(VECTORS)), keys=None)
        self.assertEqual(good.verdict, "INTACT")
        self.assertTrue(any("signatures" in text for text in good.not_checked))
        body = entries_of(VECTORS)[DECISION - 1]["body"]
        header = {"alg": "EdDSA", "iat": 10**15, "kid": SIGNER.kid, "ledger": "vectors/eu-1", "typ": "countersign-fact+jws"}
        for iat, valid in ((10**15, False), (-1, False), (1.5, False), (10**15 - 1, True), (0, True)):
            entries = entries_of(VECTORS)
            entries[DECISION - 1]["body"]["signature"] = SIGNER.jws(body, header={**header, "iat": iat})
            keys = {**KEYS, **SIGNER.keys}
            self.assertEqual(not found(check(linked(entries, sign=False), keys=keys)), valid, iat)

    def test_history(self) -> None:
        self.broken(NOTE, lambda e: e["body"].update(id=uuid(2)), "RULE_BROKEN")
        self.broken(DECISION, lambda e: e["body"]["states"][0].update(version=3), "ILLEGAL_STEP")
        self.broken(DECISION, lambda e: e["body"].update(tool="other"), "ILLEGAL_STEP")
        self.broken(DECISION, lambda e: e["body"].update(sourceChain=uuid(1)), "ILLEGAL_STEP")
        self.broken(DECISION, lambda e: e["body"].update(policyHash="sha256:" + "0" * 64), "ILLEGAL_STEP")
        self.broken(DECISION, lambda e: e["body"]["states"][0]["state"].update(approvals=2), "ILLEGAL_STEP")
        self.broken(DECISION, lambda e: e["body"]["actor"].update(groups=[]), "ILLEGAL_STEP")
        self.broken(DECISION, lambda e: e["body"]["actor"].update(id="member"), "ILLEGAL_STEP")
        self.broken(DECISION, lambda e: e["body"]["actor"].update(id="agent"), "ILLEGAL_STEP")
        self.broken(DECISION, lambda e: e["body"]["actor"].update(kind="SERVICE"), "ILLEGAL_STEP")
        self.broken(DECISION, lambda e: e["body"]["decision"].update(verdict="DENY"))
        self.broken(PROPOSAL, lambda e: e["body"].update(session=uuid(1)), "ILLEGAL_STEP")
        self.broken(PROPOSAL, lambda e: e["body"]["actor"].update(id="other"), "ILLEGAL_STEP")
        self.broken(ENDED, lambda e: e["body"].update(conversation="other"), "ILLEGAL_STEP")
        self.broken(ENDED, lambda e: e["body"].pop("onBehalfOf"), "ILLEGAL_STEP")
        self.broken(ENDED, lambda e: e["body"].update(reason="EXPIRED", actor=copy.deepcopy(SYSTEM)), "ILLEGAL_STEP")
        # No step of its type leads there, whatever was before.
        for seq, change in (
            (DECISION, lambda e: e["body"]["states"][0].update(version=1)),
            (ENDED, lambda e: e["body"]["states"][0]["state"].update(status="OPEN")),
        ):
            entries = entries_of(VECTORS)
            change(entries[seq - 1])
            problems = found(check(linked(entries)))
            self.assertEqual([v for v, at in problems if at == seq], ["RULE_BROKEN", "ILLEGAL_STEP"])

    def test_dependencies(self) -> None:
        entries = entries_of(VECTORS)
        for reorder, expected in (
            (lambda: entries.append({**copy.deepcopy(entries[NOTE - 1])}), []),
            (lambda: entries[-1]["body"].update(id=uuid(0x99), session=uuid(0xA0)), [("ILLEGAL_STEP", ENDED + 1)]),
        ):
            reorder()
            entries[-1]["recordedAt"] = entries[-2]["recordedAt"]
            entries[-1]["body"]["id"] = uuid(0x99)
            self.assertEqual(found(check(linked(entries))), expected)
        entries = entries_of(VECTORS)
        entries[SESSION - 1]["body"]["states"][0]["state"]["expiresAt"] = entries[PROPOSAL - 1]["recordedAt"]
        self.assertEqual(found(check(linked(entries))), [("ILLEGAL_STEP", PROPOSAL), ("ILLEGAL_STEP", FURTHER)])

    def test_first_entry(self) -> None:
        entries = entries_of(VECTORS)
        self.assertIn(("LINK_BROKEN", 1), found(check(linked(entries[1:]))))


class PayloadRows(unittest.TestCase):
    """Rows of payload that are not those of the entries."""

    def found(self, rows: List[bytes]) -> List[Any]:
        return found(check(TEXTS, keys=KEYS, rows=rows))

    def test_rows(self) -> None:
        self.assertEqual(self.found(ROWS), [])
        self.assertEqual(self.found(ROWS[::-1]), [])
        missing = set(self.found(ROWS[1:]))
        self.assertEqual(missing, {("PAYLOAD_MISSING", 2)})
        self.assertEqual(self.found(ROWS + [b'99 {"a":{"salt":"' + b"0" * 32 + b'","value":1}}']), [("TRUNCATED", ENDED + 1)])
        self.assertEqual(self.found(ROWS + [ROWS[-1]]), [("CONTENT_MISMATCH", ENDED)])
        self.assertEqual(self.found(ROWS + [b"14 {}"]), [])
        self.assertEqual(self.found(ROWS + [b'14 {"a":{"salt":"' + b"0" * 32 + b'","value":1}}']), [("CONTENT_MISMATCH", 14)])

    def test_a_value(self) -> None:
        salt = VECTORS["entries"][3]["payload"].split('"salt":"')[1][:32].encode()
        changes = ((b"einverstanden", b"Einverstanden"), (salt, salt[::-1]), (b"decision.note", b"decision.text"))
        for old, new in changes:
            verdicts = self.found([row.replace(old, new) if row.startswith(b"4 ") else row for row in ROWS])
            self.assertIn(("CONTENT_MISMATCH", 4), verdicts)

    def test_a_value_as_deep_as_it_likes(self) -> None:
        rows = ROWS + [b'14 {"a":{"salt":"' + b"0" * 32 + b'","value":' + b"[" * 200000 + b"]" * 200000 + b"}}"]
        self.assertEqual(self.found(rows), [("CONTENT_MISMATCH", 14)])


class Anything(unittest.TestCase):
    """Values of any form in any place: a verdict each time, and no exception."""

    VALUES = (None, True, 0, -1, 2**60, 1.5, "", "x", "\0", [], {}, [[]], {"commit": "0" * 64}, {"id": 1}, "a" * 500, uuid(1))

    def replace(self, chance: random.Random, value: Any) -> None:
        """Change, remove or add one member somewhere within an object or list."""
        while True:
            keys: List[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
            if not keys:
                return
            key = chance.choice(keys)
            if isinstance(value[key], (dict, list)) and value[key] and chance.random() < 0.8:
                value = value[key]
                continue
            if chance.random() < 0.2:
                del value[key]
            else:
                value[key] = copy.deepcopy(chance.choice(self.VALUES))
            return

    def test_anything(self) -> None:
        chance = random.Random(3)
        for round_number in range(300):
            entries = entries_of(VECTORS)
            for _ in range(chance.randrange(1, 4)):
                self.replace(chance, entries[chance.choice((SESSION, PROPOSAL, DECISION, NOTE, INVITED, ENDED)) - 1])
            with self.subTest(round=round_number):
                result = check(linked(entries, sign=False), keys=None, rows=ROWS)
                self.assertRegex(result.verdict, "^[A-Z_]+$")


class FromTheMiddle(unittest.TestCase):
    """`--from-seq`."""

    def test_each_place(self) -> None:
        for seq in range(2, len(TEXTS) + 1):
            result = check(TEXTS[seq - 1 :], keys=KEYS, rows=ROWS, from_seq=seq)
            self.assertEqual((result.verdict, found(result)), ("INTACT", []), seq)
            self.assertTrue(result.not_checked)

    def test_the_head_before_gives_the_link(self) -> None:
        good = check(TEXTS[9:], keys=KEYS, from_seq=10, heads=[(9, ENTRIES[8]["hash"])])
        self.assertEqual((good.verdict, len(good.not_checked)), ("INTACT", 2))
        self.assertEqual(found(check(TEXTS[9:], keys=KEYS, from_seq=10, heads=[(9, "0" * 64)])), [("LINK_BROKEN", 10)])

    def test_wrong_place(self) -> None:
        self.assertEqual(found(check(TEXTS[9:], keys=KEYS, from_seq=9))[0], ("SEQUENCE_GAP", 9))


class Names(unittest.TestCase):
    def test_the_verdicts_of_the_specification_have_its_names(self) -> None:
        for name in report.ORDER:
            self.assertEqual(getattr(report, name), name)


if __name__ == "__main__":
    unittest.main()
