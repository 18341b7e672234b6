"""Who may approve, and when there are enough approvals (section 3, APPROVER and "Enough approvals")."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Set, Tuple

from .members import at, is_integer, same

HUMAN = "HUMAN"


class Approval(NamedTuple):
    """One entry that approves: its people and the groups of its actor."""

    people: FrozenSet[str]
    groups: FrozenSet[str]


def people(body: Dict[str, Any]) -> FrozenSet[str]:
    """The people of an entry: the `id` of `actor` and of `onBehalfOf` where `kind` is HUMAN."""
    persons = ("actor", "onBehalfOf")
    ids = (at(body, person + ".id") for person in persons if same(at(body, person + ".kind"), HUMAN))
    return frozenset(name for name in ids if isinstance(name, str))


def groups(body: Dict[str, Any]) -> FrozenSet[str]:
    """The groups of the actor of an entry."""
    listed = at(body, "actor.groups")
    return frozenset(group for group in listed if isinstance(group, str)) if isinstance(listed, list) else frozenset()


def places(requirements: Any) -> List[Tuple[str, int]]:
    """The group and the number of places of each requirement, of those that are of the form of section 3."""
    listed = requirements if isinstance(requirements, list) else []
    pairs = ((at(requirement, "group"), at(requirement, "needed")) for requirement in listed)
    return [(group, needed) for group, needed in pairs if isinstance(group, str) and is_integer(needed) and needed > 0]


_Ways = Dict[str, Optional[Tuple[str, int]]]
_Found = Tuple[str, _Ways, FrozenSet[str]]


class Seats:
    """Assigns approvals, one after the other, to places as well as possible (augmenting paths of a bipartite matching).

    Places are those of a group. Who finds no place now finds none later, and nobody else does at the groups that were tried:
    these are closed, so that each is tried in vain once.
    """

    def __init__(self, requirements: Any) -> None:
        self._free: Dict[str, int] = {}
        for group, needed in places(requirements):
            self._free[group] = self._free.get(group, 0) + needed
        self._left = sum(self._free.values())
        # Of those who have a place of a group, who could have one of another: each with all its groups that are asked.
        self._movable: Dict[str, List[FrozenSet[str]]] = {group: [] for group in self._free}
        self._closed: Set[str] = set()
        self._seen: Set[str] = set()

    @property
    def full(self) -> bool:
        """Whether all places are taken."""
        return self._left == 0

    def add(self, approval: Approval) -> None:
        """Count the next approval, unless it has no people or one that an earlier one has."""
        found = self._place_for(approval)
        self._seen |= approval.people
        if found is not None:
            self._move(*found)

    def full_with(self, approval: Approval) -> bool:
        """Whether all places are taken once this is the next approval."""
        return self.full or (self._left == 1 and self._place_for(approval) is not None)

    def _place_for(self, approval: Approval) -> Optional[_Found]:
        if not approval.people or approval.people & self._seen:
            return None
        asked = frozenset(group for group in approval.groups if group in self._free)
        # How the search came to a group: from whose place of which group, or None where it began.
        came_from: _Ways = {group: None for group in asked - self._closed}
        waiting = list(came_from)
        for group in waiting:
            if self._free[group] > 0:
                return group, came_from, asked
            for index, others in enumerate(self._movable[group]):
                for other in others - self._closed:
                    if other not in came_from:
                        came_from[other] = (group, index)
                        waiting.append(other)
        self._closed.update(came_from)
        return None

    def _move(self, group: str, came_from: _Ways, asked: FrozenSet[str]) -> None:
        self._free[group] -= 1
        self._left -= 1
        step = came_from[group]
        while step is not None:
            before, index = step
            self._movable[group].append(self._movable[before][index])
            last = self._movable[before].pop()
            if index < len(self._movable[before]):
                self._movable[before][index] = last
            group, step = before, came_from[before]
        if len(asked) > 1:
            self._movable[group].append(asked)


def enough(approvals: Sequence[Approval], requirements: Any) -> bool:
    """Whether all places of the requirements are taken, with the approvals assigned as well as possible."""
    seats = Seats(requirements)
    for approval in approvals:
        seats.add(approval)
    return seats.full
