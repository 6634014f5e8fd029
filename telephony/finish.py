"""Finishing a call: mend and join the sides, write the record, hand over.

Runs beside the tap's processes, never in them: a call's last seconds of disk work must not delay
another call's SIP. A live folder that nobody holds is finished, whether its process closed it or
died over it.
"""

from dataclasses import replace
from pathlib import Path

import structlog

from calls import wav
from calls.call import Channel, Recording
from calls.codec import write_record
from calls.errors import HandoverError, RecordingError
from calls.handover import CALL_FILE, RECORDING_FILE, Spool, Stage
from telephony.feed.feed import Feed
from telephony.journal import read_journal
from telephony.quality import rate_sides
from telephony.sides import PIPELINE_MS, gather, has_audio, side_file
from telephony.story import call_of, is_closed

log = structlog.get_logger()

_SHORT_MS = 500
"""A recording shorter than its call by more than this is not complete: the disk was full."""


def finish_live(spool: Spool, coding: wav.Coding, feed: Feed | None = None) -> list[str]:
    """Finish every live call that no process holds; returns their ids.

    With a feed, a SIPREC call first waits for the PBX's events and is then completed by them.

    A folder that is no call (no journal line was written before a kill) is set aside. A disk
    without space leaves the folder where it is for the next round.
    """
    finished = []
    for folder in spool.claimed(Stage.LIVE):
        if feed is not None and feed.must_wait(folder):
            continue
        try:
            finish(folder, coding, feed)
        except HandoverError as error:
            if not _has_journal(folder):
                spool.fail(folder, error)
            log.error("call not finished", call_id=folder.name, error=error.message)
            continue
        except RecordingError as error:
            log.error("call not finished", call_id=folder.name, error=error.message)
            continue
        spool.hand_on(folder, Stage.RECORDED)
        finished.append(folder.name)
    return finished


def finish(folder: Path, coding: wav.Coding, feed: Feed | None = None) -> None:
    """Join the sides of one closed call and write its record into the folder."""
    story = read_journal(folder)
    call = call_of(story, None)
    whole = is_closed(story)
    sides = [folder / side_file(channel) for channel in Channel]
    if call.answered_at is not None and story.streams:
        call = replace(call, recording=gather(story.streams, folder, coding, whole))
    if call.answered_at is not None and all(map(has_audio, sides)):
        quality = rate_sides(story.quality, {c: folder / side_file(c) for c in Channel})
        info = wav.join(sides[0], sides[1], folder / RECORDING_FILE, coding, skip_ms=PIPELINE_MS)
        recording = Recording(
            path=RECORDING_FILE,
            sample_rate=info.sample_rate,
            duration_ms=info.duration_ms,
            complete=whole and info.duration_ms >= call.duration_ms - _SHORT_MS,
        )
        call = replace(call, recording=recording, quality=quality)
    if feed is not None:
        call = feed.complete(call, story)
    if not whole:
        log.warning("a call broken by a kill was closed", call_id=call.call_id)
    write_record(folder / CALL_FILE, call)
    for file in (*sides, *(folder / stream.file for stream in story.streams)):
        file.unlink(missing_ok=True)


def _has_journal(folder: Path) -> bool:
    try:
        read_journal(folder)
    except HandoverError:
        return False
    return True
