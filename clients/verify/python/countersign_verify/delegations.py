"""The types and the kind of delegations, in the form of `tables`."""

from __future__ import annotations

from typing import Dict

from .terms import Among, BeforeDeadline, By, Differ, EntryIsBefore, Kind, Lasts, Since, StateIsEntry, Type

TYPES: Dict[str, Type] = {
    "DELEGATION_MADE": Type(
        {"delegation": "UUID", "note?": "commitment", "signature": "JWS"},
        moves=("DELEGATION",),
        rules=(
            By(("HUMAN",)),
            StateIsEntry("delegator", "actor.id"),
            Among("group", "actor.groups"),
            Differ(("delegator", "delegate")),
            Lasts("startsAt", "expiresAt", 30),
        ),
        signed=True,
    ),
    "DELEGATION_ENDED": Type(
        {"delegation": "UUID", "signature": "JWS"},
        moves=("DELEGATION",),
        history=(By(("MAKER", "ADMINISTRATOR")), BeforeDeadline()),
        signed=True,
    ),
}

KINDS: Dict[str, Kind] = {
    "DELEGATION": Kind(
        {
            "status": "=MADE|ENDED",
            "delegator": "string",
            "delegate": "string",
            "group": "string",
            "startsAt": "instant",
            "expiresAt": "instant",
        },
        steps=((None, "MADE", "DELEGATION_MADE"), ("MADE", "ENDED", "DELEGATION_ENDED")),
        named_by="delegation",
        deadline=("expiresAt",),
        fixed=("delegator", "delegate", "group", "startsAt", "expiresAt"),
        depended=(
            EntryIsBefore("decision.delegatedBy.id", "delegator"),
            EntryIsBefore("decision.delegatedBy.group", "group"),
            EntryIsBefore("actor.id", "delegate"),
            Since("startsAt"),
        ),
    ),
}
