"""The one settings file, ``sansheng.toml``: every room's part of it, with defaults for all."""

import os
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, Field

from asr.settings import AsrSettings
from importer.settings import ImporterSettings
from phrasebook.settings import PhrasebookSettings
from portal.settings import PortalSettings
from sansheng.toml import load_model
from scoring.settings import ScoringSettings
from telephony.settings import TapSettings
from warehouse.settings import WarehouseSettings

FILE_NAME = "sansheng.toml"
CONFIG_VARIABLE = "SANSHENG_CONFIG"


class Settings(BaseModel):
    """All settings; every one has a default, and a site writes only what differs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("sansheng", appauthor=False)),
        description="Where the spool, the recordings and the warehouse lie (one file system).",
    )
    workers: int = Field(default=1, ge=1, le=64, description="Processes that transcribe at once.")
    telephony: TapSettings = Field(default_factory=TapSettings, description="The tap.")
    asr: AsrSettings = Field(default_factory=AsrSettings, description="The ears.")
    phrasebook: PhrasebookSettings = Field(
        default_factory=PhrasebookSettings, description="The phrases."
    )
    scoring: ScoringSettings = Field(default_factory=ScoringSettings, description="The rules.")
    warehouse: WarehouseSettings = Field(
        default_factory=WarehouseSettings, description="The record."
    )
    portal: PortalSettings = Field(default_factory=PortalSettings, description="The web pages.")
    importer: ImporterSettings = Field(default_factory=ImporterSettings, description="Past calls.")

    @property
    def spool_dir(self) -> Path:
        """The hand-over folders."""
        return self.data_dir / "spool"

    @property
    def archive_dir(self) -> Path:
        """The recordings of calls that are in the warehouse."""
        return self.data_dir / "recordings"

    @property
    def database(self) -> Path:
        """The warehouse file."""
        return self.data_dir / "sansheng.duckdb"

    @property
    def socket(self) -> Path:
        """Where the running service answers queries."""
        return self.data_dir / "query.sock"

    @property
    def published_dir(self) -> Path:
        """The phrasebook and the rules that were published in the portal."""
        return self.data_dir / "published"

    @property
    def first_login(self) -> Path:
        """The first administrator's name and password, until somebody removes the file."""
        return self.data_dir / "first-login.txt"


def find(path: Path | None = None) -> Path | None:
    """The settings file: the one named, else ``$SANSHENG_CONFIG``, else ``./sansheng.toml``."""
    if path is not None:
        return path
    if named := os.environ.get(CONFIG_VARIABLE):
        return Path(named)
    here = Path(FILE_NAME)
    return here if here.is_file() else None


def load(path: Path | None = None) -> Settings:
    """Read the settings file that ``find`` finds; without one, every default.

    What was published in the portal is in use. Errors: SettingsError naming the file, the key and
    the nearest known key.
    """
    found = find(path)
    return in_use(Settings() if found is None else load_model(found, Settings))


def in_use(settings: Settings) -> Settings:
    """The settings with the phrasebook and the rules that were last published in the portal.

    A published one counts before ``phrasebook.path`` and ``scoring.path``. Its path names one
    edition, whose files never change: who loads it while another is published reads one whole.
    """
    phrases = settings.published_dir / "phrasebook"
    rules = settings.published_dir / "rules"
    rooms: dict[str, BaseModel] = {}
    if phrases.is_dir():
        path = phrases.resolve()
        rooms["phrasebook"] = settings.phrasebook.model_copy(update={"path": path})
    if rules.is_dir():
        path = rules.resolve() / "rules.toml"
        rooms["scoring"] = settings.scoring.model_copy(update={"path": path})
    return settings.model_copy(update=rooms)
