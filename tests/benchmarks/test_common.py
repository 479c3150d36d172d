"""Who runs where: figures of a client that shares the server's core would be of both."""

import os

from benchmarks.common import on_core


def test_a_client_has_another_core_than_the_server_it_measures_where_there_are_two() -> None:
    before = os.sched_getaffinity(0)

    with on_core(0):
        server = os.sched_getaffinity(0)
        with on_core(1):
            client = os.sched_getaffinity(0)

    assert {len(server), len(client)} == {1}
    assert (server != client) == (len(before) > 1)
    assert before == os.sched_getaffinity(0)
