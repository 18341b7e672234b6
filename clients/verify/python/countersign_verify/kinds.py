"""The kinds of FORMAT.md section 4, and what entries depend on, transcribed from there and nothing else. Members are in the
form of `tables`."""

from __future__ import annotations

from typing import Dict, Tuple

from . import break_glass, channels, delegations, regions
from .tables import PRINCIPAL_KINDS
from .terms import ANY, Approvals, AsMade, By, EntryIsBefore, IsMade, Kind, StateIsEntry

KINDS: Dict[str, Kind] = {
    "ACTION": Kind(
        {
            "status": "=ALLOWED|PENDING|APPROVED|DENIED|BLOCKED|EXPIRED|CANCELLED|EXECUTING|SUCCEEDED|FAILED|AMBIGUOUS",
            "approvals": "integer",
            "expiresAt?": "instant",
            "startedAt?": "instant",
            "grant?": "object",
            "grant.id?": "UUID",
            "grant.hash?": "hex64",
            "grant.expiresAt": "instant",
        },
        steps=(
            (None, "ALLOWED", "ACTION_PROPOSED"),
            (None, "PENDING", "ACTION_PROPOSED"),
            (None, "BLOCKED", "ACTION_PROPOSED"),
            ("PENDING", "PENDING", "ACTION_APPROVED"),
            ("PENDING", "APPROVED", "ACTION_APPROVED"),
            ("PENDING", "DENIED", "ACTION_DENIED"),
            ("APPROVED", "DENIED", "ACTION_DENIED"),
            ("APPROVED", "DENIED", "APPROVAL_REVOKED"),
            ("PENDING", "CANCELLED", "ACTION_CANCELLED"),
            ("ALLOWED", "CANCELLED", "ACTION_CANCELLED"),
            ("APPROVED", "CANCELLED", "ACTION_CANCELLED"),
            ("PENDING", "EXPIRED", "ACTION_EXPIRED"),
            ("ALLOWED", "EXPIRED", "ACTION_EXPIRED"),
            ("APPROVED", "EXPIRED", "ACTION_EXPIRED"),
            ("ALLOWED", "ALLOWED", "GRANT_ISSUED"),
            ("APPROVED", "APPROVED", "GRANT_ISSUED"),
            ("ALLOWED", "EXECUTING", "GRANT_REDEEMED"),
            ("APPROVED", "EXECUTING", "GRANT_REDEEMED"),
            ("APPROVED", "SUCCEEDED", "ACTION_CARRIED_OUT"),
            ("EXECUTING", "EXECUTING", "EXECUTION_EXTENDED"),
            ("EXECUTING", "SUCCEEDED", "ACTION_COMPLETED"),
            ("EXECUTING", "FAILED", "ACTION_COMPLETED"),
            ("AMBIGUOUS", "SUCCEEDED", "ACTION_COMPLETED"),
            ("AMBIGUOUS", "FAILED", "ACTION_COMPLETED"),
            ("EXECUTING", "AMBIGUOUS", "ACTION_AMBIGUOUS"),
            ("PENDING", "APPROVED", "ACTION_BROKEN_GLASS"),
        ),
        named_by="action",
        has={
            "ALLOWED": ("grant.id", "grant.hash", "grant.expiresAt"),
            "PENDING": ("expiresAt",),
            "APPROVED": ("grant.expiresAt",),
            "EXECUTING": ("expiresAt", "startedAt", "grant.id", "grant.hash", "grant.expiresAt"),
        },
        has_not={
            **dict.fromkeys(
                ("ALLOWED", "APPROVED", "DENIED", "EXPIRED", "CANCELLED"),
                ("expiresAt", "startedAt"),
            ),
            **dict.fromkeys(("SUCCEEDED", "FAILED", "AMBIGUOUS"), ("expiresAt",)),
            "PENDING": ("grant", "startedAt"),
            "BLOCKED": ("expiresAt", "grant", "startedAt"),
        },
        deadline=("expiresAt", "grant.expiresAt"),
        depended=(
            EntryIsBefore("status", "status"),
            IsMade("publication.mode", "publishes.mode"),
            IsMade("publication.version", "publishes.version"),
            IsMade("publication.hash", "publishes.hash"),
            IsMade("publication.document", "publishes.document"),
        ),
        approvals=Approvals("APPROVED", "ACTION_APPROVED", "policy.requirements", "identity", "decision"),
    ),
    "CHAIN": Kind(
        {"status": "=OPEN|CLOSED", "number": "integer", "platform": "string"},
        steps=((None, "OPEN", "ACTION_PROPOSED"), ("OPEN", "CLOSED", "ACTION_PROPOSED")),
        named_when_made="chain",
        when_made=(StateIsEntry("platform", "platform"),),
        numbered="number",
        fixed=("number", "platform"),
        replaced=(By(("CALLER",)), AsMade(("conversation",))),
        depended=(By(("CALLER",)), EntryIsBefore("platform", "platform"), AsMade(("conversation",))),
    ),
    "SESSION": Kind(
        {"status": "=OPEN|ENDED", "expiresAt?": "instant"},
        steps=((None, "OPEN", "SESSION_STARTED"), ("OPEN", "ENDED", "SESSION_ENDED")),
        named_by="session",
        has_not={"ENDED": ("expiresAt",)},
        deadline=("expiresAt",),
        depended=(By(("CALLER", "DELEGATE")),),
    ),
    "PRINCIPAL": Kind(
        {
            "kind": PRINCIPAL_KINDS,
            "suspended": "boolean",
            "roles": "list",
            "owner?": "string",
            "invitedAt?": "instant",
            "platforms?": "list",
            "key?": "string",
            "gatewayKey?": "object",
            "gatewayKey.kid": "string",
            "gatewayKey.kty": "string",
            "gatewayKey.crv?": "string",
            "gatewayKey.x?": "string",
            "gatewayKey.y?": "string",
            "gatewayKey.n?": "string",
            "gatewayKey.e?": "string",
        },
        steps=(
            (None, ANY, "PRINCIPAL_INVITED"),
            (ANY, ANY, "PRINCIPAL_INVITED"),
            (ANY, ANY, "PRINCIPAL_UPDATED"),
            (None, ANY, "PRINCIPAL_SUSPENDED"),
            (ANY, ANY, "PRINCIPAL_SUSPENDED"),
            (ANY, ANY, "PRINCIPAL_REINSTATED"),
            (None, ANY, "PRINCIPAL_ROLES_CHANGED"),
            (ANY, ANY, "PRINCIPAL_ROLES_CHANGED"),
        ),
        named_by="subject.id",
        before_made={"suspended": False, "roles": []},
        fixed=("kind",),
    ),
    "TOKEN": Kind({"revoked": "true"}, steps=((None, ANY, "TOKEN_REVOKED"),)),
    "SETUP": Kind(
        {"hash": "hex64", "expiresAt": "instant", "attempts": "integer", "usedBy?": "string"},
        steps=(
            (None, ANY, "SETUP_CODE_ISSUED"),
            (ANY, ANY, "SETUP_CODE_ISSUED"),
            (ANY, ANY, "SETUP_CODE_REFUSED"),
            (ANY, ANY, "SETUP_CODE_USED"),
        ),
    ),
    "ORGANIZATION": Kind(
        {
            "addresses": "object",
            "addresses.providers": "boolean",
            "addresses.domains": "objects",
            "addresses.domains[].domain": "string",
            "addresses.domains[].plus": "boolean",
            "addresses.domains[].dots": "boolean",
        },
        steps=((None, ANY, "SETTINGS_CHANGED"), (ANY, ANY, "SETTINGS_CHANGED")),
    ),
    "POLICY": Kind(
        {
            "version": "from1",
            "hash": "sha256",
            "shadow?": "object",
            "shadow.version": "from1",
            "shadow.hash": "sha256",
            "latest": "from1",
        },
        steps=((None, ANY, "POLICY_STARTED"), (ANY, ANY, "POLICY_STARTED"), (ANY, ANY, "POLICY_PUBLISHED")),
        before_made={"version": 1, "latest": 1},
    ),
    **delegations.KINDS,
    **regions.KINDS,
    **break_glass.KINDS,
    **channels.KINDS,
}

# Section 4, what an entry depends on: (path in the entry, kind, only entries of these types). Each at version 1.
DEPENDENCIES: Tuple[Tuple[str, str, Tuple[str, ...]], ...] = (
    ("session", "SESSION", ()),
    ("chain", "CHAIN", ("ACTION_PROPOSED",)),
    ("decision.delegatedBy.delegation", "DELEGATION", ("ACTION_APPROVED", "ACTION_DENIED")),
)
# The same at a version that the entry says, where that is at least 1: (type, kind, `id` or member that has it, member of the version).
POLICY_ID = "policy"
VERSIONED_DEPENDENCIES = (
    ("ACTION_APPROVED", "POLICY", POLICY_ID, None, "policyRecord"),
    ("POLICY_PUBLISHED", "ACTION", None, "publication.action", "publication.actionVersion"),
)
