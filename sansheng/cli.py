"""The command line: ``sansheng COMMAND``; a command's module is imported when it is called for."""

import importlib
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command as build_command

from calls.errors import SanshengError
from sansheng.exits import Exit

COMMANDS: Mapping[str, str] = {
    "demo": "sansheng.commands.demo",
    "analyze": "sansheng.commands.analyze",
    "import": "sansheng.commands.import_",
    "serve": "sansheng.commands.serve",
    "probe": "sansheng.commands.probe",
    "doctor": "sansheng.commands.doctor",
    "call": "sansheng.commands.call",
    "query": "sansheng.commands.query",
    "report": "sansheng.commands.report",
    "backtest": "sansheng.commands.backtest",
    "export": "sansheng.commands.export",
    "backup": "sansheng.commands.backup",
    "retention": "sansheng.commands.retention",
    "erase": "sansheng.commands.erase",
    "phrases": "sansheng.commands.phrases",
    "user": "sansheng.commands.user",
    "voices": "sansheng.commands.voices",
    "settings": "sansheng.commands.settings",
    "bench": "sansheng.commands.bench",
}
"""Command to module, in the order in which ``--help`` shows them."""


class LazyGroup(TyperGroup):
    """A command group whose members are imported when needed, so that ``--help`` starts at once."""

    modules: ClassVar[Mapping[str, str]] = COMMANDS

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands' names, in the order of the table."""
        del ctx
        return list(self.modules)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the command's module and build the command from its ``app``."""
        del ctx
        module = self.modules.get(cmd_name)
        if module is None:
            return None
        command = build_command(importlib.import_module(module).app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=LazyGroup,
    name="sansheng",
    help="三声: quality assurance for a government service hotline.",
    epilog="Start here: sansheng demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    """三声: quality assurance for a government service hotline."""


def main() -> None:
    """Run the command line; an expected error is one line on stderr, never a traceback."""
    try:
        app()
    except SanshengError as error:
        typer.echo(f"sansheng: {error}", err=True)
        sys.exit(Exit.BAD_INPUT)
    except KeyboardInterrupt:
        typer.echo("sansheng: interrupted", err=True)
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(Exit.OK)


if __name__ == "__main__":
    main()
