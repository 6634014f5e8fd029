"""Settings files: every mistake names the file, the key and the way out."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from calls.errors import SettingsError
from sansheng.toml import load_model


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    port: int = Field(default=5060, ge=1, le=65535)
    host: str = "127.0.0.1"


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    workers: int = 1
    telephony: Inner = Inner()
    routes: list[Inner] = []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("wrokers = 2", "unknown key wrokers: did you mean workers?"),
        ("[telephony]\nprot = 1", "unknown key telephony.prot: did you mean telephony.port?"),
        ("[[routes]]\nhots = 'x'", "unknown key routes.0.hots: did you mean routes.0.host?"),
        ("zzzz = 1", "known keys: routes, telephony, workers"),
        ("[telephony]\nport = 'x'", "telephony.port"),
        ("[telephony]\nport = 0", "telephony.port"),
        ("workers = = 2\n", "line 1"),
    ],
)
def test_a_mistake_names_file_key_and_way_out(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "sansheng.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_model(path, Outer)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


def test_values_are_read_over_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "sansheng.toml"
    path.write_text("[telephony]\nport = 5070\n")
    assert load_model(path, Outer) == Outer(telephony=Inner(port=5070))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_model(tmp_path / "none.toml", Outer)
