"""Recordings of another SIPREC server: audio beside the metadata that its client sent (RFC 7865).

RFC 7865 knows neither ring nor who hung up, and its start is that of the recording: the rules on
those are ``na``. Who is the agent is settled by the same rule as on the tap.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from calls.call import Call, Channel, EndReason, Mode, Signalling
from calls.errors import ImportSourceError, RecordingError, SanshengError
from importer.audio import AUDIO_SUFFIXES, Sides, bring_in
from importer.folder import measure
from importer.manifest import left_of
from importer.settings import ImporterSettings
from importer.source import Item, call_id

_BETWEEN = re.compile(r"^[-_. ]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What one metadata document says of its call."""

    session: str = ""
    """The communication session's id; empty where the document has none."""
    started_at: datetime | None = None
    sides: Mapping[str, Channel | None] = field(default_factory=dict)
    """Whose voice each stream carries, by label and by stream id; None where no rule says."""
    caller: str = ""
    agents: tuple[str, ...] = ()


Describe = Callable[[bytes], Described]
"""Reads a document; TapError when it is no metadata."""


class SiprecSource:
    """A folder of metadata (``.xml``), each beside its audio.

    The audio of ``NAME.xml`` is ``NAME.wav``, or one file a stream, ``NAME-LABEL.wav``; where a
    folder holds one document alone, all audio in it is that call's, and ``LABEL.wav`` will do.
    """

    name = "siprec"

    def __init__(self, folder: Path, settings: ImporterSettings, describe: Describe) -> None:
        self._folder = folder
        self._left = left_of(settings.stereo)
        self._keep = settings.keep
        self._describe = describe
        self._documents: dict[str, Path] = {}

    def items(self) -> Iterator[Item]:
        """One item a document; several of one session are one call, by the first."""
        documents = sorted(self._folder.rglob("*.xml"))
        if not documents:
            raise ImportSourceError(
                f"{self._folder} holds no metadata (.xml)",
                remedy="name the folder where the recording server keeps its files",
            )
        for path in documents:
            try:
                told = self._describe(path.read_bytes())
            except (SanshengError, OSError):
                told = Described()
            key = told.session or f"file {path.relative_to(self._folder)}"
            if key in self._documents:
                continue
            self._documents[key] = path
            size, changed = measure((path, *_audio_of(path)))
            yield Item(key=key, label=path.name, at=told.started_at, size=size, changed=changed)

    def read(self, item: Item, folder: Path) -> Call:
        """The call of one document with its audio."""
        path = self._documents[item.key]
        told = self._describe(path.read_bytes())
        if told.started_at is None:
            raise ImportSourceError(
                f"{item.label} has no time that can be believed",
                remedy="bring its audio in as a folder with a list",
            )
        files = _audio_of(path)
        if not files:
            raise RecordingError(f"{item.label} has no audio beside it")
        sides = self._sides(path, files, told)
        recording = bring_in(sides, folder, keep=self._keep)
        length = timedelta(milliseconds=recording.duration_ms or 0)
        return Call(
            call_id=call_id(self.name, item.key),
            mode=Mode.IMPORT,
            caller=told.caller,
            called="",
            agent=told.agents[0] if told.agents else "",
            invited_at=told.started_at,
            answered_at=told.started_at,
            ended_at=told.started_at + length,
            end_reason=EndReason.BYE,
            recording=recording,
            signalling=Signalling.NONE,
            transfers=told.agents[1:],
            pbx_call_id=told.session,
            source=self.name,
        )

    def _sides(self, path: Path, files: tuple[Path, ...], told: Described) -> Sides:
        if len(files) == 1:
            return Sides(both=files[0], left=self._left)
        found: dict[Channel, Path] = {}
        for file in files:
            side = told.sides.get(_label(path, file))
            if side is None:
                raise RecordingError(
                    f"{file.name}: whose voice it is cannot be told",
                    remedy="name the agents in [telephony.siprec], and the file by its label",
                )
            if side in found:
                raise RecordingError(
                    f"{path.name} has two recordings of the {side}",
                    remedy="keep one a side, or look at the agents in [telephony.siprec]",
                )
            found[side] = file
        return Sides(caller=found.get(Channel.CALLER), agent=found.get(Channel.AGENT))


def _audio_of(path: Path) -> tuple[Path, ...]:
    """The audio files of a document."""
    beside = sorted(p for p in path.parent.iterdir() if p.suffix.lower() in AUDIO_SUFFIXES)
    if len(list(path.parent.glob("*.xml"))) == 1:
        return tuple(beside)
    named = {p.stem for p in path.parent.glob("*.xml")}
    return tuple(p for p in beside if _owner(p.stem, named) == path.stem)


def _owner(stem: str, documents: set[str]) -> str:
    """The document that a file is named by: the longest name that its own begins with."""
    return max((name for name in documents if stem.startswith(name)), key=len, default="")


def _label(path: Path, file: Path) -> str:
    """What a file's name says of its stream: what follows the document's name, else all of it."""
    return _BETWEEN.sub("", file.stem.removeprefix(path.stem))
