"""The types and the kind of approvals by one person alone, in the form of `tables`."""

from __future__ import annotations

from typing import Dict, Tuple

from .terms import (
    AsMade, BeforeDeadline, By, Condition, EndsWithin, EntryIsNot, IsMade, Kind, Members, StateHasNot, StateIsEntry, StatusWhere, Stay, Type, Where,
)  # fmt: skip


def types(about: Members, same_action: Tuple[Condition, ...]) -> Dict[str, Type]:
    """`about` has the members of entries about an action, `same_action` the conditions that they repeat them."""
    same_requester = (IsMade("requestedBy.id", "actor.id"), IsMade("requestedBy.onBehalfOf", "onBehalfOf.id"))
    terms = tuple(path.rstrip("?") for path in about)
    return {
        "ACTION_BROKEN_GLASS": Type(
            {
                **about, "requestedBy": "object", "requestedBy.id": "string", "requestedBy.onBehalfOf?": "string", "reason": "commitment",
                "channel": "=API|CONSOLE|SLACK|TEAMS|WEBHOOK", "signature": "JWS",
            },  # fmt: skip
            moves=("ACTION", "GLASS"),
            rules=(EntryIsNot("platform", "countersign"), StateHasNot(("grant.id", "grant.hash"))),
            history=(By(("GLASS_BREAKER",)), *same_action, *same_requester, Stay(("approvals",)), BeforeDeadline(), EndsWithin("grant.expiresAt", 900)),
            signed=True,
        ),
        "BREAK_GLASS_REVIEWED": Type(
            {**about, "verdict": "=JUSTIFIED|UNJUSTIFIED", "note": "commitment", "signature": "JWS"},
            moves=("GLASS",),
            rules=tuple(StatusWhere(Where("verdict", word), word) for word in ("JUSTIFIED", "UNJUSTIFIED")),
            history=(By(("REVIEWER",)), AsMade(terms)),
            signed=True,
        ),
    }


KINDS: Dict[str, Kind] = {
    "GLASS": Kind(
        {"status": "=UNREVIEWED|JUSTIFIED|UNJUSTIFIED", "by": "string"},
        steps=(
            (None, "UNREVIEWED", "ACTION_BROKEN_GLASS"),
            ("UNREVIEWED", "JUSTIFIED", "BREAK_GLASS_REVIEWED"),
            ("UNREVIEWED", "UNJUSTIFIED", "BREAK_GLASS_REVIEWED"),
        ),
        named_by="action",
        when_made=(StateIsEntry("by", "actor.id"),),
        fixed=("by",),
    ),
}
