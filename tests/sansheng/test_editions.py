"""What is published in the portal is what commands and workers use from then on."""

from pathlib import Path
from typing import cast

from asr.engine import Engine
from phrasebook import book
from portal.ports import BookKind
from sansheng.editions import Editions
from sansheng.pipeline import Pipeline
from sansheng.settings import Settings, in_use, load
from scoring import rules


def test_a_publication_reaches_the_settings_and_a_running_pipeline(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    config = tmp_path / "sansheng.toml"
    config.write_text(f'data_dir = "{settings.data_dir}"\n', encoding="utf-8")
    before = Pipeline(engine=cast(Engine, None), book=book.load(), rules=rules.load())
    assert in_use(settings) == settings
    editor = Editions(settings)
    for kind, name in ((BookKind.PHRASES, "book.toml"), (BookKind.RULES, "rules.toml")):
        files = dict(editor.files(kind))
        files[name] = files[name].replace('version = "2026', 'version = "2031', 1)
        editor.publish(kind, files)
    now = load(config)
    assert now == in_use(settings) != settings
    after = before.with_books(now)
    assert after.book.version.startswith("2031")
    assert after.rules.version.startswith("2031")
