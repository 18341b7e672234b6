"""Who may approve, and when there are enough approvals (section 3, APPROVER and "Enough approvals")."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Hashable, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from .asked import HUMAN, Approver, asked, counts_for, key_of
from .members import at, same

class Approval(NamedTuple):
    """One entry that approves: its people, the keys of the requirements that it counts for, and whether it has the member that says
    that one of its people may be a person who asked for the thing, or who approved before."""

    people: FrozenSet[str]
    fits: FrozenSet[Hashable]
    unknown: bool = False


def people(body: Dict[str, Any]) -> FrozenSet[str]:
    """The people of an entry: the `id` of `actor` and of `onBehalfOf` where `kind` is HUMAN."""
    persons = ("actor", "onBehalfOf")
    ids = (at(body, person + ".id") for person in persons if same(at(body, person + ".kind"), HUMAN))
    return frozenset(name for name in ids if isinstance(name, str))


_Ways = Dict[Hashable, Optional[Tuple[Hashable, int]]]
# Somebody who has a place of a group and could have one of another: all their groups that are asked, and whether unknown.
_Movable = Tuple[FrozenSet[Hashable], bool]


class Seats:
    """Assigns approvals, one after the other, to places as well as possible (augmenting paths of a bipartite matching).

    Places are those of a group. Who finds no place now finds none later, and nobody else does at the groups that were tried:
    these are closed, so that each is tried in vain once. Everybody who has a place of a closed group can be done without: the
    one who found none would take it.
    """

    def __init__(self, requirements: Any) -> None:
        self._free: Dict[Hashable, int] = {}
        # One requirement of each key.
        self._kinds: Dict[Hashable, Any] = {}
        for requirement in asked(requirements):
            key = key_of(requirement)
            self._kinds[key] = requirement
            self._free[key] = self._free.get(key, 0) + at(requirement, "needed")
        self._left = sum(self._free.values())
        self._movable: Dict[Hashable, List[_Movable]] = {group: [] for group in self._free}
        # Of the places of a group, how many are taken by approvals that are unknown.
        self._unknown: Dict[Hashable, int] = {group: 0 for group in self._free}
        # How many of those cannot be done without: the ones of groups that are not closed.
        self._needed = 0
        self._closed: Set[Hashable] = set()
        self._seen: Set[str] = set()

    def fits(self, one: Approver) -> FrozenSet[Hashable]:
        """The keys of the requirements that an approval counts for."""
        return frozenset(key for key, requirement in self._kinds.items() if counts_for(requirement, one))

    @property
    def enough(self) -> bool:
        """Whether all places are taken, and would be without any one of the approvals that are unknown."""
        return self._left == 0 and self._needed == 0

    def add(self, approval: Approval) -> None:
        """Count the next approval, unless it has no people or one that an earlier one has."""
        if self._counts(approval):
            fitting, came_from, place = self._search(approval)
            if place is None:
                self._close(came_from)
            else:
                self._move(place, came_from, (fitting, approval.unknown))
        self._seen |= approval.people

    def enough_with(self, approval: Approval) -> bool:
        """Whether there are enough once this is the next approval."""
        if self._left > 1 or not self._counts(approval):
            return self.enough
        _, came_from, place = self._search(approval)
        if place is not None:
            return self._left == 1 and self._needed == 0 and not approval.unknown
        return self._left == 0 and self._needed == sum(self._unknown[group] for group in came_from)

    def _counts(self, approval: Approval) -> bool:
        return bool(approval.people) and not approval.people & self._seen

    def _search(self, approval: Approval) -> Tuple[FrozenSet[Hashable], _Ways, Optional[Hashable]]:
        """The keys that an approval fits, how the search came to each group, and where it found a free place."""
        fitting = frozenset(key for key in approval.fits if key in self._free)
        # From whose place of which group, or None where it began.
        came_from: _Ways = {group: None for group in fitting - self._closed}
        waiting = list(came_from)
        for group in waiting:
            if self._free[group] > 0:
                return fitting, came_from, group
            for index, (others, _) in enumerate(self._movable[group]):
                for other in others - self._closed:
                    if other not in came_from:
                        came_from[other] = (group, index)
                        waiting.append(other)
        return fitting, came_from, None

    def _close(self, groups_: Iterable[Hashable]) -> None:
        for group in groups_:
            self._closed.add(group)
            self._needed -= self._unknown[group]

    def _move(self, group: Hashable, came_from: _Ways, last: _Movable) -> None:
        """Move everybody on the way to a free place of the group by one, and put the last one where the way begins."""
        self._free[group] -= 1
        self._left -= 1
        self._needed += last[1]
        step = came_from[group]
        while step is not None:
            before, index = step
            moved = self._movable[before][index]
            end = self._movable[before].pop()
            if index < len(self._movable[before]):
                self._movable[before][index] = end
            self._movable[group].append(moved)
            self._unknown[group] += moved[1]
            self._unknown[before] -= moved[1]
            group, step = before, came_from[before]
        if len(last[0]) > 1:
            self._movable[group].append(last)
        self._unknown[group] += last[1]


def enough(approvals: Sequence[Approval], requirements: Any) -> bool:
    """Whether all places of the requirements are taken, with the approvals assigned as well as possible, and would be
    without any one of those that are unknown."""
    seats = Seats(requirements)
    for approval in approvals:
        seats.add(approval)
    return seats.enough
