"""Compares `tables` and `kinds` with the tables of FORMAT.md: members and their forms, what is moved and signed, steps,
conditions sentence by sentence, and the order of verdicts.

    python3 test_tables.py [FORMAT.md]     # or FORMAT=FORMAT.md; src/facts/FORMAT.md if neither is given

Without the file the tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
import unittest
import sys
from typing import Dict, Iterable, List, Tuple

from countersign_verify import report, terms
from countersign_verify.kinds import KINDS
from countersign_verify.tables import ENVELOPE, TYPES
from countersign_verify.terms import ANY, Kind



def format_path() -> str:
    """The path of FORMAT.md; an argument that is a file is taken off the command line."""
    if len(sys.argv) > 1 and os.path.isfile(sys.argv[1]) and sys.argv[1].endswith(".md"):
        return sys.argv.pop(1)
    project = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)
    return os.environ.get("FORMAT", os.path.join(project, "src", "facts", "FORMAT.md"))


_PATH = format_path()
_FORMS = {
    "string": "string", "integer": "integer", "boolean": "boolean", "object": "object", "UUID": "UUID", "JWS": "JWS",
    "instant": "instant", "commitment": "commitment", "list of string": "list", "list of object": "objects",
    "object of integers": "integers", "object of decimals": "decimals",
    "`sha256:` and 64 hex digits": "sha256", "64 hex digits": "hex64", "`true`": "true",
    "integer from 1": "from1", "32 hex digits": "hex32",
}  # fmt: skip


def rows(text: str, header: str) -> List[List[str]]:
    """The rows of the table whose header line begins so."""
    found: List[List[str]] = []
    inside = False
    for line in text.splitlines():
        if line.startswith(header):
            inside = True
        elif inside and not line.startswith("|"):
            break
        elif inside and not line.startswith("| ---"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def members(text: str, header: str = "| member |") -> Dict[str, str]:
    listed: Dict[str, str] = {}
    for name, form, _ in rows(text, header):
        path = name.replace("`", "")
        listed[path] = _FORMS.get(form) or "=" + "|".join(re.findall("`([^`]+)`", form))
    return listed


def sections(text: str) -> Dict[str, str]:
    """What stands under each heading of the fourth level."""
    parts = re.split(r"^#### `([A-Z_]+)`", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def listed(text: str, mark: str) -> List[str]:
    """The conditions with a mark."""
    parts = text.split("Conditions (%s):" % mark)
    lines = parts[1].strip().splitlines() if len(parts) > 1 else []
    found: List[str] = []
    for line in lines:
        if not line.startswith("- "):
            break
        found.append(line[2:])
    return found


def names(paths: Iterable[str]) -> str:
    return ", ".join("`%s`" % path for path in paths)


def sentence(condition: terms.Condition) -> str:
    """A condition as FORMAT.md writes it."""
    c = condition
    where = getattr(c, "where", None)
    start = "where `%s` is `%s`" % tuple(where) if where else ""
    if isinstance(c, terms.By):
        who = list(c.who) + ["where the status before is `%s`, %s" % (status, name) for name, status in c.only_from.items()]
        text = "by " + " or ".join(who).replace("or where", "or, where")
        return start + ": " + text if start else text
    if isinstance(c, terms.StatusWhere):
        return start + ", the new status is `%s`" % c.status
    if isinstance(c, terms.AfterDeadline):
        text = "the state before has a deadline, and it is recorded at that or later"
        return start + ": " + text if start else text
    if isinstance(c, terms.AsMade):
        return "%s %s of the entry that made the thing" % (names(c.paths), "is that" if len(c.paths) == 1 else "are those")
    made: Dict[type, str] = {
        terms.EntryIs: "`{path}` is `{value}`",
        terms.StateIs: "`{path}` of the new state is `{value}`",
        terms.StateHas: "the new state has {names}",
        terms.StateHasNot: "the new state has no {names}",
        terms.StateIsEntry: "`{state_path}` of the new state is `{entry_path}` of the entry",
        terms.EntryIsBefore: "`{entry_path}` is `{state_path}` of the state before",
        terms.Stay: "{names} of the state stay as they were",
        terms.OneMore: "`{path}` of the state becomes one more",
        terms.IsMade: "`{path}` is `{made_path}` of the entry that made the thing",
        terms.EntryIsNot: "`{path}` is not `{value}`",
        terms.EndsWithin: "`{path}` of the new state is at most {seconds} seconds after `recordedAt`",
        terms.Among: "`{state_path}` of the new state is among `{entry_path}` of the entry",
        terms.Differ: "no two of {names} of the new state are equal",
        terms.Lasts: "`{to}` of the new state is after `{start}`, and {days} days of 24 hours after it at most",
        terms.Since: "recorded at `{path}` of the state before, or later",
        terms.BeforeDeadline: "recorded before the deadline of the state before, if that has one",
    }
    values = dict(vars(c), names=names(getattr(c, "paths", ())))
    if isinstance(c, terms.StateIs) and isinstance(c.value, bool):
        values["value"] = str(c.value).lower()
    text = made[type(c)].format(**values)
    return start + ": " + text if start else text


def rules_of(spec: Kind) -> List[str]:
    """The conditions of a kind marked RULE_BROKEN."""
    found = ["`%s` has %s" % (status, names(paths)) for status, paths in spec.has.items()]
    together: Dict[Tuple[str, ...], List[str]] = {}
    for status, paths in spec.has_not.items():
        together.setdefault(paths, []).append(status)
    for paths, statuses in together.items():
        found.append("%s %s no %s" % (names(statuses), "has" if len(statuses) == 1 else "have", names(paths)))
    found.extend("where the entry makes it: " + sentence(c) for c in spec.when_made)
    if spec.numbered:
        text = "where the entry makes it: `%s` is that of the one in whose place it comes plus 1, and 1 where there is none"
        found.append(text % spec.numbered)
    return found


def history_of(spec: Kind) -> List[str]:
    """The conditions of a kind marked ILLEGAL_STEP."""
    found = ["%s never change%s" % (names(spec.fixed), "s" if len(spec.fixed) == 1 else "")] if spec.fixed else []
    found.extend("an entry that puts another in its place: " + sentence(c) for c in spec.replaced)
    found.extend("an entry that depends on it: " + sentence(c) for c in spec.depended)
    if spec.approvals:
        status, name, path, unknown, decision = spec.approvals
        found.append(
            "an `%s` brings it to `%s` where there are enough approvals with it, and otherwise leaves its status; they are "
            "counted over all `%s` about it, by `%s` of the entry that made it" % (name, status, name, path)
        )
        found.append("no `%s` has people that another about it has" % name)
        found.append(
            "where `%s` of an `%s` has `delegatedBy`, `id` of that is one of its people, and its actor is asked as a member of `group` of that alone"
            % (decision, name)
        )
        found.append(
            "where an `%s` has `%s`, there are enough approvals only if there are without any one of those that have it"
            % (name, unknown)
        )
        found.append("how it was approved, or denied, is in `%s`" % decision)
    return found


@unittest.skipUnless(os.path.exists(_PATH), "FORMAT.md is not there")
def made_of(before: Dict[str, object]) -> List[str]:
    """What FORMAT.md says that a thing has before it is made."""
    return [", ".join("`%s` `%s`" % (name, json.dumps(value)) for name, value in before.items())]


class Tables(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        with open(_PATH, encoding="utf-8") as file:
            cls.text = file.read()
        cls.parts = {name: part.split("<!-- end")[0] for name, part in sections(cls.text).items()}

    def generated(self, name: str) -> str:
        return self.text.split("<!-- generated: %s -->" % name)[1].split("<!-- end")[0]

    def test_envelope(self) -> None:
        listed = members(self.generated("envelope"))
        self.assertEqual(listed, ENVELOPE)

    def test_types(self) -> None:
        listed = rows(self.generated("types"), "| type |")
        self.assertEqual([row[0].strip("`") for row in listed], list(TYPES))
        for name, _, moves, permits in listed:
            spec = TYPES[name.strip("`")]
            self.assertEqual(tuple(move for move in moves.split(", ") if move), spec.moves)
            self.assertEqual(permits, "yes" if spec.signed else "", name)

    def test_members(self) -> None:
        for name, spec in TYPES.items():
            states = {"states": "objects"} if spec.moves else {}
            self.assertEqual(members(self.parts[name]), {**spec.members, **states}, name)

    def test_conditions_of_types(self) -> None:
        for name, spec in TYPES.items():
            for mark, conditions in (("RULE_BROKEN", spec.rules), ("ILLEGAL_STEP", spec.history)):
                self.assertEqual(listed(self.parts[name], mark), [sentence(c) for c in conditions], (name, mark))
            together = re.findall("^All of (.*), or none of them; `(.*)` only beside", self.parts[name], re.MULTILINE)
            expected = [(", ".join("`%s`" % path for path in spec.together), *spec.beside)] if spec.together else []
            self.assertEqual(together, expected)

    def test_conditions_of_kinds(self) -> None:
        for name, spec in KINDS.items():
            self.assertEqual(sorted(listed(self.parts[name], "RULE_BROKEN")), sorted(rules_of(spec)), name)
            self.assertEqual(sorted(listed(self.parts[name], "ILLEGAL_STEP")), sorted(history_of(spec)), name)
            line = re.findall("^Its deadline is (.*)$", self.parts[name], re.MULTILINE)
            self.assertEqual([path for text in line for path in re.findall("`([^`]+)`", text)], list(spec.deadline), name)
            before = re.findall("^Before it is made it has (.*) and no other member", self.parts[name], re.MULTILINE)
            self.assertEqual(before, made_of(spec.before_made) if spec.before_made else [], name)

    def test_order(self) -> None:
        order = re.findall(r"^[0-9]+\. ([A-Z_]+)$", self.generated("order"), re.MULTILINE)
        self.assertEqual(order, list(report.ORDER))
        verdicts = {row[1] for row in rows(self.generated("checks"), "| what is so")}
        self.assertEqual(verdicts, set(report.ORDER))

    def test_kinds(self) -> None:
        for name, spec in KINDS.items():
            self.assertEqual(members(self.parts[name], "| member of `state`"), spec.members, name)
            steps = tuple(
                (None if before == "(made)" else before.strip("`"), after.strip("`"), by.strip("`"))
                for before, after, by in rows(self.parts[name], "| from |")
            )
            self.assertEqual(steps, spec.steps, name)
            self.assertEqual(ANY, "any")
        known = set(TYPES) | set(KINDS)
        self.assertEqual(set(self.parts), known)


if __name__ == "__main__":
    unittest.main()
