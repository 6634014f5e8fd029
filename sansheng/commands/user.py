"""``sansheng user``: the people who may open the portal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from portal.access import Role
from portal.accounts import Accounts
from sansheng.commands.serve import Config

app = typer.Typer(no_args_is_help=True, help="The people who may open the portal.")
UserId = Annotated[str, typer.Argument(help="Letters, digits and _.")]


@app.callback()
def _user() -> None:
    """Add and list users, set passwords, close accounts.

    The running service owns the warehouse: stop it first, or use the portal's user page.
    """


@contextmanager
def _accounts(config: Config) -> Iterator[Accounts]:
    from sansheng.settings import load
    from warehouse.store import Warehouse

    settings = load(config)
    warehouse = Warehouse.open(settings.database, settings.warehouse)
    try:
        yield Accounts(warehouse, settings.portal)
    finally:
        warehouse.close()


def _password() -> str:
    """A new password: asked twice at a terminal, one line of stdin otherwise."""
    if sys.stdin.isatty():
        word: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return word
    return sys.stdin.readline().rstrip("\n")


@app.command(
    epilog="Examples:  sansheng user add chen --role qa --name 陈静    |"
    "    echo 'Long-Secret-1' | sansheng user add wang --role agent --agent 1001 --team 一班"
)
def add(
    user_id: UserId,
    role: Annotated[list[Role], typer.Option(help="May be given more than once.")],
    name: Annotated[str, typer.Option(help="As the pages show it.")] = "",
    team: Annotated[str, typer.Option(help="Whose calls QA and supervisors see; else all.")] = "",
    agent: Annotated[str, typer.Option(help="The extension whose calls are theirs.")] = "",
    config: Config = None,
) -> None:
    """Add a user; the password is asked for (or read from stdin) and changed at first sign-in."""
    with _accounts(config) as accounts:
        accounts.add(
            user_id,
            name,
            frozenset(role),
            password=_password(),
            team=team or None,
            agent=agent or None,
        )
    typer.echo(f"{user_id} may sign in", err=True)


@app.command(epilog="Example:  sansheng user passwd admin")
def passwd(user_id: UserId, config: Config = None) -> None:
    """Set a user's password and unlock the account; it must be changed at the next sign-in."""
    with _accounts(config) as accounts:
        accounts.get(user_id)
        accounts.reset_password(user_id, _password(), by="cli")
    typer.echo(f"{user_id} has a new password", err=True)


@app.command("drop-second", epilog="Example:  sansheng user drop-second admin")
def drop_second(user_id: UserId, config: Config = None) -> None:
    """Take away the second factor of somebody whose telephone and recovery codes are lost."""
    with _accounts(config) as accounts:
        accounts.drop_second_factor(user_id, by="cli")
    typer.echo(f"{user_id} signs in without a code", err=True)


@app.command("list", epilog="Example:  sansheng user list")
def list_users(config: Config = None) -> None:
    """List every user with roles, team, extension and state."""
    with _accounts(config) as accounts:
        found, now = accounts.all(), accounts.clock()
    table = Table("user", "name", "roles", "team", "agent", "state", box=None)
    for account in found:
        state = (
            "closed"
            if account.disabled
            else "locked"
            if account.locked(now)
            else "must change password"
            if account.must_change
            else "open"
        )
        roles = ", ".join(sorted(account.roles))
        table.add_row(account.user_id, account.name, roles, account.team, account.agent, state)
    Console().print(table)


@app.command(
    epilog="Example:  sansheng user disable wang    |    sansheng user disable wang --undo"
)
def disable(
    user_id: UserId,
    undo: Annotated[bool, typer.Option("--undo", help="Open the account again.")] = False,
    config: Config = None,
) -> None:
    """Close an account; nothing that it did is lost. The last administrator cannot be closed."""
    with _accounts(config) as accounts:
        accounts.set_disabled(user_id, not undo, by="cli")
    typer.echo(f"{user_id} is {'open' if undo else 'closed'}", err=True)
