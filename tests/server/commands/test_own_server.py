"""A server for us alone, and what it is told."""

import pytest

from realtime_asr.server.commands.own_server import own_server
from tests.server.house import settings

SHOWS = ("-c", "import sys; print(open(sys.argv[-1]).read().replace(chr(10), '; '))")
TELLS = ("-c", "import os; print(os.environ.get('REALTIME_ASR_REMOTE_KEY'), 'is told')")
"""In the place of a server."""


@pytest.mark.parametrize("key", ["sk-remote", None])
def test_it_may_go_on_to_a_remote_engine_with_the_key_for_it(key: str | None) -> None:
    with (
        pytest.raises(ChildProcessError, match=f"{key} is told"),
        own_server(settings(remote_key=key), TELLS),
    ):
        pass


def test_nobody_else_hears_of_what_is_said_to_it() -> None:
    theirs = {"hook": "http://127.0.0.1:9/", "hook_secret": "secret", "also_ports": [7066]}
    told = r"# hook is not set;.*# hook_secret is not set;"
    with (
        pytest.raises(ChildProcessError, match=rf"also_ports = \[\];.*{told}"),
        own_server(settings(**theirs), SHOWS),
    ):
        pass
