"""``sansheng bench NAME``: speed, memory and quality figures, beside a peer on the same work."""

from collections.abc import Mapping
from typing import ClassVar

import typer

from sansheng.cli import LazyGroup


class BenchGroup(LazyGroup):
    """The benches, imported when called for."""

    modules: ClassVar[Mapping[str, str]] = {
        "asr": "sansheng.bench.asr",
        "scorecard": "sansheng.bench.scorecard",
        "phrases": "sansheng.bench.phrases",
        "tap": "sansheng.bench.tap",
        "warehouse": "sansheng.bench.warehouse",
        "portal": "sansheng.bench.portal",
        "import": "sansheng.bench.import_",
    }


app = typer.Typer(cls=BenchGroup, no_args_is_help=True)


@app.callback()
def _bench() -> None:
    """Speed, memory and quality figures, beside a peer on the same work in the same run.

    Each bench prints one JSON object as its last line; null where the peer is not installed.
    """
