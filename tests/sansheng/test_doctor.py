"""``sansheng doctor``: what is not well is named, with the way to mend it."""

import socket
from pathlib import Path

import pytest

from calls.errors import TapError
from sansheng.checks import (
    CHECKS,
    Health,
    check_disk,
    check_ports,
    check_python,
    check_tap,
    examine,
)
from sansheng.exits import Exit
from sansheng.settings import Settings
from tests.sansheng.conftest import Run


@pytest.mark.parametrize(("kind", "key"), [("UDP", "telephony"), ("TCP", "portal")])
def test_a_taken_port_is_named(tmp_path: Path, kind: str, key: str) -> None:
    family = socket.SOCK_DGRAM if kind == "UDP" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, family) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == "TCP":
            taken.listen()
        port = taken.getsockname()[1]
        settings = Settings.model_validate({"data_dir": tmp_path, key: {"port": port}})
        finding = check_ports(settings)
    assert finding.health is Health.FAIL
    assert f"{kind} {port}" in finding.found
    assert "ss -lpn" in finding.mend


def test_an_address_of_another_machine_is_told(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "telephony": {"host": "192.0.2.1"}})
    [finding] = [f for f in examine(settings) if f.name == "ports"]
    assert finding.health is Health.FAIL
    assert "192.0.2.1" in finding.found
    assert "sansheng.toml" in finding.mend


def test_the_disk_is_looked_at_where_the_calls_will_lie(tmp_path: Path) -> None:
    finding = check_disk(Settings(data_dir=tmp_path / "not" / "yet" / "there"))
    assert str(tmp_path) in finding.found
    assert (finding.mend == "") is (finding.health is Health.OK)


def test_this_python_is_one_that_is_supported() -> None:
    assert check_python(Settings()).health is Health.OK


@pytest.mark.sip
def test_what_the_build_cannot_encrypt_and_a_password_that_is_missing_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SANSHENG_PJSIP", "wheel")
    monkeypatch.delenv("NO_SUCH_PASSWORD", raising=False)
    encrypted = Settings.model_validate({"telephony": {"tls": {"srtp": "optional"}}})
    with pytest.raises(TapError, match=r"wheel PJSIP .* out of support"):
        check_tap(encrypted)
    users = [{"user": "pbx", "password_env": "NO_SUCH_PASSWORD"}]
    asked = Settings.model_validate({"telephony": {"digest": {"users": users}}})
    with pytest.raises(TapError, match="NO_SUCH_PASSWORD"):
        check_tap(asked)


@pytest.mark.sip
@pytest.mark.model
def test_every_check_says_what_it_found(sansheng: Run, tmp_path: Path) -> None:
    config = tmp_path / "sansheng.toml"
    config.write_text(f'data_dir = "{tmp_path}"\n')
    done = sansheng("doctor", "-c", config)
    assert all(name in done.stdout for name in CHECKS)
    assert "whisper-base" in done.stdout
    assert "PCMA" in done.stdout
    assert done.returncode in (Exit.OK, Exit.FAILED)
    assert (done.returncode == Exit.FAILED) is ("✘" in done.stdout)


@pytest.mark.sip
def test_a_model_that_is_not_there_is_found(sansheng: Run, tmp_path: Path) -> None:
    config = tmp_path / "sansheng.toml"
    config.write_text(f'data_dir = "{tmp_path}"\n[asr]\nmodel = "{tmp_path}/none"\n')
    done = sansheng("doctor", "-c", config)
    assert done.returncode == Exit.FAILED
    assert "✘ model" in done.stdout
    assert "[asr] model" in " ".join(done.stdout.split())
