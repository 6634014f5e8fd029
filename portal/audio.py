"""A recording as a browser plays it; ranges are answered, so that a player can seek."""

from pathlib import Path

from fastapi.responses import FileResponse

_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".opus": "audio/ogg", ".ogg": "audio/ogg"}


def audio_response(recording: Path) -> FileResponse:
    """The file with the type that its name tells."""
    return FileResponse(recording, media_type=_TYPES.get(recording.suffix, "audio/wav"))
