"""RFC 8785 and RFC 8032 by their own examples, input that is hostile, and the command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from typing import List, Tuple

from countersign_verify import ed25519
from countersign_verify.__main__ import main
from countersign_verify.canonical import NotCanonical, number_text, parse, text_of
from countersign_verify.keys import KeysUnreadable, from_base64url, read_keys
from countersign_verify.loose import NotJson, read
from countersign_verify.members import is_instant
from ledger_for_tests import Life, Signer, linked
from test_vectors import ENTRIES, VECTORS

TEXT = "".join(vector["entry"] + "\n" for vector in ENTRIES).encode("utf-8")


class Canonical(unittest.TestCase):
    def test_numbers(self) -> None:
        # RFC 8785, appendix B, and the limits of the layouts.
        for value, text in (
            (0.0, "0"), (-0.0, "0"), (5e-324, "5e-324"), (-5e-324, "-5e-324"), (9007199254740992.0, "9007199254740992"),
            (295147905179352830000.0, "295147905179352830000"), (9.999999999999997e22, "9.999999999999997e+22"),
            (1e23, "1e+23"), (1.0000000000000001e23, "1.0000000000000001e+23"), (1e21, "1e+21"),
            (999999999999999900000.0, "999999999999999900000"), (0.000001, "0.000001"), (1e-7, "1e-7"),
            (333333333.3333333, "333333333.3333333"), (-0.0000033333333333333333, "-0.0000033333333333333333"),
            (1424953923781206.2, "1424953923781206.2"), (1.5, "1.5"), (123e-9, "1.23e-7"), (100.0, "100"),
        ):  # fmt: skip
            self.assertEqual(number_text(value), text)
            self.assertEqual(text_of(parse(text)), text)

    def test_not_canonical(self) -> None:
        for text in (
            "", " 1", "1 ", "01", "1.0", "1e1", "-0", "+1", "1e+21x", "1E+21", "1e21", "NaN", "Infinity", "-Infinity", "1e999",
            "9007199254740993", "9" * 400, "9" * 10**6, "0." + "1" * 10**6, '{"b":1,"a":2}', '{"a":1,"a":1}', '{"a": 1}',
            '{"a":1,}', "[1,]", "[1 ]", "{1:1}", '"\\/"', '"\\u0041"', '"\\u000A"', '"\\u000a"', '"\\u001F"', '"\\ud800"',
            '"\\ud83d\\ude00"', '"\ud800"', '"\t"', '"', "[", "{", '{"a"', '{"a":', "tru", "nullx", "[" * 10**5, "]",
            '{"\U0001f600":1,"\ufb33":2,"z":1}', "\ufeff1", "'a'", "\u0661",
        ):  # fmt: skip
            with self.assertRaises(NotCanonical, msg=ascii(text[:20])):
                parse(text)

    def test_order_is_by_utf16(self) -> None:
        parse('{"\u20ac":1,"\U0001f600":5,"\ufb33":3}')

    def test_deep(self) -> None:
        parse("[" * 10**5 + "]" * 10**5)
        parse("[" * 64 + "]" * 64, 64)
        with self.assertRaises(NotCanonical):
            parse("[" * 65 + "]" * 65, 64)

    def test_strings(self) -> None:
        every = "".join(map(chr, list(range(0x20)) + [0x22, 0x2F, 0x5C, 0x7F, 0x80, 0x2028, 0xFFFF, 0x10FFFF]))
        self.assertEqual(parse(text_of(every)), every)
        self.assertIn("\\u0000\\u0001", text_of(every))
        self.assertIn("\\b\\t\\n\\u000b\\f\\r", text_of(every))

    def test_instants(self) -> None:
        for text, there in (
            ("2024-02-29T23:59:59.999999Z", True), ("2023-02-29T00:00:00.000000Z", False), ("2000-02-29T00:00:00.000000Z", True),
            ("1900-02-29T00:00:00.000000Z", False), ("2024-01-01T23:59:60.000000Z", False), ("2024-00-01T00:00:00.000000Z", False),
            ("2024-01-01T00:00:00.000000z", False), ("\u0662024-01-01T00:00:00.000000Z", False), ("2024-01-01T00:00:00.000000Z\n", False),
        ):  # fmt: skip
            self.assertEqual(is_instant(text), there, text)


class Loose(unittest.TestCase):
    def test_json_of_another_form(self) -> None:
        for text, value in (
            (' {"b" : 1.0 , "a":[ 1e2,-0,"\\/\\u0041"], "b":null}\n', {"b": None, "a": [100, 0, "/A"]}),
            ("1e999", float("inf")), ('"\\ud800"', "\ud800"), ('"\\ud83d\\ude00"', "\U0001f600"), ("[ ]", []), ("9" * 5000, float("inf")),
        ):  # fmt: skip
            self.assertEqual(read(text), value)
        read("[" * 10**5 + " ]" * 10**5)

    def test_no_json(self) -> None:
        for text in ("", " ", "[1,]", '{"a":1,}', "{1:1}", "01", "+1", "1.", ".5", "NaN", "Infinity", "'a'", '"\t"', '"\\x"', '"\\u12"', "[", "1 1", "\ufeff1", "nul", "{,}", "]", "\u00a01"):
            with self.assertRaises(NotJson, msg=ascii(text)):
                read(text)

    def test_a_deep_value_has_a_text(self) -> None:
        deep = "[" * 10**5 + "]" * 10**5
        self.assertEqual(text_of(parse(deep)), deep)
        with self.assertRaises(NotCanonical):
            text_of([float("inf")])


class Ed25519(unittest.TestCase):
    # RFC 8032, section 7.1, tests 1 and 2.
    KNOWN = (
        ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    )  # fmt: skip

    def test_known(self) -> None:
        for seed, public, message, signature in self.KNOWN:
            signer = Signer(bytes.fromhex(seed))
            self.assertEqual(signer.public.hex(), public)
            self.assertEqual(signer.sign(bytes.fromhex(message)).hex(), signature)
            key = ed25519.PublicKey(bytes.fromhex(public))
            self.assertTrue(key.verifies(bytes.fromhex(message), bytes.fromhex(signature)))
            self.assertFalse(key.verifies(bytes.fromhex(message) + b"x", bytes.fromhex(signature)))
            for bit in range(0, 512, 7):
                changed = bytearray.fromhex(signature)
                changed[bit // 8] ^= 1 << bit % 8
                self.assertFalse(key.verifies(bytes.fromhex(message), bytes(changed)), bit)

    def test_a_scalar_that_is_not_reduced(self) -> None:
        _, public, message, signature = self.KNOWN[1]
        data = bytes.fromhex(signature)
        larger = data[:32] + (int.from_bytes(data[32:], "little") + ed25519.L).to_bytes(32, "little")
        self.assertFalse(ed25519.PublicKey(bytes.fromhex(public)).verifies(bytes.fromhex(message), larger))

    def test_points_that_are_none(self) -> None:
        minus_zero = (1 | 1 << 255).to_bytes(32, "little")
        for data in (minus_zero, ed25519.P.to_bytes(32, "little"), (2**255 - 1).to_bytes(32, "little"), b"\x02" + bytes(31), b""):
            self.assertIsNone(ed25519.decode(data))

    def test_base64url(self) -> None:
        self.assertEqual(from_base64url("AA"), b"\0")
        for text in ("AB", "A", "AA==", "A+", "A/", "", "AA\n", "A\u00e4"):
            self.assertIsNone(from_base64url(text))


class Keys(unittest.TestCase):
    def read(self, **changes: object) -> int:
        jwk = {**VECTORS["jwks"]["keys"][0], **changes}
        return len(read_keys(json.dumps({"keys": [jwk]}).encode("utf-8")))

    def test_which_are_used(self) -> None:
        self.assertEqual(self.read(), 1)
        self.assertEqual(self.read(purpose="grants", kid="x"), 0)
        # For other readers.
        self.assertEqual(self.read(use="enc", alg="ES256"), 1)
        for change in ({"kid": "x"}, {"kty": "EC"}, {"x": "AA"}, {"x": 1}, {"exp": "1"}, {"exp": None}, {"crv": "X25519"}):
            with self.assertRaises(KeysUnreadable, msg=str(change)):
                self.read(**change)

    def test_of_two_with_one_kid_the_last_counts(self) -> None:
        jwk = VECTORS["jwks"]["keys"][0]
        for keys, exp in (([jwk, {**jwk, "exp": 5}], 5), ([{**jwk, "exp": 5}, jwk], None)):
            self.assertEqual(read_keys(json.dumps({"keys": keys}).encode("utf-8"))[jwk["kid"]].exp, exp)

    def test_files_that_are_none(self) -> None:
        for text in (b"", b"\xff", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[],"keys":[]}', b"[" * 10**5, b'{"keys":[NaN]}', b'{"keys":[' + b"9" * 10**5 + b"]}"):
            with self.assertRaises(KeysUnreadable):
                read_keys(text)


class Command(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, name: str, data: bytes) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "wb") as stream:
            stream.write(data)
        return path

    def run_it(self, *arguments: str) -> Tuple[int, str]:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
            try:
                return main(list(arguments)), output.getvalue()
            except SystemExit as error:
                return int(str(error.code)), output.getvalue()

    def test_the_whole_command(self) -> None:
        entries = self.file("entries", TEXT)
        keys = self.file("keys", json.dumps(VECTORS["jwks"]).encode())
        rows = self.file("rows", "".join("%s %s\n" % (v["seq"], v["payload"]) for v in ENTRIES if v["payload"]).encode())
        head = "%d:" % len(ENTRIES) + ENTRIES[-1]["hash"]
        code, output = self.run_it(
            "--ledger", "vectors/eu-1", "--keys", keys, "--head", head, "--payloads", rows, "--json", entries
        )
        document = json.loads(output)
        self.assertEqual((code, document["verdict"], document["entries"]), (0, "INTACT", len(ENTRIES)))
        self.assertEqual(document["head"], {"seq": str(len(ENTRIES)), "hash": ENTRIES[-1]["hash"]})
        self.assertEqual((document["problems"], document["notChecked"]), ([], []))
        code, output = self.run_it("--keys", keys, entries)
        self.assertEqual((code, output.splitlines()[0]), (0, "INTACT"))
        beyond = str(len(ENTRIES) + 1)
        code, output = self.run_it("--head", beyond + ":" + "0" * 64, "--json", entries)
        problem = json.loads(output)["problems"][0]
        self.assertEqual((code, problem["verdict"], problem["seq"]), (1, "ROLLED_BACK", beyond))
        self.assertEqual(self.run_it(self.file("empty", b""))[0], 1)

    def test_as_a_module_from_standard_input(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "countersign_verify", "--json", "-"], input=TEXT, stdout=subprocess.PIPE,
            cwd=os.path.dirname(os.path.abspath(__file__)), check=False,
        )  # fmt: skip
        self.assertEqual((done.returncode, json.loads(done.stdout)["verdict"]), (0, "INTACT"))

    def test_usage(self) -> None:
        entries = self.file("entries", TEXT)
        wrong = self.file("wrong", b"no row\n")
        for arguments in (
            [], ["--head", "1:x", entries], ["--from-seq", "0", entries], ["--ledger", "x", entries], ["--no", entries],
            [os.path.join(self.folder, "none")], [self.folder], ["--keys", wrong, entries], ["--payloads", wrong, entries],
            ["--keys", "\0", entries],
        ):  # fmt: skip
            self.assertEqual(self.run_it(*arguments)[0], 2, arguments)

    def test_hostile_files(self) -> None:
        first = ENTRIES[0]["entry"].encode()
        for data in (
            b"\n", b"\xff\xfe\n", b"[" * 10**6 + b"\n", b'{"a":' * 10**5 + b"\n", b"9" * 10**6 + b"\n", b"NaN\n", b"null\n", b"[]\n", b"{}\n", b'"\\ud800"\n',
            first.replace(b'"v":1', b'"v":NaN'), first.replace(b'"seq":"1"', b'"seq":"%s"' % (b"9" * 10**6)), first.replace(b'"v":1', b'"v":1,"v":1'),
            first.replace(b"LEDGER_CREATED", b"\\ud800"), first.replace(b'"seq":"1"', b'"seq":1e+21'), first[:100], b"\0" * 1000, b"\x1b[2J\n",
            first.replace(b'"groups":[]', b'"groups":[[],{},null,true]'), first.replace(b'"type":"LEDGER_CREATED"', b'"type":{}'),
            first.replace(b'"groups":[]', b'"groups":' + b"[" * 10**5 + b"]" * 10**5), first.replace(b'"seq":"1"', b'"seq":' + b"[" * 10**5 + b"]" * 10**5),
            first.replace(b'"v":1', b'"v":1,"\xe2\x80\xae\x7f":2'),
        ):  # fmt: skip
            code, output = self.run_it("--json", self.file("hostile", data))
            self.assertEqual(code, 1, data[:40])
            self.assertIn(json.loads(output)["problems"][0]["verdict"], ("UNVERIFIABLE", "LINK_BROKEN", "CONTENT_MISMATCH", "RULE_BROKEN"))
            code, output = self.run_it(self.file("hostile", data))
            self.assertEqual((code, output.isascii()), (1, True))

    def test_long_keys_and_many_values(self) -> None:
        commitments = b",".join([b'{"commit":"%s"}' % (b"0" * 64)] * 1000)
        body = b'{"a":{"%s":[%s]},' % (b"k" * 10**5, commitments)
        for data, verdict in (
            (b'"body":' + body, "UNVERIFIABLE"),
            (b'"body":{"a":{"%s":[%s]},' % (b"k" * 10**5, b",".join([b"1.5"] * 10**5)), "CONTENT_MISMATCH"),
        ):
            first = ENTRIES[0]["entry"].encode().replace(b'"body":{', data, 1)
            code, output = self.run_it("--json", self.file("long", first))
            self.assertIn(verdict, {problem["verdict"] for problem in json.loads(output)["problems"]})

    def test_a_row_with_many_paths(self) -> None:
        row = b",".join(b'"%06d":{"salt":"%s","value":1}' % (n, b"0" * 32) for n in range(10**5))
        code, output = self.run_it("--json", "--payloads", self.file("rows", b"1 {%s}\n" % row), self.file("entries", TEXT))
        self.assertEqual(json.loads(output)["problems"][0]["verdict"], "CONTENT_MISMATCH")

    def test_many_problems(self) -> None:
        code, output = self.run_it("--json", self.file("many", b"x\n" * 5000))
        document = json.loads(output)
        self.assertEqual((code, len(document["problems"])), (1, 1000))
        self.assertEqual((document["entries"], document["problemsTotal"]), (5000, 5000))

    def test_a_line_of_100_megabytes(self) -> None:
        texts: List[bytes] = linked(Life().entries)
        path = self.file("large", texts[0] + b"\n")
        with open(path, "ab") as stream:
            for _ in range(100):
                stream.write(b"[" * (1 << 20))
            stream.write(b"\n")
        code, output = self.run_it("--json", path)
        self.assertEqual((code, [p["verdict"] for p in json.loads(output)["problems"]]), (1, ["UNVERIFIABLE"]))
        code, output = self.run_it("--json", "--longest", "200", path)
        self.assertEqual((code, [p["verdict"] for p in json.loads(output)["problems"]]), (1, ["UNVERIFIABLE"]))


if __name__ == "__main__":
    unittest.main()
