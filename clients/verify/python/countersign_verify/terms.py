"""The vocabulary that `tables` is written in: what a condition of section 3 or 4 can say.

Each class is one sentence of the lists of conditions in FORMAT.md. `conditions` and `things` evaluate them. Paths are
dotted, as there. `Where` is a value that a member of the entry has to have for the sentence to apply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Mapping, NamedTuple, Optional, Tuple, Union


class Where(NamedTuple):
    """A member of the entry and the value that it has to have."""

    path: str
    value: str


@dataclass(frozen=True)
class By:
    """`by A or B`; `only_from` are those who may do it only from the status named; `where` as in `where … is …: by A`."""

    who: Tuple[str, ...]
    only_from: Mapping[str, str] = field(default_factory=dict)
    where: Optional[Where] = None


@dataclass(frozen=True)
class EntryIs:
    """`<path>` is `<value>`."""

    path: str
    value: str


@dataclass(frozen=True)
class StatusWhere:
    """where `<path>` is `<value>`, the new status is `<status>`."""

    where: Where
    status: str


@dataclass(frozen=True)
class StateIs:
    """`<path>` of the new state is `<value>`."""

    path: str
    value: Union[int, bool, str]


@dataclass(frozen=True)
class StateHas:
    """the new state has `<paths>`."""

    paths: Tuple[str, ...]


@dataclass(frozen=True)
class StateHasNot:
    """the new state has no `<paths>`."""

    paths: Tuple[str, ...]
    where: Optional[Where] = None


@dataclass(frozen=True)
class StateIsEntry:
    """`<state_path>` of the new state is `<entry_path>` of the entry."""

    state_path: str
    entry_path: str
    where: Optional[Where] = None


@dataclass(frozen=True)
class EntryIsNot:
    """`<path>` is not `<value>`."""

    path: str
    value: str


@dataclass(frozen=True)
class EndsWithin:
    """`<path>` of the new state is at most `<seconds>` seconds after `recordedAt`."""

    path: str
    seconds: int


@dataclass(frozen=True)
class Among:
    """`<state_path>` of the new state is among `<entry_path>` of the entry."""

    state_path: str
    entry_path: str


@dataclass(frozen=True)
class Differ:
    """no two of `<paths>` of the new state are equal."""

    paths: Tuple[str, ...]


@dataclass(frozen=True)
class Lasts:
    """`<to>` of the new state is after `<start>`, and `<days>` days of 24 hours after it at most."""

    start: str
    to: str
    days: int


@dataclass(frozen=True)
class Since:
    """recorded at `<path>` of the state before, or later."""

    path: str


@dataclass(frozen=True)
class EntryIsBefore:
    """`<entry_path>` is `<state_path>` of the state before."""

    entry_path: str
    state_path: str


@dataclass(frozen=True)
class Stay:
    """`<paths>` of the state stay as they were."""

    paths: Tuple[str, ...]


@dataclass(frozen=True)
class OneMore:
    """`<path>` of the state becomes one more."""

    path: str


@dataclass(frozen=True)
class AsMade:
    """`<paths>` are those of the entry that made the thing."""

    paths: Tuple[str, ...]


@dataclass(frozen=True)
class IsMade:
    """`<path>` is `<made_path>` of the entry that made the thing."""

    path: str
    made_path: str


@dataclass(frozen=True)
class BeforeDeadline:
    """recorded before the deadline of the state before, if that has one."""


@dataclass(frozen=True)
class AfterDeadline:
    """the state before has a deadline, and it is recorded at that or later."""

    where: Optional[Where] = None


Condition = Union[
    By, EntryIs, StatusWhere, StateIs, StateHas, StateHasNot, StateIsEntry, EntryIsBefore, Stay, OneMore, AsMade, IsMade,
    BeforeDeadline, AfterDeadline, Among, Differ, Lasts, Since, EntryIsNot,
    EndsWithin,
]  # fmt: skip

# A path of a member, with `?` behind each part that can be missing, and what its value has to be.
Members = Dict[str, str]


@dataclass(frozen=True)
class Type:
    """A type of entry. `moves` are kinds, in order; `rules` are the conditions marked RULE_BROKEN, `history` those marked
    ILLEGAL_STEP; `signed` says whether it can permit something and carries a signature.

    `together` are members of which all stand in the entry or none; `beside` are members that stand only where those do.
    """

    members: Members
    moves: Tuple[str, ...] = ()
    rules: Tuple[Condition, ...] = ()
    history: Tuple[Condition, ...] = ()
    signed: bool = False
    together: Tuple[str, ...] = ()
    beside: Tuple[str, ...] = ()


# A step: the status before (None: the thing is made by it), the status after, the type. ANY stands for every status.
Step = Tuple[Optional[str], str, str]
ANY = "any"


class Approvals(NamedTuple):
    """The status that takes enough approvals, the type that approves, the requirements in the entry that made the thing, the member
    of an approval that may be by somebody who asked for it, and the member that says how it was approved."""

    status: str
    by: str
    requirements: str
    unknown: str
    decision: str


@dataclass(frozen=True)
class Kind:
    """A kind of thing. `named_by` is the member of the entry that has its `id` too, `named_when_made` the same of the
    entry that makes it. `has` and `has_not` are the members that a state of a status has or does not have; `deadline`
    the members of which the first there is, is the deadline; `before_made` what the state is before the thing is made.

    Conditions: `when_made` for an entry that makes it (RULE_BROKEN), and `numbered` the member that counts on from the
    thing in whose place it comes (RULE_BROKEN); `fixed` members never change, `replaced` for an entry that puts another
    in its place, `depended` for one that depends on it (ILLEGAL_STEP). `approvals` says when
    it has been approved (ILLEGAL_STEP)."""

    members: Members
    steps: Tuple[Step, ...]
    named_by: Optional[str] = None
    named_when_made: Optional[str] = None
    has: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    has_not: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    deadline: Tuple[str, ...] = ()
    before_made: Optional[Mapping[str, object]] = None
    when_made: Tuple[Condition, ...] = ()
    numbered: Optional[str] = None
    fixed: Tuple[str, ...] = ()
    replaced: Tuple[Condition, ...] = ()
    depended: Tuple[Condition, ...] = ()
    approvals: Optional[Approvals] = None
