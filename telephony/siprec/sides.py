"""Which SIPREC participant is the agent and which the caller, by a rule the operator states.

The order of labels and of participants means nothing (clients send them in any order), so neither
is ever looked at. What the rule does not settle stays unknown: a side taken for the other one would
hold the citizen's words against the agent.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from calls.call import Channel
from telephony.siprec.metadata import Metadata, Participant
from telephony.siprec.settings import SiprecSettings

UNKNOWN_SIDE = "unknown"
"""What a journal's event says of a hold whose holder cannot be told."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The sides of a session's streams, by SDP label."""

    by_label: dict[str, Channel | None] = field(default_factory=dict)
    """None where the rule does not say, or where one stream carries both sides."""
    caller: str = ""
    """User part of the caller's address; empty where unknown."""
    agents: tuple[str, ...] = ()
    """User parts of the agents' addresses; more than one after a transfer."""

    @property
    def apart(self) -> bool:
        """Whether both sides are known and no stream is left over."""
        known = set(self.by_label.values())
        return known == {Channel.CALLER, Channel.AGENT}


def assign_sides(metadata: Metadata, labels: Iterable[str], rule: SiprecSettings) -> Sides:
    """The side of each label.

    The rule, in this order: (1) an address that matches ``agents`` or ``agent_domains`` is an
    agent, one that matches ``callers`` or ``caller_domains`` the caller, and one that matches both
    is unknown; (2) the one party left over takes the side that nobody has; (3) with
    ``calling_party_is_caller``, and only when (1) found nobody, the client's own word calling or
    called.
    """
    roles = {p.id: _by_address(p, rule) for p in metadata.participants}
    conflicting = {p.id for p in metadata.participants if _conflicts(p, rule)}
    if rule.calling_party_is_caller and not any(roles.values()) and not conflicting:
        roles = {
            p.id: None if p.calling is None else Channel.CALLER if p.calling else Channel.AGENT
            for p in metadata.participants
        }
    _fill_the_last(roles, conflicting)
    return Sides(
        by_label={label: _side_of(metadata.senders(label), roles) for label in labels},
        caller=next((p.user for p in metadata.participants if roles[p.id] is Channel.CALLER), ""),
        agents=tuple(p.user for p in metadata.participants if roles[p.id] is Channel.AGENT),
    )


def _by_address(party: Participant, rule: SiprecSettings) -> Channel | None:
    agent = _matches(party, rule.agents, rule.agent_domains)
    caller = _matches(party, rule.callers, rule.caller_domains)
    if agent == caller:
        return None
    return Channel.AGENT if agent else Channel.CALLER


def _conflicts(party: Participant, rule: SiprecSettings) -> bool:
    return _matches(party, rule.agents, rule.agent_domains) and _matches(
        party, rule.callers, rule.caller_domains
    )


def _matches(party: Participant, patterns: Iterable[str], domains: Iterable[str]) -> bool:
    user, domain = party.user.lower(), party.domain
    if not user and not domain:
        return False
    whole = f"{user}@{domain}"
    return any(
        fnmatchcase(whole if "@" in pattern else user, pattern.lower()) for pattern in patterns
    ) or any(domain == wanted.lower() for wanted in domains if domain)


def _fill_the_last(roles: dict[str, Channel | None], conflicting: set[str]) -> None:
    unknown = [key for key, role in roles.items() if role is None]
    taken = {role for role in roles.values() if role is not None}
    if len(unknown) == 1 and len(taken) == 1 and unknown[0] not in conflicting:
        (side,) = taken
        roles[unknown[0]] = Channel.CALLER if side is Channel.AGENT else Channel.AGENT


def _side_of(senders: tuple[Participant, ...], roles: dict[str, Channel | None]) -> Channel | None:
    sides = {roles[sender.id] for sender in senders}
    return sides.pop() if len(sides) == 1 else None
