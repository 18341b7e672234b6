"""The types and kinds of the copies that a region works under, in the form of `tables`."""

from __future__ import annotations

from typing import Dict

from .terms import ANY, By, Kind, StateIsEntry, Type

TYPES: Dict[str, Type] = {
    "POLICY_ADOPTED": Type(
        {
            "policy": "object",
            "policy.version": "from1",
            "policy.hash": "sha256",
            "home": "object",
            "home.ledger": "string",
            "home.seq": "string",
            "home.hash": "hex64",
            "signature": "JWS",
        },
        moves=("POLICY_COPY",),
        rules=(
            By(("SYSTEM",)),
            StateIsEntry("version", "policy.version"),
            StateIsEntry("hash", "policy.hash"),
        ),
        signed=True,
    ),
    "HOME_COPIED": Type(
        {
            "home": "object",
            "home.ledger": "string",
            "home.after": "string",
            "home.seq": "string",
            "home.hash": "hex64",
            "copies": "commitment",
            "signature": "JWS",
        },
        moves=("HOME_COPY",),
        rules=(
            By(("SYSTEM",)),
            StateIsEntry("seq", "home.seq"),
            StateIsEntry("hash", "home.hash"),
        ),
        signed=True,
    ),
}

KINDS: Dict[str, Kind] = {
    "POLICY_COPY": Kind(
        {"version": "from1", "hash": "sha256"},
        steps=((None, ANY, "POLICY_ADOPTED"), (ANY, ANY, "POLICY_ADOPTED")),
    ),
    "HOME_COPY": Kind(
        {"seq": "string", "hash": "hex64"},
        steps=((None, ANY, "HOME_COPIED"), (ANY, ANY, "HOME_COPIED")),
    ),
}
