"""The pages' questions to the warehouse, an SQL file each in ``portal/queries``."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> str:
    """The SQL of ``portal/queries/NAME.sql``."""
    return files("portal").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")
