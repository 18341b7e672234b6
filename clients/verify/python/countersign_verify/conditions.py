"""The conditions of types and kinds (sections 3 and 4), about a thing that an entry moves or depends on.

What is before may be unknown (a file that begins in the middle of a ledger, an entry whose content cannot be known): then
a condition about it is passed over. Nothing here relies on the form of an entry, which is checked by itself.
"""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Tuple

from . import terms
from .approvals import people
from .asked import AGENT, HUMAN, approver_in, asked, counts_for, delegator, is_asked, is_behind, may_confirm
from .kinds import KINDS
from .members import MISSING, at, first_difference, is_integer, microseconds_between, same
from .report import quote
from .tables import TYPES

SYSTEM_ID, SERVICE, ADMIN_ROLE = "countersign", "SERVICE", "admin"


class Maker(NamedTuple):
    """What has to be remembered of the entry that made a thing: `id` and `kind` of both, and some of its members."""

    actor: Tuple[Any, Any]
    on_behalf_of: Tuple[Any, Any]
    people: FrozenSet[str]
    values: Dict[str, Any]


class Move(NamedTuple):
    """An entry that moves a thing or depends on it; `state` is then that of before. `before` and `maker` are None where
    the entry makes the thing or they are unknown."""

    body: Dict[str, Any]
    recorded_at: str
    kind: str
    state: Dict[str, Any]
    before: Optional[Dict[str, Any]]
    maker: Optional[Maker]


_REQUESTER = ("requestedBy.id", "requestedBy.onBehalfOf")


def _needed_paths(kind: str) -> List[str]:
    """The members of the entry that makes a thing of this kind which conditions refer to later."""
    spec = KINDS[kind]
    conditions = [*spec.replaced, *spec.depended]
    for name in {type_name for _, _, type_name in spec.steps}:
        conditions.extend(TYPES[name].history)
    paths = {spec.approvals.requirements} if spec.approvals else set()
    for condition in conditions:
        if isinstance(condition, terms.AsMade):
            paths.update(condition.paths)
        elif isinstance(condition, terms.IsMade):
            paths.add(condition.made_path)
        elif isinstance(condition, terms.By) and "REVIEWER" in condition.who:
            paths.update(_REQUESTER)
    return sorted(paths)


_MAKER_PATHS = {kind: _needed_paths(kind) for kind in KINDS}


def maker_of(body: Dict[str, Any], kind: str) -> Maker:
    """What to remember of an entry that makes a thing of this kind."""
    values = {path: at(body, path) for path in _MAKER_PATHS[kind]}
    return Maker(_who(body, "actor"), _who(body, "onBehalfOf"), people(body), values)


def _who(body: Dict[str, Any], member: str) -> Tuple[Any, Any]:
    return at(body, member + ".id"), at(body, member + ".kind")


def _same_who(a: Tuple[Any, Any], b: Tuple[Any, Any]) -> bool:
    return same(a[0], b[0]) and same(a[1], b[1])


def _applies(where: Optional[terms.Where], body: Dict[str, Any]) -> bool:
    return where is None or same(at(body, where.path), where.value)


def deadline(kind: str, state: Dict[str, Any]) -> Optional[str]:
    """The deadline of a state: of the members that its kind names, the first there is, in the order of the list."""
    values = (at(state, path) for path in KINDS[kind].deadline)
    return next((value for value in values if isinstance(value, str)), None)


def _is_approver(move: Move, maker: Maker) -> bool:
    spec, body = KINDS[move.kind].approvals, move.body
    if spec is None or not same(at(body, "actor.kind"), HUMAN):
        return False
    requirements = asked(maker.values.get(spec.requirements))
    one = approver_in(body, spec.decision, is_behind(body, maker.actor, maker.on_behalf_of))
    if one.at is not None and one.at > move.recorded_at:
        return False
    passed_on = at(body, spec.decision + ".submittedBy.id")
    if passed_on is not MISSING and same(passed_on, at(body, "actor.id")):
        return False
    asking = maker.people | {maker.actor[0]} if isinstance(maker.actor[0], str) else maker.people
    if at(body, spec.decision + ".delegatedBy") is not MISSING and asking & (people(body) | delegator(body, spec.decision)):
        return False
    if asking & people(body) and not one.behind and not may_confirm(requirements, one, move.recorded_at):
        return False
    fits = counts_for if same(at(body, "type"), spec.by) else is_asked
    return any(fits(requirement, one) for requirement in requirements)


def _is_one_of(name: str, move: Move) -> Optional[bool]:
    """Whether the entry is by one that the condition names; None if that is unknown."""
    actor, other, maker = _who(move.body, "actor"), _who(move.body, "onBehalfOf"), move.maker
    if name == "SYSTEM":
        return _same_who(actor, (SYSTEM_ID, SERVICE))
    if name == "HUMAN":
        return same(actor[1], HUMAN)
    if name == "ADMINISTRATOR":
        roles = at(move.body, "actor.roles")
        return same(actor[1], HUMAN) and isinstance(roles, list) and ADMIN_ROLE in roles
    if maker is None:
        return None
    if name == "MAKER":
        return _same_who(actor, maker.actor) and _same_who(other, maker.on_behalf_of)
    if name == "CALLER":
        return same(actor[0], maker.actor[0]) and same(other[0], maker.on_behalf_of[0])
    if name == "DELEGATE":
        alone = same(maker.on_behalf_of[0], MISSING)
        return alone and same(actor[1], AGENT) and same(other[0], maker.actor[0]) and other[0] is not MISSING
    if name == "REVIEWER":
        involved = [*maker.people, *(maker.values[path] for path in _REQUESTER)]
        return same(actor[1], HUMAN) and same(other[0], MISSING) and not any(same(actor[0], one) for one in involved)
    if name == "GLASS_BREAKER":
        roles = at(move.body, "actor.roles")
        breaks = same(actor[1], HUMAN) and isinstance(roles, list) and "break-glass" in roles
        asking = maker.people | {maker.actor[0]} if isinstance(maker.actor[0], str) else maker.people
        return breaks and at(move.body, "onBehalfOf") is MISSING and not asking & people(move.body)
    assert name == "APPROVER"
    return _is_approver(move, maker)


def _by(condition: terms.By, move: Move) -> Optional[str]:
    results = [_is_one_of(name, move) for name in condition.who]
    for name, status in condition.only_from.items():
        before = None if move.before is None else same(move.before.get("status"), status)
        results.append(before if _is_one_of(name, move) else False)
    if any(result is not False for result in results):
        return None
    return "not by %s" % " or ".join((*condition.who, *condition.only_from))


def rule_wrong(condition: terms.Condition, move: Move) -> Optional[str]:
    """What an entry breaks of a condition that is known by the entry alone (RULE_BROKEN)."""
    body, state = move.body, move.state
    if isinstance(condition, terms.By):
        return _by(condition, move) if _applies(condition.where, body) else None
    if isinstance(condition, terms.EntryIs):
        return None if same(at(body, condition.path), condition.value) else "%s is not %s" % (condition.path, condition.value)
    if isinstance(condition, terms.EntryIsNot):
        return "%s is %s" % (condition.path, condition.value) if same(at(body, condition.path), condition.value) else None
    if isinstance(condition, terms.StatusWhere):
        if _applies(condition.where, body) and not same(state.get("status"), condition.status):
            return "where %s is %s, the new status is %s" % (*condition.where, condition.status)
    elif isinstance(condition, terms.StateIs):
        if not same(at(state, condition.path), condition.value):
            return "%s of the new state is not %s" % (condition.path, quote(condition.value))
    elif isinstance(condition, (terms.StateHas, terms.StateHasNot)):
        there = isinstance(condition, terms.StateHas)
        if isinstance(condition, terms.StateHasNot) and not _applies(condition.where, body):
            return None
        for path in condition.paths:
            if (at(state, path) is not MISSING) is not there:
                return "the new state has %s%s" % ("no " if there else "", path)
    elif isinstance(condition, terms.StateIsEntry):
        if _applies(condition.where, body) and not same(at(state, condition.state_path), at(body, condition.entry_path)):
            return "%s of the new state is not %s of the entry" % (condition.state_path, condition.entry_path)
    return _value_wrong(condition, move)


def _value_wrong(condition: terms.Condition, move: Move) -> Optional[str]:
    """What is wrong by a condition about members of the new state among each other, or among lists of the entry."""
    state = move.state
    if isinstance(condition, terms.Among):
        listed, value = at(move.body, condition.entry_path), at(state, condition.state_path)
        if not (isinstance(listed, list) and any(same(item, value) for item in listed)):
            return "%s of the new state is not among %s" % (condition.state_path, condition.entry_path)
    elif isinstance(condition, terms.Differ):
        values = [at(state, path) for path in condition.paths]
        if any(same(one, other) for index, one in enumerate(values) for other in values[:index]):
            return "%s of the new state are the same" % " and ".join(condition.paths)
    elif isinstance(condition, terms.Lasts):
        time = microseconds_between(at(state, condition.start), at(state, condition.to))
        if time is None or not 0 < time <= condition.days * 86400 * 10**6:
            return "%s is not after %s, or more than %d days" % (condition.to, condition.start, condition.days)
    return None


def made_wrong(condition: terms.Condition, kind: str, state: Dict[str, Any]) -> Optional[str]:
    """What an entry that makes a thing breaks of "stay as they were" (RULE_BROKEN)."""
    before = KINDS[kind].before_made
    if before is None or not isinstance(condition, terms.Stay):
        return None
    path = first_difference(before, state, condition.paths)
    return path and "%s is not what it is before the thing is made" % path


def history_wrong(condition: terms.Condition, move: Move) -> Optional[str]:
    """What an entry breaks of a condition about what is recorded before it (ILLEGAL_STEP)."""
    if isinstance(condition, terms.By):
        return _by(condition, move) if _applies(condition.where, move.body) else None
    if isinstance(condition, (terms.AsMade, terms.IsMade)):
        return _against_maker(condition, move.body, move.maker) if move.maker is not None else None
    return _against_before(condition, move, move.before) if move.before is not None else None


def _against_maker(condition: terms.Condition, body: Dict[str, Any], maker: Maker) -> Optional[str]:
    pairs: List[Tuple[str, str]] = []
    if isinstance(condition, terms.AsMade):
        pairs = [(path, path) for path in condition.paths]
    elif isinstance(condition, terms.IsMade):
        pairs = [(condition.path, condition.made_path)]
    for path, made_path in pairs:
        if not same(at(body, path), maker.values[made_path]):
            return "%s is not %s of the entry that made the thing" % (path, made_path)
    return None


def _against_before(condition: terms.Condition, move: Move, before: Dict[str, Any]) -> Optional[str]:
    """What is wrong by a condition about the state before."""
    if isinstance(condition, terms.EntryIsBefore):
        if not same(at(move.body, condition.entry_path), at(before, condition.state_path)):
            return "%s is not %s of the state before" % (condition.entry_path, condition.state_path)
    elif isinstance(condition, terms.Stay):
        path = first_difference(before, move.state, condition.paths)
        return path and "%s of the state does not stay as it was" % path
    elif isinstance(condition, terms.OneMore):
        was, now = at(before, condition.path), at(move.state, condition.path)
        if not (is_integer(was) and is_integer(now) and now == was + 1):
            return "%s of the state does not become one more" % condition.path
    elif isinstance(condition, terms.EndsWithin):
        time = microseconds_between(move.recorded_at, at(move.state, condition.path))
        if time is None or time > condition.seconds * 10**6:
            return "%s is more than %d seconds off" % (condition.path, condition.seconds)
    elif isinstance(condition, terms.Since):
        since = at(before, condition.path)
        if isinstance(since, str) and move.recorded_at < since:
            return "recorded before %s" % since
    elif isinstance(condition, terms.BeforeDeadline):
        limit = deadline(move.kind, before)
        if limit is not None and not move.recorded_at < limit:
            return "recorded at or after the deadline %s" % limit
    elif isinstance(condition, terms.AfterDeadline) and _applies(condition.where, move.body):
        limit = deadline(move.kind, before)
        if limit is None or move.recorded_at < limit:
            return "recorded before the deadline %s" % (limit or "that the state before does not have")
    return None


def state_rules(kind: str, state: Dict[str, Any]) -> Iterator[str]:
    """What a state has or lacks by its status (section 4, RULE_BROKEN)."""
    spec, status = KINDS[kind], state.get("status")
    if not isinstance(status, str):
        return
    for path in spec.has.get(status, ()):
        if at(state, path) is MISSING:
            yield "%s has no %s" % (status, path)
    for path in spec.has_not.get(status, ()):
        if at(state, path) is not MISSING:
            yield "%s has %s" % (status, path)
