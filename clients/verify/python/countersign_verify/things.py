"""Things and their states (section 4): versions, legal steps, conditions marked ILLEGAL_STEP, and dependencies.

`judge` says what is wrong with an entry by what is recorded before it, `apply` records it. Both take an entry of any
form: its form is checked by itself (`body`), and checks are independent of each other (section 7).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, Iterator, List, Optional, Set, Tuple

from . import terms
from .approvals import Approval, Seats, people
from .asked import approver_in, delegator, is_behind
from .conditions import Maker, Move, history_wrong, maker_of
from .kinds import DEPENDENCIES, KINDS, VERSIONED_DEPENDENCIES
from .members import MISSING, at, first_difference, is_integer
from .report import quote
from .tables import TYPES
from .terms import ANY

Key = Tuple[str, str]

_STEPS = {name: frozenset(spec.steps) for name, spec in KINDS.items()}


@dataclass
class Thing:
    """What is remembered of a thing. `maker` is None where the entry that made it is unknown or no longer needed."""

    version: int
    state: Dict[str, Any]
    maker: Optional[Maker]
    seats: Optional[Seats] = None
    approved: Set[str] = field(default_factory=set)


def readable_states(body: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The elements of `states` that name a thing of a known kind and its state, whatever else is wrong with them."""
    states = body.get("states")
    return [item for item in states if _is_readable(item)] if isinstance(states, list) else []


def _is_readable(item: Any) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("state"), dict) or not is_integer(item.get("version")):
        return False
    kind = item.get("kind")
    return isinstance(kind, str) and kind in KINDS and isinstance(item.get("id"), str)


def _type(body: Dict[str, Any]) -> str:
    name = body.get("type")
    return name if isinstance(name, str) else ""


def _approval(body: Dict[str, Any], seats: Seats, maker: Maker, spec: terms.Approvals) -> Approval:
    one = approver_in(body, spec.decision, is_behind(body, maker.actor, maker.on_behalf_of))
    return Approval(_voters(body, spec), seats.fits(one), at(body, spec.unknown) is not MISSING)


def _voters(body: Dict[str, Any], spec: terms.Approvals) -> FrozenSet[str]:
    """The people of an entry that approves, the one included in whose place its actor decides."""
    return people(body) | delegator(body, spec.decision)


def _status(kind: str, state: Dict[str, Any]) -> str:
    """The status of a state; kinds without one have steps from and to any."""
    if "status" not in KINDS[kind].members:
        return ANY
    status = state.get("status")
    return status if isinstance(status, str) else ""


class Things:
    """All things of a ledger. If `partial`, the ledger has entries before those that are read: a thing that was not
    seen being made may exist all the same."""

    def __init__(self, partial: bool) -> None:
        self._partial = partial
        self._things: Dict[Key, Thing] = {}

    def judge(self, body: Dict[str, Any], recorded_at: str) -> Iterator[str]:
        """What is ILLEGAL_STEP about an entry."""
        yield from self._dependencies(body, recorded_at)
        for item in readable_states(body):
            yield from self._step(body, recorded_at, item)

    def apply(self, body: Dict[str, Any]) -> None:
        """Take over what an entry makes of the things that it moves."""
        for item in readable_states(body):
            kind, key = item["kind"], (item["kind"], item["id"])
            thing = self._things.get(key)
            if thing is None:
                thing = Thing(item["version"], item["state"], None)
                self._things[key] = thing
            thing.version, thing.state = item["version"], item["state"]
            if thing.version == 1 and thing.maker is None:
                thing.maker = maker_of(body, kind)
                if KINDS[kind].approvals is not None:
                    thing.seats = Seats(thing.maker.values.get(KINDS[kind].approvals.requirements))
            spec = KINDS[kind].approvals
            if spec is not None and _type(body) == spec.by:
                thing.approved |= _voters(body, spec)
                if thing.seats is not None and thing.maker is not None:
                    thing.seats.add(_approval(body, thing.seats, thing.maker, spec))

    def _dependencies(self, body: Dict[str, Any], recorded_at: str) -> Iterator[str]:
        moved = {(item["kind"], item["id"]) for item in readable_states(body)}
        for member, kind, only_types in DEPENDENCIES:
            name = at(body, member)
            if name is MISSING or (only_types and _type(body) not in only_types):
                continue
            if not isinstance(name, str):
                yield "depends on a %s that cannot be" % kind
            elif (kind, name) not in moved:
                yield from self._dependency(body, recorded_at, kind, name, 1)
        for only_type, kind, fixed, member, version_member in VERSIONED_DEPENDENCIES:
            version = at(body, version_member)
            named = fixed if member is None else at(body, member)
            if _type(body) == only_type and isinstance(named, str) and is_integer(version) and version > 0:
                yield from self._dependency(body, recorded_at, kind, named, version)

    def _dependency(
        self, body: Dict[str, Any], recorded_at: str, kind: str, name: str, version: int
    ) -> Iterator[str]:
        thing = self._things.get((kind, name))
        if thing is None:
            if not self._partial:
                yield "depends on a %s that was never made" % kind
            return
        if thing.version != version:
            yield "depends on a %s that is at version %d" % (kind, thing.version)
        expires = at(thing.state, "expiresAt")
        if isinstance(expires, str) and not expires > recorded_at:
            yield "depends on a %s that has expired" % kind
        move = Move(body, recorded_at, kind, thing.state, thing.state, thing.maker)
        for condition in KINDS[kind].depended:
            wrong = history_wrong(condition, move)
            if wrong is not None:
                yield "depends on a %s: %s" % (kind, wrong)

    def _step(self, body: Dict[str, Any], recorded_at: str, item: Dict[str, Any]) -> Iterator[str]:
        kind, name, version, state = item["kind"], item["id"], item["version"], item["state"]
        thing = self._things.get((kind, name))
        wrong = self._version_wrong(thing, version) or self._step_wrong(thing, version, kind, state, _type(body))
        if wrong is None and thing is not None:
            # Conditions are about a step that is legal, and not about entries that make a thing.
            wrong = self._condition_wrong(thing, Move(body, recorded_at, kind, state, thing.state, thing.maker))
        if wrong is not None:
            yield "%s %s: %s" % (kind, quote(name), wrong)

    def _version_wrong(self, thing: Optional[Thing], version: int) -> Optional[str]:
        if thing is None:
            known = version == 1 or (self._partial and version > 1)
            return None if known else "version %d of a thing that was never made" % version
        return None if version == thing.version + 1 else "version %d after version %d" % (version, thing.version)

    def _step_wrong(
        self, thing: Optional[Thing], version: int, kind: str, state: Dict[str, Any], type_name: str
    ) -> Optional[str]:
        after = _status(kind, state)
        if thing is None and version > 1:
            # Where it comes from is unknown; some step of this type has to lead here.
            legal = any((to, by) == (after, type_name) and before is not None for before, to, by in _STEPS[kind])
            return None if legal else "no step to %s by %s" % (quote(after), quote(type_name))
        before = None if thing is None else _status(kind, thing.state)
        if (before, after, type_name) in _STEPS[kind]:
            return None
        return "no step from %s to %s by %s" % (before or "(made)", quote(after), quote(type_name))

    def _condition_wrong(self, thing: Thing, move: Move) -> Optional[str]:
        """The first condition of type and kind that a legal step breaks."""
        kind, type_name = KINDS[move.kind], TYPES[_type(move.body)]
        # The conditions of a type are about the thing that each of its entries moves, which is of the first kind.
        conditions: Tuple[terms.Condition, ...] = type_name.history if move.kind == type_name.moves[0] else ()
        for condition in (*conditions, *kind.replaced):
            wrong = history_wrong(condition, move)
            if wrong is not None:
                return wrong
        changed = first_difference(thing.state, move.state, kind.fixed)
        return "%s changes" % changed if changed is not None else self._approval_wrong(thing, move)

    def _approval_wrong(self, thing: Thing, move: Move) -> Optional[str]:
        """Nobody approves twice, and the status that takes enough approvals is reached exactly with them."""
        spec = KINDS[move.kind].approvals
        if spec is None or _type(move.body) != spec.by:
            return None
        persons = _voters(move.body, spec)
        if persons & thing.approved:
            return "%s approves twice" % quote(min(persons & thing.approved))
        if thing.seats is None or thing.maker is None:
            return None
        reached = _status(move.kind, move.state) == spec.status
        if thing.seats.enough_with(_approval(move.body, thing.seats, thing.maker, spec)) is reached:
            return None
        return "%s without enough approvals" % spec.status if reached else "enough approvals, and not %s" % spec.status
