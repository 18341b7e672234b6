"""Runs every vector of vectors.json. Its path: the first argument, or VECTORS, or test/vectors/entry-v1.json of the project.

    python3 test_vectors.py [vectors.json]
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import unittest
from typing import Any, Dict, List

from countersign_verify.canonical import parse, text_of
from countersign_verify.entries import Entries
from countersign_verify.keys import read_keys
from countersign_verify.payloads import Payloads, commitment, parse_row
from countersign_verify.signatures import signature_wrong
from countersign_verify.verify import Verifier

LONGEST = 1 << 24


def vectors_path() -> str:
    """The path of the vectors; an argument that is a file is taken off the command line."""
    if len(sys.argv) > 1 and os.path.isfile(sys.argv[1]) and sys.argv[1].endswith(".json"):
        return sys.argv.pop(1)
    project = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)
    return os.environ.get("VECTORS", os.path.join(project, "test", "vectors", "entry-v1.json"))


with open(vectors_path(), encoding="utf-8") as _file:
    VECTORS: Dict[str, Any] = json.load(_file)
ENTRIES: List[Dict[str, str]] = VECTORS["entries"]
KEYS = read_keys(json.dumps(VECTORS["jwks"]).encode("utf-8"))


class LedgerOfTheVectors(unittest.TestCase):
    """`entries`: one ledger."""

    def test_each_entry_is_made_of_what_was_drafted_and_added(self) -> None:
        for vector in ENTRIES:
            with self.subTest(vector["name"]):
                body = parse(vector["body"])
                self.assertEqual(text_of(body), vector["body"])
                added = {name: vector[name] for name in ("prevHash", "recordedAt", "seq")}
                entry = {"body": body, "ledger": VECTORS["ledger"], "v": VECTORS["format"], **added}
                self.assertEqual(text_of(entry), vector["entry"])
                self.assertEqual(hashlib.sha256(vector["entry"].encode("utf-8")).hexdigest(), vector["hash"])

    def test_each_payload_hashes_to_its_commitments(self) -> None:
        for vector in ENTRIES:
            for path, (salt, text) in (parse_row(vector["payload"]) if vector["payload"] else {}).items():
                with self.subTest(vector["name"], path=path):
                    value: Any = parse(vector["body"])
                    for key in path.split("."):
                        value = value[int(key)] if isinstance(value, list) else value[key]
                    self.assertEqual(value, {"commit": commitment(salt, text)})

    def test_the_ledger_is_intact(self) -> None:
        text = "".join(vector["entry"] + "\n" for vector in ENTRIES)
        rows = "".join("%s %s\n" % (v["seq"], v["payload"]) for v in ENTRIES if v["payload"])
        heads = [(int(vector["seq"]), vector["hash"]) for vector in ENTRIES]
        payloads = Payloads(io.BytesIO(rows.encode("utf-8")), LONGEST)
        verifier = Verifier(VECTORS["ledger"], KEYS, heads, payloads)
        result = verifier.run(Entries(io.BytesIO(text.encode("utf-8")), LONGEST))
        self.assertEqual((result.verdict, result.problems, result.not_checked), ("INTACT", [], []))
        self.assertEqual((result.entries, result.head_seq, result.head_hash), (len(ENTRIES), *heads[-1]))

    def test_all_keys_of_the_set_can_be_used(self) -> None:
        self.assertEqual(set(KEYS), {jwk["kid"] for jwk in VECTORS["jwks"]["keys"]})


class SignaturesOfTheVectors(unittest.TestCase):
    """`signatures`: entries each by itself."""

    def test_each_signature(self) -> None:
        for vector in VECTORS["signatures"]:
            with self.subTest(vector["name"]):
                try:
                    entry = parse(vector["entry"])
                except ValueError:  # a member that is there twice
                    self.assertFalse(vector["valid"])
                    continue
                self.assertEqual(entry["ledger"], VECTORS["ledger"])
                wrong = signature_wrong(entry["body"], entry["ledger"], entry["recordedAt"], KEYS)
                self.assertEqual(wrong is None, vector["valid"], wrong)


if __name__ == "__main__":
    unittest.main()
