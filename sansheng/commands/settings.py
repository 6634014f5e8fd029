"""``sansheng settings``: print or check the settings file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from sansheng.commands.serve import Config

app = typer.Typer(no_args_is_help=True, help="Print or check the settings file.")


@app.callback()
def _settings() -> None:
    """Write, print or check the settings file."""


@app.command(epilog="Example:  sansheng settings example > sansheng.toml")
def example() -> None:
    """Print a sansheng.toml with every key, its default and what it is for, all commented out."""
    from sansheng.settings import Settings

    for line in _commented(Settings, Settings().model_dump(mode="json", exclude_none=True), ""):
        typer.echo(line)


@app.command(epilog="Example:  sansheng settings check -c /etc/sansheng/sansheng.toml")
def check(config: Config = None) -> None:
    """Read the settings file; an error names the file, the key and the nearest known key."""
    from sansheng.settings import find, load

    path: Path | None = find(config)
    load(path)
    typer.echo(f"{path} is in order" if path else "no settings file: every default applies")


def _commented(model: Any, values: dict[str, Any], prefix: str) -> Iterator[str]:
    """A model as commented TOML: scalars first, then a table for each room."""
    from pydantic import BaseModel

    tables = []
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            tables.append((name, kind))
            continue
        yield f"# {info.description}"
        yield f"#{name} = {_toml(values.get(name))}"
    for name, kind in tables:
        yield ""
        yield f"[{prefix}{name}]"
        yield from _commented(kind, values.get(name, {}), f"{prefix}{name}.")


def _toml(value: Any) -> str:
    """A plain value as TOML; what has no default is shown as an empty string."""
    if value is None:
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    return str(value)
