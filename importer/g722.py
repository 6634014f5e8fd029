"""G.722 at 64 kbit/s to samples (ITU-T G.722), by FFmpeg through PyAV; its only importer."""

import numpy as np

from calls.errors import RecordingError
from calls.wav import Samples


def decode_g722(data: bytes) -> Samples:
    """The bytes as float32 samples at 16 kHz, two a byte."""
    try:
        import av
    except ImportError as error:
        raise RecordingError(
            "the call's audio is G.722", remedy="pip install 'sansheng[asr]' for its decoder"
        ) from error
    try:
        context = av.CodecContext.create("g722", "r")
        frames = context.decode(av.Packet(data))
    except av.FFmpegError as error:
        raise RecordingError("the call's G.722 audio cannot be decoded") from error
    parts = [frame.to_ndarray().ravel() for frame in frames]
    linear = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    return np.asarray(linear, np.float32) / np.float32(32_768)
