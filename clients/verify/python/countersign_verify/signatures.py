"""The signature of an entry (section 6): which have one, its exact form, and whether it verifies."""

from __future__ import annotations

import datetime
import re
from typing import Any, Dict, Mapping, Optional

from .canonical import text_of
from .keys import Key, base64url, from_base64url
from .members import is_instant
from .report import quote
from .tables import TYPES

# The whole header, as RFC 8785 writes it: the order of the members and their form leave only these parts open.
_HEADER = re.compile(
    r'\{"alg":"EdDSA","iat":(?:0|[1-9][0-9]{0,14}),"kid":"([A-Za-z0-9_-]{1,128})","ledger":"([a-z0-9/-]+)",'
    r'"typ":"countersign-fact\+jws"\}'
)
_PART = re.compile(r"[A-Za-z0-9_-]{1,1024}")


def must_be_signed(body: Dict[str, Any]) -> bool:
    """Whether an entry can permit something by the table of types (section 3). Of unknown types nobody can tell."""
    name = body.get("type")
    spec = TYPES.get(name) if isinstance(name, str) else None
    return spec is not None and spec.signed


def seconds_of(recorded_at: str) -> int:
    """An instant in seconds since 1970, fractions left out; negative before."""
    moment = datetime.datetime.strptime(recorded_at[:19], "%Y-%m-%dT%H:%M:%S")
    since = moment - datetime.datetime(1970, 1, 1)
    return since.days * 86400 + since.seconds


def signature_wrong(
    body: Dict[str, Any], ledger: Any, recorded_at: Any, keys: Optional[Mapping[str, Key]]
) -> Optional[str]:
    """What is wrong with the signature of an entry that needs one, or None.

    Without keys everything is checked but whether the key is known and the 64 bytes verify.
    """
    signature = body.get("signature")
    if signature is None:
        return "not signed"
    parts = signature.split(".", 3) if isinstance(signature, str) else []
    if len(parts) != 3 or parts[1] != "" or not _PART.fullmatch(parts[0]) or not _PART.fullmatch(parts[2]):
        return "the signature is not a compact JWS with detached content"
    header, signed = from_base64url(parts[0]), from_base64url(parts[2])
    if header is None or signed is None:
        return "the signature is not BASE64URL"
    if len(signed) != 64:
        return "the signature does not have 64 bytes"
    match = _HEADER.fullmatch(header.decode("latin-1"))
    if match is None:
        return "the header of the signature is not exactly that of format 1"
    kid, named_ledger = match.groups()
    if named_ledger != ledger:
        return "signed for another ledger: %s" % quote(named_ledger)
    if keys is None:
        return None
    key = keys.get(kid)
    if key is None:
        return "signed by a key that is not among those for facts: %s" % quote(kid)
    # Where recordedAt is no instant, that is reported already and nothing can be compared.
    if key.exp is not None and is_instant(recorded_at) and seconds_of(recorded_at) > key.exp:
        return "recorded after the key was retired"
    try:
        content = text_of({name: value for name, value in body.items() if name != "signature"}).encode("utf-8")
    except ValueError:  # a lone surrogate, or a number that is too large
        return "the body has no RFC 8785 text"
    message = parts[0] + "." + base64url(content)
    if not key.public.verifies(message.encode("ascii"), signed):
        return "the signature does not verify"
    return None
