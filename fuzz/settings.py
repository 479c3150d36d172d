"""Session configurations as REST takes them and as client secrets carry them."""

from typing import Final

from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_beta import read_transcription_session
from realtime_asr.dialects.openai_ga import read_client_secret
from realtime_asr.dialects.openai_realtime import read_session, session_object
from realtime_asr.dialects.openai_shared import Mint
from realtime_asr.session.config import SessionConfig, accept
from realtime_asr.session.problem import Problem
from tests.fakes import configured, limited

_READERS: Final = (read_client_secret, read_transcription_session)
_LIMITS: Final = limited(noise_reduction=True)


def check(data: bytes) -> None:
    for read in _READERS:
        mint = read(data)
        strictly = read(data, strict=True)
        assert isinstance(strictly, Problem) or strictly == mint
        if isinstance(mint, Problem):
            mint.message.encode(errors="strict")
        else:
            _check_mint(mint)


def _check_mint(mint: Mint) -> None:
    """What the secret carries says what its maker said."""
    assert 10 <= mint.seconds <= 7_200
    assert mint.patch == read_session(mint.session, mint.shape)
    config = accept(configured(), mint.patch, _LIMITS)
    if isinstance(config, SessionConfig):
        for shape in Shape:
            _check_shown(config, shape)


def _check_shown(config: SessionConfig, shape: Shape) -> None:
    """Whoever sends back what was shown has the same session."""
    shown = session_object(config, shape, session_id="sess_1", expires_at=0)
    patch = read_session(shown, shape)
    assert not isinstance(patch, Problem), patch
    after = accept(config, patch, _LIMITS)
    assert isinstance(after, SessionConfig), after
    assert (config.transcription, config.detection) == (after.transcription, after.detection)
