"""Who may do what: roles, whose calls a person sees, and a rule for every route.

A route is only made through ``Gate``, which wants its rule; a route that got in another way stops
the app from starting, so that a page without a rule cannot be forgotten.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fastapi import Depends, FastAPI, Request
from starlette.routing import Mount, Route


class Role(StrEnum):
    """What a person is in the hotline; a person may be several."""

    AGENT = "agent"
    QA = "qa"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


EVERYONE = frozenset(Role)
LISTENERS = frozenset({Role.AGENT, Role.QA, Role.SUPERVISOR})
"""Those who may open calls (each within their own reach); an administrator as such may not."""
STAFF = frozenset({Role.QA, Role.SUPERVISOR})
REVIEWERS = frozenset({Role.QA})
SUPERVISORS = frozenset({Role.SUPERVISOR})
ADMINS = frozenset({Role.ADMIN})
AGENTS = frozenset({Role.AGENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The calls that a person sees: one agent's, one team's, all (both None), or none at all."""

    agent: str | None = None
    team: str | None = None
    nothing: bool = False

    def covers(self, agent: str, team: str | None) -> bool:
        """Whether a call of this agent and team is within reach."""
        if self.nothing:
            return False
        if self.agent is not None:
            return agent == self.agent
        return self.team is None or team == self.team


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A signed-in user, or the owner of an API token."""

    user_id: str
    name: str
    roles: frozenset[Role]
    team: str | None = None
    """QA and supervisors of one team see that team's calls; None: every team's."""
    agent: str | None = None
    """The ``Call.agent`` whose calls are this person's own."""
    must_change: bool = False
    """The password has expired or was set by somebody else: only the password page opens."""
    second: str = ""
    """What the second factor still wants: ``code``, ``enrol`` (the role asks for one), nothing."""

    def has(self, roles: Iterable[Role]) -> bool:
        """Whether the person has any of these roles."""
        return not self.roles.isdisjoint(roles)

    @property
    def reach(self) -> Reach:
        """The widest reach that the roles give."""
        if self.has(STAFF):
            return Reach(team=self.team)
        if Role.AGENT in self.roles and self.agent:
            return Reach(agent=self.agent)
        return Reach(nothing=True)


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may use one route."""

    method: str
    path: str
    roles: frozenset[Role] | None
    """None: open to the world (the sign-in page, static files)."""
    scope: str | None = None
    """The scope that an API token needs; None: pages, which take sessions only."""


@dataclass
class Gate:
    """Adds routes to the app, each with its rule."""

    app: FastAPI
    check: Callable[[Request, Rule], Any]
    """Raises when the request's person may not use a route with this rule."""
    rules: list[Rule] = field(default_factory=list)

    def add(
        self,
        method: str,
        path: str,
        endpoint: Callable[..., Any],
        roles: frozenset[Role] | None,
        *,
        scope: str | None = None,
        **options: Any,
    ) -> None:
        """Add one route; ``options`` go to FastAPI's ``add_api_route``."""
        rule = Rule(method, path, roles, scope)
        self.rules.append(rule)

        async def checked(request: Request) -> None:
            await self.check(request, rule)

        options.setdefault("include_in_schema", scope is not None)
        if scope is None:
            options.setdefault("response_model", None)
        self.app.add_api_route(
            path, endpoint, methods=[method], dependencies=[Depends(checked)], **options
        )

    def require_rules(self) -> None:
        """Stop the start when a route of the app has no rule."""
        known = {(rule.method, rule.path) for rule in self.rules}
        for route in self.app.routes:
            if isinstance(route, Mount) and route.name == "static":
                continue
            methods = sorted(route.methods or ()) if isinstance(route, Route) else ["?"]
            path = route.path if isinstance(route, Route) else repr(route)
            for method in methods:
                if (method, path) not in known and method != "HEAD":
                    raise RuntimeError(f"route without an access rule: {method} {path}")
