import itertools
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asr.windows import MODEL_RATE, WINDOW_MS, Clip, Window, pack, render, widen
from calls import wav
from calls.call import Channel
from calls.speech import SpeechSpan
from tests.asr.sounds import RATE, SIDES, MakeCall, seconds, span

DURATION_MS = 4_000_000


@st.composite
def calls_spans(draw: st.DrawFn) -> tuple[SpeechSpan, ...]:
    """Speech as voice activity gives it: on each side in order, none over another."""
    spans = []
    for channel in Channel:
        now = 0
        for pause, length in draw(
            st.lists(st.tuples(st.integers(0, 5000), st.integers(120, 25_000)), max_size=40)
        ):
            spans.append(span(channel, now + pause, now + pause + length))
            now += pause + length
    return tuple(sorted(spans, key=lambda s: (s.start_ms, s.channel)))


@given(calls_spans())
def test_widened_spans_hold_the_speech_and_never_meet_another(
    spans: tuple[SpeechSpan, ...],
) -> None:
    wide = widen(spans, DURATION_MS)
    for narrow, own in zip(spans, wide, strict=True):
        assert 0 <= own.start_ms <= narrow.start_ms < narrow.end_ms <= own.end_ms <= DURATION_MS
        assert own.channel is narrow.channel
    for channel in Channel:
        of_side = [s for s in wide if s.channel is channel]
        assert all(a.end_ms <= b.start_ms for a, b in itertools.pairwise(of_side))


@given(calls_spans())
def test_every_span_is_in_one_window_whole(spans: tuple[SpeechSpan, ...]) -> None:
    wide = widen(spans, DURATION_MS)
    windows = list(pack(wide))
    placed = [clip for window in windows for clip in window.clips]
    assert sorted(clip.span for clip in placed) == list(range(len(spans)))
    for window in windows:
        assert window.length_ms <= WINDOW_MS
        at = 0
        for clip in window.clips:
            assert clip.start_ms >= at
            assert clip.length_ms == wide[clip.span].end_ms - wide[clip.span].start_ms
            assert wide[clip.span].channel is window.channel
            at = clip.start_ms + clip.length_ms


@given(calls_spans())
def test_windows_of_a_side_are_well_filled(spans: tuple[SpeechSpan, ...]) -> None:
    """Two neighbours never fit into one window: none is opened too soon."""
    windows = list(pack(spans))
    for one, two in itertools.pairwise(windows):
        if one.channel is two.channel:
            assert one.length_ms + two.clips[0].length_ms > WINDOW_MS - 2000


@given(calls_spans(), st.data())
def test_a_piece_goes_to_the_clip_that_it_lies_in(
    spans: tuple[SpeechSpan, ...], data: st.DataObject
) -> None:
    for window in pack(spans):
        clip = data.draw(st.sampled_from(window.clips))
        start = data.draw(st.integers(clip.start_ms, clip.start_ms + clip.length_ms - 1))
        end = data.draw(st.integers(start + 1, clip.start_ms + clip.length_ms))
        assert window.clip_of(start, end) == clip


def test_a_piece_that_begins_in_the_gap_goes_where_it_lasts() -> None:
    first, second = Clip(0, 0, 1000), Clip(1, 1300, 1000)
    window = Window(Channel.AGENT, (first, second))
    assert window.clip_of(1020, 1500) == second
    assert window.clip_of(900, 1050) == first
    assert window.clip_of(5000, 5000) == second


def test_only_the_chosen_spans_are_packed() -> None:
    spans = [span(Channel.AGENT, i * 2000, i * 2000 + 1000) for i in range(5)]
    [window] = pack(spans, [1, 3])
    assert [clip.span for clip in window.clips] == [1, 3]


def test_a_window_sounds_as_its_clips_do(make_call: MakeCall) -> None:
    left = (0.5 * np.sin(2 * np.pi * 300 * seconds(4))).astype(np.float32)
    right = (0.5 * np.sin(2 * np.pi * 900 * seconds(4))).astype(np.float32)
    call = make_call(caller=left, agent=right)
    spans = [span(Channel.AGENT, 0, 1000), span(Channel.AGENT, 2000, 3500)]
    [window] = pack(spans)
    samples = render(window, spans, call, SIDES)
    assert abs(len(samples) - window.length_ms * MODEL_RATE // 1000) <= 4
    gap = samples[round(1.05 * MODEL_RATE) : round(1.25 * MODEL_RATE)]
    assert float(np.abs(gap).max()) < 0.01
    for clip in window.clips:
        first = clip.start_ms * MODEL_RATE // 1000
        part = samples[first + 800 : first + 8800]
        peak = np.abs(np.fft.rfft(part)).argmax() * MODEL_RATE / len(part)
        assert abs(peak - 900) < 5


def test_a_mono_mix_is_rendered_from_its_only_channel(tmp_path: Path) -> None:
    path = tmp_path / "mono.wav"
    wav.write(path, np.full(RATE, 0.25, np.float32), RATE)
    spans = [span(Channel.AGENT, 0, 1000)]
    [window] = pack(spans)
    samples = render(window, spans, path, ())
    assert abs(float(samples[4000:12000].mean()) - 0.25) < 0.01
