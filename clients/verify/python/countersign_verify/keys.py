"""The public keys of section 6: a JWK set (RFC 7517), of which only keys for facts are used."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .ed25519 import PublicKey
from .members import is_integer
from .report import quote

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
# What a key that verifies facts has to have; `alg` and `use` are for other readers.
_FIXED = {"kty": "OKP", "crv": "Ed25519"}
_LONGEST_INTEGER = 20


class KeysUnreadable(ValueError):
    """The file is not a JWK set."""


def base64url(data: bytes) -> str:
    """BASE64URL of RFC 7515, section 2: without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> Optional[bytes]:
    """The bytes, or None if the text is not the one encoding of them: other characters, padding, left-over bits."""
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return data if base64url(data) == text else None


def thumbprint(x: str) -> str:
    """RFC 7638 thumbprint of an Ed25519 key (RFC 8037, appendix A.3)."""
    return base64url(hashlib.sha256(('{"crv":"Ed25519","kty":"OKP","x":"%s"}' % x).encode("ascii")).digest())


class Key(NamedTuple):
    """A key for facts; `exp` if it was retired, in seconds since 1970."""

    public: PublicKey
    exp: Optional[int]


def _object(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise KeysUnreadable("a member stands twice in one object")
    return members


def _integer(token: str) -> int:
    if len(token) > _LONGEST_INTEGER:
        raise KeysUnreadable("a number is too long")
    return int(token)


def _not_a_number(token: str) -> Any:
    raise KeysUnreadable("%s is no JSON" % token)


def _key_of(jwk: Dict[str, Any]) -> Key:
    """The key of a JWK for facts. Raises ValueError if section 6 has a set with it refused."""
    for name, value in _FIXED.items():
        if jwk.get(name) != value:
            raise ValueError("%s is not %s" % (name, value))
    x, kid, exp = jwk.get("x"), jwk.get("kid"), jwk.get("exp")
    data = from_base64url(x) if isinstance(x, str) else None
    if data is None or len(data) != 32:
        raise ValueError("x is not BASE64URL of 32 bytes")
    if kid != thumbprint(str(x)):
        raise ValueError("kid is not its RFC 7638 thumbprint")
    if isinstance(exp, float) and exp.is_integer():
        exp = int(exp)
    if "exp" in jwk and not is_integer(exp):
        raise ValueError("exp is not an integer")
    return Key(PublicKey(data), exp)


def read_keys(text: bytes) -> Dict[str, Key]:
    """The keys of a JWK set by `kid`; of two with one `kid` the last.

    Raises KeysUnreadable if the text is none, or has a key for facts with which section 6 has the set refused. Keys
    without `"purpose":"facts"` are passed over.
    """
    try:
        document = json.loads(
            text.decode("utf-8"), object_pairs_hook=_object, parse_int=_integer, parse_constant=_not_a_number
        )
    except (ValueError, RecursionError) as error:
        raise KeysUnreadable("not JSON: %s" % error) from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise KeysUnreadable("not a JWK set: it has no list `keys`")
    keys: Dict[str, Key] = {}
    for jwk in listed:
        if not isinstance(jwk, dict) or jwk.get("purpose") != "facts":
            continue
        try:
            keys[str(jwk.get("kid"))] = _key_of(jwk)
        except ValueError as error:
            raise KeysUnreadable("key %s: %s" % (quote(jwk.get("kid")), error)) from None
    return keys
