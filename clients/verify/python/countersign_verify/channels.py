"""The types and the kinds of channels, linked accounts and notices, in the form of `tables`."""

from __future__ import annotations

from typing import Dict

from .terms import By, Kind, StateHas, StateHasNot, StateIs, StateIsEntry, Stay, Type

_KINDS = "=SLACK|TEAMS|EMAIL|WEBHOOK"
_NOTICE = {"notice": "object", "notice.action": "UUID", "notice.channel": "string", "notice.kind": _KINDS}

TYPES: Dict[str, Type] = {
    "CHANNEL_CONFIGURED": Type(
        {
            "channel": "string",
            "settings": "commitment",
            "secrets?": "commitment",
            "note?": "commitment",
            "signature": "JWS",
        },
        moves=("CHANNEL",),
        rules=(By(("ADMINISTRATOR",)),),
        signed=True,
    ),
    "CHANNEL_REMOVED": Type(
        {"channel": "string", "note?": "commitment", "signature": "JWS"},
        moves=("CHANNEL",),
        rules=(By(("ADMINISTRATOR",)),),
        history=(Stay(("kind", "groups")),),
        signed=True,
    ),
    "ACCOUNT_LINKED": Type(
        {"channel": "string", "signature": "JWS"},
        moves=("ACCOUNT",),
        rules=(By(("HUMAN",)), StateIsEntry("principal", "actor.id")),
        signed=True,
    ),
    "ACCOUNT_UNLINKED": Type(
        {"note?": "commitment", "signature": "JWS"},
        moves=("ACCOUNT",),
        rules=(By(("HUMAN",)),),
        history=(Stay(("principal",)),),
        signed=True,
    ),
    "NOTICE_QUEUED": Type(
        _NOTICE,
        moves=("NOTICE",),
        rules=(By(("SYSTEM",)), StateIs("opened", False), StateHasNot(("sentAt", "openedAt", "message"))),
    ),
    "NOTICE_SENT": Type(
        {**_NOTICE, "to": "commitment"},
        moves=("NOTICE",),
        rules=(By(("SYSTEM",)),),
        history=(Stay(("opened", "openedAt")),),
    ),
    "NOTICE_FAILED": Type(
        {**_NOTICE, "reason": "=GAVE_UP|REFUSED|NOT_NEEDED|CHANNEL_REMOVED"},
        moves=("NOTICE",),
        rules=(By(("SYSTEM",)),),
        history=(Stay(("opened", "openedAt", "sentAt", "message")),),
    ),
    "NOTICE_RETRIED": Type(
        _NOTICE,
        moves=("NOTICE",),
        rules=(By(("ADMINISTRATOR",)),),
        history=(Stay(("opened", "openedAt", "sentAt", "message")),),
    ),
    "NOTICE_OPENED": Type(
        _NOTICE,
        moves=("NOTICE",),
        rules=(By(("HUMAN",)), StateIs("opened", True), StateHas(("openedAt",))),
        history=(Stay(("sentAt", "message")),),
    ),
}

KINDS: Dict[str, Kind] = {
    "CHANNEL": Kind(
        {"status": "=ACTIVE|REMOVED", "kind": _KINDS, "groups": "list"},
        steps=(
            (None, "ACTIVE", "CHANNEL_CONFIGURED"),
            ("ACTIVE", "ACTIVE", "CHANNEL_CONFIGURED"),
            ("REMOVED", "ACTIVE", "CHANNEL_CONFIGURED"),
            ("ACTIVE", "REMOVED", "CHANNEL_REMOVED"),
        ),
        named_by="channel",
    ),
    "ACCOUNT": Kind(
        {"status": "=LINKED|UNLINKED", "principal": "string"},
        steps=(
            (None, "LINKED", "ACCOUNT_LINKED"),
            ("UNLINKED", "LINKED", "ACCOUNT_LINKED"),
            ("LINKED", "UNLINKED", "ACCOUNT_UNLINKED"),
        ),
    ),
    "NOTICE": Kind(
        {
            "status": "=QUEUED|SENT|FAILED",
            "opened": "boolean",
            "sentAt?": "instant",
            "openedAt?": "instant",
            "message?": "string",
        },
        steps=(
            (None, "QUEUED", "NOTICE_QUEUED"),
            ("QUEUED", "SENT", "NOTICE_SENT"),
            ("QUEUED", "FAILED", "NOTICE_FAILED"),
            ("FAILED", "QUEUED", "NOTICE_RETRIED"),
            ("QUEUED", "QUEUED", "NOTICE_OPENED"),
            ("SENT", "SENT", "NOTICE_OPENED"),
            ("FAILED", "FAILED", "NOTICE_OPENED"),
        ),
        has={"SENT": ("sentAt",)},
    ),
}
