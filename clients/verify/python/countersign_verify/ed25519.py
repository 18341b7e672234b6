"""Ed25519 verification by RFC 8032, section 5.1.7, with extended homogeneous coordinates (section 5.1.4).

The check is the cofactorless one, [S]B = R + [k]A: [S]B - [k]A is computed, encoded and compared with the first half of
the signature. An encoding is unique, so a first half that is no encoding of a point is refused with it.
"""

from __future__ import annotations

import hashlib
from typing import List, NamedTuple, Optional, Tuple

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
_D2 = 2 * D % P
_SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)


class Point(NamedTuple):
    """(X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z."""

    x: int
    y: int
    z: int
    t: int


IDENTITY = Point(0, 1, 1, 0)


def add(a: Point, b: Point) -> Point:
    """Sum of two points; complete, it holds for equal points too (RFC 8032, section 5.1.4)."""
    m = (a.y - a.x) * (b.y - b.x) % P
    n = (a.y + a.x) * (b.y + b.x) % P
    c = a.t * _D2 * b.t % P
    d = 2 * a.z * b.z % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return Point(e * f % P, g * h % P, f * g % P, e * h % P)


def double(a: Point) -> Point:
    """Twice a point (RFC 8032, section 5.1.4)."""
    m = a.x * a.x % P
    n = a.y * a.y % P
    h = m + n
    e = h - (a.x + a.y) * (a.x + a.y)
    g = m - n
    f = 2 * a.z * a.z + g
    return Point(e * f % P, g * h % P, f * g % P, e * h % P)


def negate(a: Point) -> Point:
    """The point that gives the identity when added to `a`."""
    return Point(P - a.x, a.y, a.z, P - a.t)


def encode(a: Point) -> bytes:
    """32 bytes: y in little endian, with the lowest bit of x as the highest bit (RFC 8032, section 5.1.2)."""
    inverse = pow(a.z, P - 2, P)
    x, y = a.x * inverse % P, a.y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(data: bytes) -> Optional[Point]:
    """The point that 32 bytes encode, or None (RFC 8032, section 5.1.3: y below p, a square root, no negative zero)."""
    if len(data) != 32:
        return None
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    v3 = v * v * v % P
    x = u * v3 * pow(u * v3 * v3 * v % P, (P - 5) // 8, P) % P
    if v * x * x % P != u:
        if v * x * x % P != P - u:
            return None
        x = x * _SQRT_MINUS_1 % P
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return Point(x, y, 1, x * y % P)


_base = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
assert _base is not None
BASE: Point = _base


def _odd_multiples(point: Point, width: int) -> List[Point]:
    """point, 3*point, 5*point, … as far as digits of that width need them."""
    twice = double(point)
    multiples = [point]
    for _ in range((1 << (width - 2)) - 1):
        multiples.append(add(multiples[-1], twice))
    return multiples


def _digits(scalar: int, width: int) -> List[Tuple[int, int]]:
    """Non-adjacent form of a scalar: (position, odd digit), so that few additions are needed."""
    digits: List[Tuple[int, int]] = []
    position = 0
    while scalar:
        if scalar & 1:
            digit = scalar & ((1 << width) - 1)
            if digit >> (width - 1):
                digit -= 1 << width
            digits.append((position, digit))
            scalar -= digit
        scalar >>= 1
        position += 1
    return digits


_BASE_WIDTH, _KEY_WIDTH = 8, 5
_BASE_MULTIPLES = _odd_multiples(BASE, _BASE_WIDTH)


def multiply_both(base_scalar: int, scalar: int, multiples: List[Point]) -> Point:
    """[base_scalar]B + [scalar]Q in one pass, where `multiples` are the odd multiples of Q."""
    additions: List[List[Point]] = [[] for _ in range(260)]
    for digits, table in (
        (_digits(base_scalar, _BASE_WIDTH), _BASE_MULTIPLES),
        (_digits(scalar, _KEY_WIDTH), multiples),
    ):
        for position, digit in digits:
            multiple = table[abs(digit) >> 1]
            additions[position].append(multiple if digit > 0 else negate(multiple))
    result = IDENTITY
    for points in reversed(additions):
        result = double(result)
        for point in points:
            result = add(result, point)
    return result


class PublicKey:
    """A public key that was decoded once. Raises ValueError if the 32 bytes encode no point."""

    def __init__(self, data: bytes) -> None:
        point = decode(data)
        if point is None:
            raise ValueError("the key is not the encoding of a point")
        self.data = data
        self._multiples = _odd_multiples(negate(point), _KEY_WIDTH)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the 64 bytes are a signature of the message by this key (RFC 8032, section 5.1.7)."""
        if len(signature) != 64:
            return False
        scalar = int.from_bytes(signature[32:], "little")
        # A scalar of L or above would give a second signature of the same message.
        if scalar >= L:
            return False
        digest = hashlib.sha512(signature[:32] + self.data + message).digest()
        challenge = int.from_bytes(digest, "little") % L
        return encode(multiply_both(scalar, challenge, self._multiples)) == signature[:32]
