"""What a recording is served as, by how it is kept."""

from pathlib import Path

import pytest

from portal.audio import audio_response


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.wav", "audio/wav"),
        ("a.flac", "audio/flac"),
        ("a.opus", "audio/ogg"),
        ("a.ogg", "audio/ogg"),
    ],
)
def test_the_type_tells_the_form(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    assert audio_response(path).media_type == kind
