"""A server for us alone, and what it is told."""

import pytest

from realtime_asr.server.commands.own_server import own_server
from tests.server.house import settings

TELLS = ("-c", "import os; print(os.environ.get('REALTIME_ASR_REMOTE_KEY'), 'is told')")
"""In the place of a server."""


@pytest.mark.parametrize("key", ["sk-remote", None])
def test_it_may_go_on_to_a_remote_engine_with_the_key_for_it(key: str | None) -> None:
    with (
        pytest.raises(ChildProcessError, match=f"{key} is told"),
        own_server(settings(remote_key=key), TELLS),
    ):
        pass
