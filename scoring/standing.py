"""What a changed rules file leaves standing of a scorecard that the file in use has made.

A verdict whose rule reads nothing that changed would come out the same, so it is not made again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from calls.scorecard import Versions
from scoring.rules import RuleBook
from scoring.sections import RuleFile

DEPARTMENTS = "departments"
"""The directory beside the rules file, named as if it were one of its sections."""

_ALL = frozenset({"line", "notes"})
_HEARD = _ALL | {"doubt", "dialogue", "mandarin"}
"""What decides how a call is heard, whatever the rule."""

READS: Mapping[str, frozenset[str]] = {
    "three_rings": _ALL | {"three_rings"},
    "greeting": _HEARD | {"greeting"},
    "mandarin": _HEARD,
    "please_first": _HEARD | {"please_first"},
    "answers_questions": _HEARD | {"answers_questions"},
    "farewell": _HEARD | {"farewell", "greeting", "hangup_consent"},
    "hold_consent": _HEARD | {"hold_consent"},
    "hangup_consent": _HEARD | {"hangup_consent"},
    "forbidden_phrase": _HEARD | {"forbidden_phrase", "shirking", "hangup_consent", DEPARTMENTS},
    "interruption": _HEARD | {"interruption"},
    "shirking": _HEARD | {"shirking", DEPARTMENTS},
    "flat_refusal": _HEARD | {"flat_refusal", DEPARTMENTS},
}
"""The sections of the rules file that each rule reads, its own and those that it shares."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The rules in use beside those to be tried."""

    version: str
    """Of the rules in use: only the scorecards that they made can stand."""
    code: str
    """Of the code that judges now: only what it made can stand."""
    changed: frozenset[str]
    """The sections in which the two differ."""

    def holds(self, made_by: Versions) -> bool:
        """Whether a scorecard was made by the rules in use and by the code of now."""
        return (made_by.rules, made_by.code) == (self.version, self.code)


def compare(in_use: RuleBook, tried: RuleBook, code: str) -> Standing:
    """In which sections two rules files differ; the directory of departments is one.

    ``code``: the version of the code that judges, as scorecards note it.
    """
    changed = {
        name
        for name in RuleFile.model_fields
        if getattr(in_use.file, name) != getattr(tried.file, name)
    }
    if in_use.directory.departments != tried.directory.departments:
        changed.add(DEPARTMENTS)
    return Standing(in_use.version, code, frozenset(changed - {"version"}))


def stands(rule: str, changed: frozenset[str]) -> bool:
    """Whether a rule's verdict cannot differ for these sections."""
    return rule in READS and READS[rule].isdisjoint(changed)
