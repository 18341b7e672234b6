"""Whose approval a requirement asks, and which approvals count for it (section 3, *asked* and *counts for*)."""

from __future__ import annotations

import json
from typing import Any, Dict, FrozenSet, Hashable, List, NamedTuple, Tuple

from .members import MISSING, at, is_integer, same
from .tables import ASSURANCES

HUMAN, AGENT = "HUMAN", "AGENT"


class Approver(NamedTuple):
    """What an approval counts by. `at` is the instant by which it was judged and `region` where its actor is, or None;
    `behind` says that its actor is the person for whom an agent made the thing."""

    groups: FrozenSet[str]
    roles: FrozenSet[str]
    region: Any
    at: Any
    assurance: str
    noted: bool
    behind: bool


def _names(listed: Any) -> List[str]:
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _assurance(value: Any) -> Any:
    return value if isinstance(value, str) and value in ASSURANCES else None


def is_behind(body: Dict[str, Any], agent: Tuple[Any, Any], person: Tuple[Any, Any]) -> bool:
    """Whether the actor of an entry is the person for whom an agent made a thing: `id` and `kind` of its actor and of whom
    it acted for."""
    if not same(agent[1], AGENT) or not same(person[1], HUMAN) or at(body, "onBehalfOf") is not MISSING:
        return False
    name = at(body, "actor.id")
    mine = same(at(body, "actor.kind"), HUMAN) and isinstance(name, str)
    return mine and same(name, person[0]) and not same(name, agent[0])


def approver_in(body: Dict[str, Any], decision: str, behind: bool) -> Approver:
    """The approver of an entry; `decision` is the path of how it was approved."""
    said = at(body, decision)
    lent = at(said, "delegatedBy")
    own = lent is MISSING
    return Approver(
        # In somebody else's place, as a member of that group and nothing else.
        frozenset(_names(at(body, "actor.groups") if own else [at(lent, "group")])),
        frozenset(_names(at(body, "actor.roles")) if own else []),
        _text(at(said, "region")),
        _text(at(said, "asOf")),
        _assurance(at(said, "assurance")) or "SESSION",
        at(said, "note") is not MISSING,
        behind and own,
    )


def delegator(body: Dict[str, Any], decision: str) -> FrozenSet[str]:
    """The person in whose place the actor of an entry decides, if there is one."""
    name = at(body, decision + ".delegatedBy.id")
    return frozenset((name,)) if isinstance(name, str) else frozenset()


def asked(requirements: Any) -> List[Any]:
    """The requirements that are of the form of section 3."""
    listed = requirements if isinstance(requirements, list) else []
    return [
        requirement
        for requirement in listed
        if isinstance(at(requirement, "group"), str)
        and is_integer(at(requirement, "needed"))
        and at(requirement, "needed") > 0
    ]


def _filters(requirement: Any) -> List[Any]:
    listed = at(requirement, "approver")
    return listed if isinstance(listed, list) else []


def _escalation(requirement: Any) -> Any:
    start, group = at(requirement, "escalation.at"), at(requirement, "escalation.group")
    return (start, group) if isinstance(start, str) and isinstance(group, str) else None


def key_of(requirement: Any) -> Hashable:
    """The same for two requirements that the same approvals count for: the name of a group alone, where nothing else is
    asked."""
    group, role = at(requirement, "group"), at(requirement, "role") is True
    assurance, note = _assurance(at(requirement, "assurance")), at(requirement, "note") is True
    owner, escalation = at(requirement, "ownerConfirms") is True, _escalation(requirement)
    filters = [[_listed(one, "roles"), _listed(one, "regions")] for one in _filters(requirement)]
    if not (assurance or note or owner or escalation or filters):
        return (group,) if role else group
    return (json.dumps([group, role, assurance, note, filters, owner, escalation]), "with more")


def _listed(one: Any, member: str) -> Any:
    names = at(one, member)
    return _names(names) if isinstance(names, list) else None


def is_asked(requirement: Any, one: Approver) -> bool:
    """Whether somebody is among those whose approval is asked."""
    return _is_named(requirement, one) and all(_passes(each, one) for each in _filters(requirement))


def _is_named(requirement: Any, one: Approver) -> bool:
    if one.behind:
        return at(requirement, "ownerConfirms") is True
    names = one.roles if at(requirement, "role") is True else one.groups
    if at(requirement, "group") in names:
        return True
    escalation = _escalation(requirement)
    return escalation is not None and one.at is not None and escalation[0] <= one.at and escalation[1] in one.groups


def _passes(each: Any, one: Approver) -> bool:
    roles, regions = _listed(each, "roles"), _listed(each, "regions")
    if roles is not None and not one.roles & frozenset(roles):
        return False
    return regions is None or one.region in regions


def counts_for(requirement: Any, one: Approver) -> bool:
    """Whether an approval counts for a requirement."""
    least = _assurance(at(requirement, "assurance"))
    if least is not None and ASSURANCES.index(one.assurance) < ASSURANCES.index(least):
        return False
    return (at(requirement, "note") is not True or one.noted) and is_asked(requirement, one)


def may_confirm(requirements: Any, one: Approver, instant: str) -> bool:
    """Whether somebody who asked for a thing may approve it at this instant."""
    starts = (at(each, "requesterAfter") for each in asked(requirements) if is_asked(each, one))
    return any(isinstance(start, str) and start <= instant for start in starts)
