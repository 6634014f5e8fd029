"""Which PJSIP build is taken, and what a missing or broken one says."""

import importlib.util
import sys
from pathlib import Path

import pytest

from calls.errors import TapError
from telephony import build

FACTS = (
    '{"version": "2.17", "max_calls": 1024, "max_message_bytes": 16000,'
    ' "siprec": true, "openssl": "OpenSSL 3.0.16", "recipe": "x"}'
)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "sansheng_pjsip_of_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "_pjsua2.so").touch()
    (package / "build.json").write_text(FACTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(build, "OWN_PACKAGE", package.name)
    return package


def test_our_own_build_goes_before_the_wheel(own: Path) -> None:
    found = build.find_build("")
    assert (found.name, found.version, found.max_calls) == ("own", "2.17", 1024)
    assert found.library == own / "_pjsua2.so"
    assert found.tls == "OpenSSL 3.0.16"


@pytest.mark.parametrize("wreck", ["{", "[]", '{"version": "2.17"}'])
def test_a_broken_own_build_says_so(own: Path, wreck: str) -> None:
    (own / "build.json").write_text(wreck)
    with pytest.raises(TapError, match="make pjsip"):
        build.find_build("own")


def test_an_own_build_without_its_library_says_so(own: Path) -> None:
    (own / "_pjsua2.so").unlink()
    with pytest.raises(TapError, match="is broken"):
        build.find_build("")


def test_insisting_on_a_build_that_is_not_there_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "OWN_PACKAGE", "no_such_package_here")
    with pytest.raises(TapError, match="run `make pjsip`"):
        build.find_build("own")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TapError, match="install the telephony extra"):
        build.find_build("")


def test_an_unknown_choice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANSHENG_PJSIP", "fastest")
    with pytest.raises(TapError, match="own or wheel"):
        build.find_build()
