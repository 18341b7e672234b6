"""Who may approve, and when there are enough approvals (section 3, APPROVER and "Enough approvals")."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, NamedTuple, Sequence, Tuple

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


def enough(approvals: Sequence[Approval], requirements: Any) -> bool:
    """Whether all places of the requirements are taken, with the approvals assigned as well as possible."""
    counted: List[Approval] = []
    seen: set = set()
    for approval in approvals:
        if not seen & approval.people:
            counted.append(approval)
        seen |= approval.people
    wanted = places(requirements)
    # More places than approvals cannot be taken. This also bounds the work if `needed` is absurd.
    if sum(needed for _, needed in wanted) > len(counted):
        return False
    return _all_taken([group for group, needed in wanted for _ in range(needed)], counted)


def _all_taken(wanted: List[str], approvals: List[Approval]) -> bool:
    """Bipartite matching of places, each of a group, and approvals: can each place have one of its own?"""
    place_of: Dict[int, int] = {}
    for start in range(len(wanted)):
        # Breadth first: from the free place over approvals that are taken to one that is not (an augmenting path).
        came_from: Dict[int, int] = {}
        waiting = [start]
        free = None
        while waiting and free is None:
            place = waiting.pop(0)
            for index, approval in enumerate(approvals):
                if index in came_from or wanted[place] not in approval.groups:
                    continue
                came_from[index] = place
                if index not in place_of:
                    free = index
                    break
                waiting.append(place_of[index])
        if free is None:
            return False
        # Each place on the way gives up the approval it has for the one it was reached by.
        taken = {place: index for index, place in place_of.items()}
        while True:
            place = came_from[free]
            given_up = taken.get(place)
            place_of[free] = place
            if place == start or given_up is None:
                break
            free = given_up
    return True
