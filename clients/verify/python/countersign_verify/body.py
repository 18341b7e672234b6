"""What one entry has to be, looked at by itself: section 1 and what section 3 forbids (CONTENT_MISMATCH), the members,
states and conditions of sections 3 and 4 (RULE_BROKEN)."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .conditions import Move, made_wrong, rule_wrong, state_rules
from .entries import is_seq
from .kinds import KINDS
from .members import LARGEST, MISSING, Table, at, is_commitment, is_instant, is_integer, same
from .report import quote
from .tables import ENVELOPE, STATE_ITEM, TYPES
from .terms import ANY, Type
from .things import readable_states

LEDGER = re.compile(r"[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9-]{0,62}")
HASH = re.compile(r"[0-9a-f]{64}")
# Nesting of a body, of which the body itself is the first level (section 3).
_DEEPEST = 64

_ENTRY_MEMBERS = ("body", "ledger", "prevHash", "recordedAt", "seq", "v")
# A key can stand in the paths of very many commitments, so that their text outgrows the entry without limit.
_MOST_PATH_TEXT = 1 << 26
_KIND = re.compile(r"[A-Z][A-Z_]{0,39}")
_LONGEST_ID = 400
_LARGEST_VERSION = 2**31 - 1

_STATE_ITEM = Table(STATE_ITEM)
_TABLES = {
    name: Table({**ENVELOPE, **spec.members, **({"states": "objects"} if spec.moves else {})})
    for name, spec in TYPES.items()
}
_STATES = {name: Table(spec.members) for name, spec in KINDS.items()}


class TooLarge(Exception):
    """The paths of an entry take more memory than this program uses."""


def outer_findings(entry: Any) -> Iterator[str]:
    """What is wrong with the members of an entry beside its body (section 1)."""
    for name in _ENTRY_MEMBERS:
        if name not in entry:
            yield "%s is missing" % name
    for name in entry:
        if name not in _ENTRY_MEMBERS:
            yield "%s is no member of an entry" % quote(name)
    if "seq" in entry and not is_seq(entry["seq"]):
        yield "seq has a wrong form: %s" % quote(entry["seq"])
    for name, pattern in (("ledger", LEDGER), ("prevHash", HASH)):
        value = entry.get(name, MISSING)
        if value is not MISSING and not (isinstance(value, str) and pattern.fullmatch(value)):
            yield "%s has a wrong form: %s" % (name, quote(value))
    if "recordedAt" in entry and not is_instant(entry["recordedAt"]):
        yield "recordedAt is not an instant: %s" % quote(entry["recordedAt"])


def walk(body: Dict[str, Any]) -> Tuple[Dict[str, str], Optional[str], Optional[str]]:
    """The commitments of a body by path (section 5), and the first of what it may not hold (section 3), or None;
    and the first path of a commitment that has a key with a dot on its way, or None.

    What is nested too deeply is replaced by null, so that nothing that looks at the body later has to go there.
    """
    commitments: Dict[str, str] = {}
    wrong: Optional[str] = None
    dotted: Optional[str] = None
    path_text = 0
    waiting: List[Tuple[Any, Tuple[str, ...]]] = [(body, ())]
    while waiting:
        container, path = waiting.pop()
        members = container.items() if isinstance(container, dict) else enumerate(container)
        for key, value in members:
            if isinstance(key, str) and "\0" in key:
                wrong = wrong or "a key holds NUL: %s" % quote(key)
            if isinstance(value, (dict, list)):
                way = path + (str(key),)
                if len(way) >= _DEEPEST:
                    wrong = wrong or "nesting is deeper than %d" % _DEEPEST
                    container[key] = None
                elif not is_commitment(value):
                    waiting.append((value, way))
                else:
                    path_text += sum(map(len, way))
                    if path_text > _MOST_PATH_TEXT:
                        raise TooLarge
                    commitments[".".join(way)] = value["commit"]
                    if dotted is None and any("." in step for step in way):
                        dotted = ".".join(way)
            elif isinstance(value, str):
                if "\0" in value:
                    wrong = wrong or "%s holds NUL" % quote(str(key))
            elif isinstance(value, float) or (is_integer(value) and abs(value) > LARGEST):
                wrong = wrong or "%s is not an integer within 2^53 - 1" % quote(str(key))
    return commitments, wrong, dotted


def body_findings(body: Dict[str, Any], dotted: Optional[str]) -> Iterator[str]:
    """What is RULE_BROKEN about a body: its members, those of its states, what it moves, and the conditions that are
    known by the entry alone (sections 3 to 5). `dotted` is what `walk` found."""
    if dotted is not None:
        yield "a key on the way to a commitment holds a dot: %s" % quote(dotted)
    name = body.get("type")
    spec = TYPES.get(name) if isinstance(name, str) else None
    if spec is None:
        # A type that is not known may have any members but `states`.
        if not isinstance(name, str):
            yield "the entry has no type"
        if "states" in body:
            yield "an entry of a type that is not known has states"
        return
    for path, wrong in _TABLES[str(name)].problems(body):
        yield "%s %s" % (path, wrong)
    yield from _other_members(body, spec)
    if spec.moves and isinstance(body.get("states"), list):
        yield from _states_findings(body, spec.moves, str(name))
    yield from _conditions(body, spec)


def _other_members(body: Dict[str, Any], spec: Type) -> Iterator[str]:
    """What sections 3 and 6 say of members beside the tables."""
    if not spec.signed and "signature" in body:
        yield "signature stands in an entry that permits nothing"
    there = [path for path in spec.together if path in body]
    if there and len(there) < len(spec.together):
        yield "%s: all of them or none" % ", ".join(spec.together)
    for path in spec.beside:
        if path in body and not there:
            yield "%s stands without %s" % (path, spec.together[0])


def _conditions(body: Dict[str, Any], spec: Type) -> Iterator[str]:
    """Conditions marked RULE_BROKEN, of the type and of the kinds of what it moves."""
    items = readable_states(body)
    # The conditions of a type are about the thing that each of its entries moves.
    main = next((item for item in items if item["kind"] == spec.moves[0]), None) if spec.moves else None
    if not spec.moves:
        move = Move(body, "", "", {}, None, None)
        yield from filter(None, (rule_wrong(condition, move) for condition in spec.rules))
    if main is not None:
        move = Move(body, "", main["kind"], main["state"], None, None)
        wrong = [rule_wrong(condition, move) for condition in spec.rules]
        if main["version"] == 1:
            wrong.extend(made_wrong(condition, main["kind"], main["state"]) for condition in spec.history)
        yield from filter(None, wrong)
    for item in items:
        kind = KINDS[item["kind"]]
        yield from state_rules(item["kind"], item["state"])
        if item["version"] != 1:
            continue
        move = Move(body, "", item["kind"], item["state"], None, None)
        yield from filter(None, (rule_wrong(condition, move) for condition in kind.when_made))
        if kind.numbered is not None:
            replaced = [at(other["state"], kind.numbered) for other in items if _is_replaced(other, item["kind"])]
            number = at(item["state"], kind.numbered)
            expected = replaced[0] + 1 if replaced and is_integer(replaced[0]) else 1
            if not same(number, expected):
                yield "%s of the %s is not %d" % (kind.numbered, item["kind"], expected)


def _is_replaced(item: Dict[str, Any], kind: str) -> bool:
    return bool(item["kind"] == kind and item["version"] != 1)


def state_wrong(item: Any) -> Optional[str]:
    """What is wrong with one element of `states` (section 4), or None."""
    if not isinstance(item, dict):
        return "is not an object"
    for path, wrong in _STATE_ITEM.problems(item):
        return "%s %s" % (path, wrong)
    if not _KIND.fullmatch(item["kind"]):
        return "kind has a wrong form"
    if not 1 <= len(item["id"]) <= _LONGEST_ID:
        return "id is empty or too long"
    if not 1 <= item["version"] <= _LARGEST_VERSION:
        return "version is not within 1 and 2^31 - 1"
    if item["kind"] not in KINDS:
        return "kind is not known"
    for path, wrong in _STATES[item["kind"]].problems(item["state"]):
        return "state.%s %s" % (path, wrong)
    return None


def _states_findings(body: Dict[str, Any], moves: Tuple[str, ...], type_name: str) -> Iterator[str]:
    states = body["states"]
    if not states:
        yield "states is empty"
    sound = True
    for index, item in enumerate(states):
        wrong = state_wrong(item)
        if wrong is not None:
            sound = False
            yield "states.%d: %s" % (index, wrong)
    if not sound:
        return
    things = [(item["kind"], item["id"]) for item in states]
    if len(set(things)) < len(things):
        yield "states has a thing twice"
    if not _in_order_of(moves, states):
        yield "states does not have what the type moves: %s" % ", ".join(moves)
        return
    for item in states:
        kind = KINDS[item["kind"]]
        status = item["state"].get("status", ANY)
        if not any(to == status and by == type_name and (before is None) is (item["version"] == 1) for before, to, by in kind.steps):
            yield "no entry of this type brings a %s of version %d to %s" % (item["kind"], item["version"], quote(status))
        member = kind.named_by or (kind.named_when_made if item["version"] == 1 else None)
        if member is not None and not same(at(body, member), item["id"]):
            yield "the id of the %s is not %s" % (item["kind"], member)


def _in_order_of(moves: Tuple[str, ...], states: List[Any]) -> bool:
    """Whether `states` are the things that a type moves, in order: of a kind with `?` none, one that is made, or one
    that is made and then one in whose place it comes."""
    rest = [(item["kind"], item["version"] == 1) for item in states]
    for move in moves:
        kind = move.rstrip("?")
        if not move.endswith("?"):
            if not rest or rest.pop(0)[0] != kind:
                return False
        elif rest[:1] == [(kind, True)]:
            rest.pop(0)
            if rest[:1] == [(kind, False)]:
                rest.pop(0)
    return not rest
