"""What the tests make ledgers with: a key that signs, links that are made anew, entries of an action's life."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
from typing import Any, Dict, List, Optional, Tuple

from countersign_verify import ed25519
from countersign_verify.canonical import parse, text_of
from countersign_verify.entries import Entries
from countersign_verify.keys import Key, base64url, thumbprint
from countersign_verify.payloads import Payloads
from countersign_verify.report import Result
from countersign_verify.verify import ZEROS, Verifier

LEDGER = "vectors/eu-1"
LONGEST = 1 << 24
Entry = Dict[str, Any]


class Signer:
    """An Ed25519 key pair (RFC 8032, section 5.1.6), for tests only: nothing here takes constant time."""

    def __init__(self, seed: bytes) -> None:
        digest = hashlib.sha512(seed).digest()
        self._scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
        self._prefix = digest[32:]
        self.public = _encoded(self._scalar)
        self.x = base64url(self.public)
        self.kid = thumbprint(self.x)
        self.keys = {self.kid: Key(ed25519.PublicKey(self.public), None)}

    def sign(self, message: bytes) -> bytes:
        nonce = int.from_bytes(hashlib.sha512(self._prefix + message).digest(), "little") % ed25519.L
        first = _encoded(nonce)
        challenge = int.from_bytes(hashlib.sha512(first + self.public + message).digest(), "little")
        return first + ((nonce + challenge * self._scalar) % ed25519.L).to_bytes(32, "little")

    def jws(self, body: Entry, ledger: str = LEDGER, header: Optional[Entry] = None) -> str:
        """The signature of a body, with whatever header is wanted."""
        plain = {"alg": "EdDSA", "iat": 1, "kid": self.kid, "ledger": ledger, "typ": "countersign-fact+jws"}
        header64 = base64url(text_of(header or plain).encode("utf-8"))
        content = text_of({key: value for key, value in body.items() if key != "signature"})
        message = header64 + "." + base64url(content.encode("utf-8"))
        return header64 + ".." + base64url(self.sign(message.encode("ascii")))


def _encoded(scalar: int) -> bytes:
    return ed25519.encode(ed25519.multiply_both(scalar % ed25519.L, 0, []))


SIGNER = Signer(b"\x07" * 32)


def linked(entries: List[Entry], sign: bool = True, number: bool = True) -> List[bytes]:
    """The lines of entries, with new links, positions and signatures, so that a change shows only by itself."""
    texts: List[bytes] = []
    before = ZEROS
    for seq, entry in enumerate(copy.deepcopy(entries), 1):
        entry["prevHash"] = before
        if number:
            entry["seq"] = str(seq)
        body = entry.get("body")
        if sign and isinstance(body, dict) and isinstance(body.get("signature"), str):
            body["signature"] = SIGNER.jws(body)
        texts.append(text_of(entry).encode("utf-8"))
        before = hashlib.sha256(texts[-1]).hexdigest()
    return texts


def check(texts: List[bytes], **options: Any) -> Result:
    """Verify lines; `rows` are lines of payload."""
    options.setdefault("keys", SIGNER.keys)
    rows = options.pop("rows", None)
    if rows is not None:
        options["payloads"] = Payloads(io.BytesIO(b"".join(row + b"\n" for row in rows)), LONGEST)
    stream = io.BytesIO(b"".join(text + b"\n" for text in texts))
    return Verifier(**options).run(Entries(stream, LONGEST, options.get("from_seq", 1)))


def found(result: Result) -> List[Tuple[str, int]]:
    """Verdicts and positions of the problems."""
    return [(problem.verdict, problem.seq) for problem in result.problems]


def uuid(number: int) -> str:
    return "01920000-0000-7000-8000-%012x" % number


def person(name: str, *groups: str, kind: str = "HUMAN", roles: Tuple[str, ...] = ()) -> Entry:
    return {"groups": list(groups), "id": name, "kind": kind, "roles": list(roles)}


SYSTEM = person("countersign", kind="SERVICE")
AGENT = person("agent", kind="AGENT")
MEMBER = person("member")
ACTION, CHAIN, GRANT, OTHER_GRANT = uuid(0xB0), uuid(0xC0), uuid(0xE0), uuid(0xE1)
DIGEST, POLICY = "sha256:" + "d" * 64, "sha256:" + "e" * 64
COMMITMENT = {"commit": "c" * 64}


def approval_cases() -> List[Entry]:
    """The cases of approvals.json, which lies beside the vectors."""
    project = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)
    folder = os.path.dirname(os.environ.get("VECTORS", os.path.join(project, "test", "vectors", "entry-v1.json")))
    with open(os.path.join(folder, "approvals.json"), encoding="utf-8") as file:
        cases: List[Entry] = json.load(file)
    return cases


class Life:
    """Builds a ledger entry by entry; each method appends one and returns its body, which the test may change."""

    def __init__(self) -> None:
        self.entries: List[Entry] = []
        self.minute = 0
        self.version = 0
        self.add("LEDGER_CREATED", SYSTEM)

    def add(self, type_name: str, actor: Entry, **members: Any) -> Entry:
        body = {"actor": copy.deepcopy(actor), "id": uuid(0x1000 + len(self.entries)), "type": type_name, **members}
        self.entries.append({"body": body, "ledger": LEDGER, "recordedAt": instant(self.minute), "v": 1})
        return body

    def state(self, status: str, approvals: int = 0, **members: Any) -> List[Entry]:
        self.version += 1
        state = {"approvals": approvals, "status": status, **members}
        return [{"id": ACTION, "kind": "ACTION", "state": state, "version": self.version}]

    def about(self) -> Entry:
        return {"action": ACTION, "chain": CHAIN, "digest": DIGEST, "effect": "WRITE", "platform": "p", "region": "eu", "tool": "t"}

    def propose(self, requirements: List[Tuple[str, int]], outcome: str = "REQUIRE") -> Entry:
        return self.ask([{"group": group, "id": "r%d" % i, "needed": n} for i, (group, n) in enumerate(requirements)], outcome)

    def ask(self, listed: List[Entry], outcome: str = "REQUIRE") -> Entry:
        policy = {"hash": POLICY, "outcome": outcome, "requirements": listed, "rules": [], "version": 1}
        extra: Entry = {}
        if outcome == "PERMIT":
            states = self.state("ALLOWED", grant={"expiresAt": instant(30), "hash": "a" * 64, "id": GRANT})
            extra = {"grant": {"id": GRANT}}
        else:
            states = self.state("PENDING", expiresAt=instant(20))
        states.append({"id": CHAIN, "kind": "CHAIN", "state": {"number": 1, "platform": "p", "status": "OPEN"}, "version": 1})
        return self.add(
            "ACTION_PROPOSED", AGENT, **self.about(), onBehalfOf=MEMBER, arguments=COMMITMENT, rendered=COMMITMENT,
            policy=policy, states=states, signature="", **extra,
        )  # fmt: skip

    def decide(self, actor: Entry, status: str, approvals: int, verdict: str = "APPROVE") -> Entry:
        grant = {"grant": {"expiresAt": instant(40)}} if status == "APPROVED" else {}
        until = {"expiresAt": instant(20)} if status == "PENDING" else {}
        return self.add(
            "ACTION_APPROVED" if verdict == "APPROVE" else "ACTION_DENIED", actor, **self.about(), policyHash=POLICY,
            decision={"channel": "API", "verdict": verdict}, signature="",
            states=self.state(status, approvals, **grant, **until),
        )  # fmt: skip

    def issue(self, approvals: int = 1, grant: str = GRANT, **voids: str) -> Entry:
        state = self.state("APPROVED", approvals, grant={"expiresAt": instant(40), "hash": "a" * 64, "id": grant})
        return self.add(
            "GRANT_ISSUED", AGENT, **self.about(), policyHash=POLICY, onBehalfOf=MEMBER, signature="",
            grant={"id": grant, **voids}, states=state,
        )  # fmt: skip

    def redeem(self, approvals: int = 1) -> Entry:
        grant = {"expiresAt": instant(40), "hash": "a" * 64, "id": GRANT}
        state = self.state("EXECUTING", approvals, expiresAt=instant(50), startedAt=instant(30), grant=grant)
        return self.add(
            "GRANT_REDEEMED", AGENT, **self.about(), policyHash=POLICY, onBehalfOf=MEMBER, grant={"id": GRANT}, states=state
        )

    def end(self, type_name: str, actor: Entry, status: str, approvals: int = 1, **members: Any) -> Entry:
        """An entry that takes the action to a status in which the grant is as it was."""
        grant = {"expiresAt": instant(40), "hash": "a" * 64, "id": GRANT}
        state = self.state(status, approvals, startedAt=instant(30), grant=grant)
        return self.add(type_name, actor, **self.about(), policyHash=POLICY, states=state, **members)

    def found(self, **options: Any) -> List[Tuple[str, int]]:
        return found(check(linked(self.entries), **options))


def instant(minute: int) -> str:
    return "2026-01-01T%02d:%02d:00.000000Z" % divmod(minute, 60)


def entries_of(vectors: Dict[str, Any]) -> List[Entry]:
    return [parse(vector["entry"]) for vector in vectors["entries"]]
