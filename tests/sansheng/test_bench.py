"""The benches' last line: keys that other tools rely on, small runs of the real thing."""

import json

import pytest

from tests.sansheng.conftest import Run

KEYS = {
    "asr": "rtf cer stock_rtf stock_cer batched_rtf batched_cer peak_rss_mb audio_s",
    "portal": "people page_p95_ms audio_first_byte_p95_ms first_page_kb",
    "tap": "calls calls_whole shortest_ratio cores asterisk_cores setups_per_s"
    " ring_error_ms_median ring_error_ms_max rss_mb",
}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("asr", "--minutes", "0.5"), marks=pytest.mark.model),
        pytest.param(("portal", "--calls", "2000", "--people", "2")),
        pytest.param(("tap", "--calls", "2", "--seconds", "5"), marks=pytest.mark.sip),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_bench_ends_with_the_promised_keys(sansheng: Run, arguments: tuple[str, ...]) -> None:
    done = sansheng("bench", *arguments)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert set(KEYS[arguments[0]].split()) <= figures.keys()
