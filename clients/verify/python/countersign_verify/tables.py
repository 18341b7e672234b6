"""The types of FORMAT.md section 3, transcribed from there and nothing else; `kinds` has the kinds of section 4.

A member is `path: what it is`; `?` behind a path says that it can be missing. What it is:

    string, integer, from1 (integer from 1), boolean, true, UUID, instant, commitment, JWS, sha256 (`sha256:` and 64
    hex digits), hex64 and hex32 (so many hex digits), list (of string), objects (list of object), integers (object of integers),
    decimals (object of decimals),
    object (with the members listed under its path; with any, if none is listed), =A|B|C (one of these strings)
"""

from __future__ import annotations

from typing import Dict, Tuple

from . import break_glass, channels, delegations, regions
from .terms import (
    AfterDeadline, AsMade, BeforeDeadline, By, Condition, EntryIs, EntryIsBefore, IsMade, Members, OneMore, StateHas,
    StateHasNot, StateIs, StateIsEntry, StatusWhere, Stay, Type, Where,
)  # fmt: skip

PRINCIPAL_KINDS = "=HUMAN|AGENT|SERVICE"
_CONFIDENCE = "=SIGNED|REGISTERED|NETWORK|HEADER|UNKNOWN"
_OUTCOMES = "=PERMIT|REQUIRE|FORBID"
# From weakest to strongest.
ASSURANCES = ("CHAT", "SESSION", "MFA", "KEY")
_ASSURANCES = "=" + "|".join(ASSURANCES)


def _read_place(path: str) -> Members:
    """A read as an edge of a write names it."""
    members = {"chain": "UUID", "platform": "string", "region": "string", "ledger": "string", "seq": "string"}
    return {f"{path}.{name}": kind for name, kind in {**members, "hash": "hex64"}.items()}


# Section 3, table "envelope".
ENVELOPE: Members = {
    "type": "string",
    "id": "UUID",
    "actor": "object",
    "actor.id": "string",
    "actor.kind": PRINCIPAL_KINDS,
    "actor.roles": "list",
    "actor.groups": "list",
    "actor.profile?": "commitment",
    "onBehalfOf?": "object",
    "onBehalfOf.id": "string",
    "onBehalfOf.kind": PRINCIPAL_KINDS,
    "onBehalfOf.roles": "list",
    "onBehalfOf.groups": "list",
    "onBehalfOf.profile?": "commitment",
    "client?": "object",
    "client.name": "string",
    "client.version?": "string",
    "client.surface?": "string",
    "client.confidence": _CONFIDENCE,
    "client.model?": "string",
    "client.modelConfidence": _CONFIDENCE,
    "client.rules?": "string",
    "client.evidence": "commitment",
    "traceId?": "hex32",
    "session?": "UUID",
}

# Section 4: one element of `states`. Its `state` is checked by the table of its kind.
STATE_ITEM: Members = {"id": "string", "kind": "string", "state": "object", "version": "integer"}

_ACTION: Members = {
    "action": "UUID",
    "platform": "string",
    "tool": "string",
    "effect": "=READ|WRITE",
    "region": "string",
    "chain": "UUID",
    "sourceChain?": "UUID",
    "digest": "sha256",
}
_ABOUT_ACTION: Members = {**_ACTION, "policyHash": "sha256"}
_REFUSED: Members = {
    "refused?": "object",
    "refused.from": "instant",
    "refused.to": "instant",
    "refused.times": "from1",
}
_GRANT: Members = {"grant.id": "UUID", "grant.voids?": "UUID"}
_DECISION: Members = {
    "decision": "object",
    "decision.verdict": "=APPROVE|DENY",
    "decision.channel": "=API|CONSOLE|SLACK|TEAMS|WEBHOOK",
    "decision.assurance?": _ASSURANCES,
    "decision.region?": "string",
    "decision.asOf?": "instant",
    "decision.firstShownAt?": "instant",
    "decision.firstShownBy?": "=API|CONSOLE|SLACK|TEAMS|WEBHOOK",
    "decision.submittedBy?": "object",
    "decision.submittedBy.id": "string",
    "decision.submittedBy.kind": "=SERVICE",
    "decision.note?": "commitment",
    "decision.delegatedBy?": "object",
    "decision.delegatedBy.id": "string",
    "decision.delegatedBy.group": "string",
    "decision.delegatedBy.delegation": "UUID",
}
_SIGNATURE: Members = {"signature": "JWS"}
_SUBJECT: Members = {
    "subject": "object",
    "subject.id": "string",
    "subject.kind": PRINCIPAL_KINDS,
    "subject.profile?": "commitment",
    "note?": "commitment",
    "reason?": "=LAST_ADMINISTRATOR",
    **_SIGNATURE,
}

_SAME_ACTION: Tuple[Condition, ...] = (
    AsMade(tuple(path.rstrip("?") for path in _ACTION)),
    IsMade("policyHash", "policy.hash"),
)
_MAKER_OR_ADMINISTRATOR = By(("MAKER",), only_from={"ADMINISTRATOR": "AMBIGUOUS"})
_KIND_OF_SUBJECT = StateIsEntry("kind", "subject.kind")
_PRINCIPAL_STATE = ("suspended", "roles", "owner", "invitedAt", "platforms", "key", "gatewayKey")


def _principal_but(*changed: str) -> Tuple[Condition, ...]:
    return (Stay(tuple(path for path in _PRINCIPAL_STATE if path not in changed)),)


TYPES: Dict[str, Type] = {
    "LEDGER_CREATED": Type({}),
    "LEDGER_ACKNOWLEDGED": Type(
        {
            "problems": "objects",
            "problems[].verdict": "string",
            "problems[].seq?": "string",
            "problems[].through?": "string",
            "problems[].detail?": "string",
            "note": "commitment",
            **_SIGNATURE,
        },
        rules=(By(("ADMINISTRATOR",)),),
        signed=True,
    ),
    "ACTION_PROPOSED": Type(
        {
            **_ACTION,
            "conversation?": "string",
            "targetRegion?": "string",
            "policy": "object",
            "policy.hash": "sha256",
            "policy.version": "integer",
            "policy.outcome": _OUTCOMES,
            "policy.rules": "objects",
            "policy.rules[].ruleId": "string",
            "policy.rules[].outcome": _OUTCOMES,
            "policy.rules[].because": "object",
            "policy.rules[].reason?": "string",
            "policy.rules[].failed?": "true",
            "policy.requirements": "objects",
            "policy.requirements[].id": "string",
            "policy.requirements[].group": "string",
            "policy.requirements[].role?": "true",
            "policy.requirements[].needed": "from1",
            "policy.requirements[].assurance?": _ASSURANCES,
            "policy.requirements[].note?": "true",
            "policy.requirements[].approver?": "objects",
            "policy.requirements[].approver[].roles?": "list",
            "policy.requirements[].approver[].regions?": "list",
            "policy.requirements[].ownerConfirms?": "true",
            "policy.requirements[].ttl?": "from1",
            "policy.requirements[].escalation?": "object",
            "policy.requirements[].escalation.at": "instant",
            "policy.requirements[].escalation.group": "string",
            "policy.requirements[].unreached?": "true",
            "policy.requirements[].requesterAfter?": "instant",
            "home?": "object",
            "home.ledger": "string",
            "home.seq": "string",
            "shadow?": "object",
            "shadow.version": "from1",
            "shadow.hash": "sha256",
            "shadow.outcome": _OUTCOMES,
            "shadow.rules": "list",
            "measures?": "decimals",
            "windows?": "decimals",
            "reads?": "object",
            "reads.known": "objects",
            "reads.known[].platform": "string",
            "reads.known[].region": "string",
            "reads.known[].ledger": "string",
            "reads.known[].seq?": "string",
            "reads.known[].hash?": "hex64",
            "reads.unread": "list",
            "lineage?": "object",
            "lineage.observed": "objects",
            **_read_place("lineage.observed[]"),
            "lineage.observed[].values": "from1",
            "lineage.observed[].whole": "integer",
            "lineage.observed[].exact?": "integer",
            "lineage.observed[].said?": "from1",
            "lineage.observed[].strength": "from1",
            "lineage.possible": "objects",
            **_read_place("lineage.possible[]"),
            "lineage.possible[].reads": "from1",
            "lineage.possible[].unknown?": "true",
            "lineage.origins": "objects",
            "lineage.origins[].platforms": "list",
            "lineage.origins[].said?": "true",
            "lineage.origins[].mixed?": "true",
            "lineage.origins[].values": "from1",
            "lineage.unknown?": "list",
            "lineage.unread?": "list",
            "lineage.left?": "from1",
            "lineage.earlier?": "true",
            "lineage.uncompared?": "true",
            "evidence?": "commitment",
            "arguments": "commitment",
            "rendered": "commitment",
            "userRequest?": "commitment",
            "rationale?": "commitment",
            "supersedes?": "UUID",
            "publishes?": "object",
            "publishes.mode": "=ACTIVE|SHADOW",
            "publishes.version": "from1",
            "publishes.base": "from1",
            "publishes.hash": "sha256",
            "publishes.document": "string",
            "repeats?": "UUID",
            "grant?": "object",
            **_GRANT,
            **_SIGNATURE,
        },
        moves=("ACTION", "CHAIN?"),
        rules=(
            StatusWhere(Where("policy.outcome", "PERMIT"), "ALLOWED"),
            StatusWhere(Where("policy.outcome", "REQUIRE"), "PENDING"),
            StatusWhere(Where("policy.outcome", "FORBID"), "BLOCKED"),
            StateIs("approvals", 0),
            StateIsEntry("grant.id", "grant.id"),
        ),
        signed=True,
    ),
    "ACTION_APPROVED": Type(
        {**_ABOUT_ACTION, **_DECISION, "policyRecord?": "integer", "identity?": "=UNKNOWN", **_SIGNATURE},
        moves=("ACTION",),
        rules=(EntryIs("decision.verdict", "APPROVE"), StateHasNot(("grant.id", "grant.hash"))),
        history=(By(("APPROVER",)), *_SAME_ACTION, OneMore("approvals"), BeforeDeadline()),
        signed=True,
    ),
    "ACTION_DENIED": Type(
        {**_ABOUT_ACTION, **_DECISION, **_SIGNATURE},
        moves=("ACTION",),
        rules=(EntryIs("decision.verdict", "DENY"),),
        history=(By(("APPROVER",)), *_SAME_ACTION, Stay(("approvals",)), BeforeDeadline()),
        signed=True,
    ),
    "APPROVAL_REVOKED": Type(
        {
            **_ABOUT_ACTION,
            "reason?": "=APPROVER_SUSPENDED",
            "approver?": "string",
            "note?": "commitment",
            **_SIGNATURE,
        },
        moves=("ACTION",),
        rules=(By(("HUMAN", "SYSTEM")),),
        history=(*_SAME_ACTION, Stay(("approvals",)), BeforeDeadline()),
        signed=True,
    ),
    "ACTION_CANCELLED": Type(
        {**_ABOUT_ACTION, "reason?": "=SUPERSEDED", "supersededBy?": "UUID", "note?": "commitment"},
        moves=("ACTION",),
        history=(By(("MAKER", "HUMAN")), *_SAME_ACTION, Stay(("approvals",)), BeforeDeadline()),
    ),
    "ACTION_EXPIRED": Type(
        {**_ABOUT_ACTION, "reason": "=EXPIRED"},
        moves=("ACTION",),
        rules=(By(("SYSTEM",)),),
        history=(*_SAME_ACTION, Stay(("approvals",)), AfterDeadline()),
    ),
    "GRANT_ISSUED": Type(
        {**_ABOUT_ACTION, "grant": "object", **_GRANT, **_SIGNATURE},
        moves=("ACTION",),
        rules=(StateIsEntry("grant.id", "grant.id"),),
        history=(
            By(("MAKER",)),
            EntryIsBefore("grant.voids", "grant.id"),
            *_SAME_ACTION,
            Stay(("approvals", "grant.expiresAt")),
            BeforeDeadline(),
        ),
        signed=True,
    ),
    "GRANT_REDEEMED": Type(
        {**_ABOUT_ACTION, "grant": "object", **_GRANT},
        moves=("ACTION",),
        history=(
            By(("MAKER",)),
            EntryIsBefore("grant.id", "grant.id"),
            *_SAME_ACTION,
            Stay(("approvals", "grant")),
            BeforeDeadline(),
        ),
    ),
    "ACTION_CARRIED_OUT": Type(
        {**_ABOUT_ACTION, **_SIGNATURE},
        moves=("ACTION",),
        rules=(By(("SYSTEM",)), StateHasNot(("startedAt",))),
        history=(*_SAME_ACTION, Stay(("approvals", "grant")), BeforeDeadline()),
        signed=True,
    ),
    "EXECUTION_EXTENDED": Type(
        {**_ABOUT_ACTION},
        moves=("ACTION",),
        history=(By(("MAKER",)), *_SAME_ACTION, Stay(("approvals", "grant", "startedAt")), BeforeDeadline()),
    ),
    "ACTION_COMPLETED": Type(
        {
            **_ABOUT_ACTION,
            "outcome": "=SUCCEEDED|FAILED",
            "result?": "commitment",
            "fingerprints?": "object",
            "fingerprints.digest?": "hex64",
            "fingerprints.omitted?": "from1",
            "fingerprints.unknown?": "true",
            "error?": "commitment",
            "note?": "commitment",
            "late?": "true",
            "latencyMs": "integer",
        },
        moves=("ACTION",),
        rules=(
            StatusWhere(Where("outcome", "SUCCEEDED"), "SUCCEEDED"),
            StatusWhere(Where("outcome", "FAILED"), "FAILED"),
        ),
        history=(_MAKER_OR_ADMINISTRATOR, *_SAME_ACTION, Stay(("approvals", "grant", "startedAt"))),
    ),
    "ACTION_AMBIGUOUS": Type(
        {**_ABOUT_ACTION, "reason": "=OUTCOME_NEVER_TOLD"},
        moves=("ACTION",),
        rules=(By(("SYSTEM",)),),
        history=(*_SAME_ACTION, Stay(("approvals", "grant", "startedAt")), AfterDeadline()),
    ),
    "DECISION_REFUSED": Type(
        {
            **_ABOUT_ACTION,
            **_DECISION,
            "reason": "=AGENT_CANNOT_DECIDE|REQUESTER_CANNOT_DECIDE|DELEGATOR_CANNOT_DECIDE|NOT_ELIGIBLE|NOT_PENDING|EXPIRED"
            "|ALREADY_VOTED|DELEGATOR_ALREADY_VOTED|ASSURANCE_TOO_LOW|NOTE_REQUIRED"
            "|CONTENT_MISSING|DIGEST_MISMATCH|POLICY_CHANGED",
            **_REFUSED,
        }
    ),
    "GRANT_REFUSED": Type(
        {
            **{path.rstrip("?") + "?": what for path, what in _ABOUT_ACTION.items()},
            "grant?": "object",
            **_GRANT,
            "reason": "=GRANT_INVALID|GRANT_FOREIGN|GRANT_VOID|GRANT_SPENT|GRANT_EXPIRED|CONTENT_MISSING"
            "|DIGEST_MISMATCH|POLICY_CHANGED",
            **_REFUSED,
        },
        together=("action", "platform", "tool", "effect", "region", "chain", "digest", "policyHash"),
        beside=("sourceChain",),
    ),
    "SESSION_STARTED": Type(
        {"session": "UUID", "conversation?": "string", "method": "string", "address?": "commitment", **_SIGNATURE},
        moves=("SESSION",),
        signed=True,
    ),
    "SESSION_ENDED": Type(
        {"session": "UUID", "conversation?": "string", "reason": "=LOGOUT|EXPIRED|REVOKED"},
        moves=("SESSION",),
        rules=(
            By(("SYSTEM",), where=Where("reason", "EXPIRED")),
            By(("SYSTEM",), where=Where("reason", "REVOKED")),
        ),
        history=(
            AsMade(("conversation",)),
            By(("MAKER",), where=Where("reason", "LOGOUT")),
            AfterDeadline(Where("reason", "EXPIRED")),
        ),
    ),
    "PRINCIPAL_INVITED": Type(
        _SUBJECT,
        ("PRINCIPAL",),
        (By(("HUMAN",)), StateIs("kind", "AGENT"), StateHas(("owner", "invitedAt")), _KIND_OF_SUBJECT),
        (Stay(("suspended", "roles")),),
        True,
    ),
    "PRINCIPAL_UPDATED": Type(
        _SUBJECT,
        ("PRINCIPAL",),
        (By(("HUMAN",)), _KIND_OF_SUBJECT),
        (Stay(("suspended", "roles", "invitedAt")),),
        True,
    ),
    "PRINCIPAL_SUSPENDED": Type(
        _SUBJECT,
        ("PRINCIPAL",),
        (By(("HUMAN",)), StateIs("suspended", True), _KIND_OF_SUBJECT),
        _principal_but("suspended"),
        True,
    ),
    "PRINCIPAL_REINSTATED": Type(
        _SUBJECT,
        ("PRINCIPAL",),
        (By(("HUMAN",)), StateIs("suspended", False), _KIND_OF_SUBJECT),
        _principal_but("suspended"),
        True,
    ),
    "PRINCIPAL_ROLES_CHANGED": Type(
        _SUBJECT, ("PRINCIPAL",), (By(("HUMAN", "SYSTEM")), _KIND_OF_SUBJECT), _principal_but("roles"), True
    ),
    "TOKEN_REVOKED": Type({"note?": "commitment", **_SIGNATURE}, ("TOKEN",), (By(("HUMAN",)),), signed=True),
    "SETTINGS_CHANGED": Type(_SIGNATURE, ("ORGANIZATION",), (By(("ADMINISTRATOR",)),), signed=True),
    "SETUP_CODE_ISSUED": Type(
        _SIGNATURE, ("SETUP",), (By(("SYSTEM",)), StateIs("attempts", 0), StateHasNot(("usedBy",))), signed=True
    ),
    "SETUP_CODE_REFUSED": Type(
        _SIGNATURE,
        ("SETUP",),
        (By(("HUMAN",)),),
        (Stay(("hash", "expiresAt", "usedBy")), OneMore("attempts")),
        True,
    ),
    "SETUP_CODE_USED": Type(
        _SIGNATURE,
        ("SETUP",),
        (By(("HUMAN",)), StateIsEntry("usedBy", "actor.id")),
        (Stay(("hash", "expiresAt", "attempts")),),
        True,
    ),
    "POLICY_STARTED": Type(
        {"starter": "object", "starter.hash": "sha256", "starter.document": "string", **_SIGNATURE},
        ("POLICY",),
        (
            By(("SYSTEM",)),
            StateIs("version", 1),
            StateIs("latest", 1),
            StateHasNot(("shadow",)),
            StateIsEntry("hash", "starter.hash"),
        ),
        (Stay(("version", "latest")),),
        True,
    ),
    "POLICY_PUBLISHED": Type(
        {
            "publication": "object",
            "publication.action": "string",
            "publication.actionVersion": "from1",
            "publication.mode": "=ACTIVE|SHADOW",
            "publication.version": "from1",
            "publication.hash": "sha256",
            "publication.document": "string",
            "status": "=APPROVED",
            **_SIGNATURE,
        },
        ("POLICY",),
        (
            By(("SYSTEM",)),
            StateIsEntry("latest", "publication.version"),
            StateHasNot(("shadow",), Where("publication.mode", "ACTIVE")),
            StateIsEntry("version", "publication.version", Where("publication.mode", "ACTIVE")),
            StateIsEntry("hash", "publication.hash", Where("publication.mode", "ACTIVE")),
            StateIsEntry("shadow.version", "publication.version", Where("publication.mode", "SHADOW")),
            StateIsEntry("shadow.hash", "publication.hash", Where("publication.mode", "SHADOW")),
        ),
        history=(OneMore("latest"),),
        signed=True,
    ),
    "POLICY_REFUSED": Type(
        {"reason": "=POLICY_INVALID|POLICY_UNTESTED|NOTHING_CHANGED", "hash": "sha256"}, rules=(By(("HUMAN",)),)
    ),
    **delegations.TYPES,
    **break_glass.types(_ABOUT_ACTION, _SAME_ACTION),
    **channels.TYPES,
    "AUDIT_READ": Type(
        {
            "read": "object",
            "read.from": "instant",
            "read.to?": "instant",
            "read.reads": "integers",
            "read.entries": "integer",
        }
    ),
    "AUTHENTICATION_REFUSED": Type(
        {
            "reason": "=BAD_TOKEN|BAD_SIGNATURE|BAD_CLAIMS|UNKNOWN_ISSUER|UNKNOWN_KEY|KEYS_UNAVAILABLE|TOKEN_EXPIRED"
            "|TOKEN_NOT_YET_VALID|WRONG_AUDIENCE|DPOP_REQUIRED|DPOP_INVALID|SUSPENDED|REVOKED|NOT_REGISTERED"
            "|KEY_REQUIRED",
            "address?": "commitment",
            "refused": "object",
            "refused.from": "instant",
            "refused.to?": "instant",
            "refused.times": "integer",
            "refused.issuer?": "string",
            "refused.tokenId?": "string",
        }
    ),
    **regions.TYPES,
}
