"""How much hypothesis tries, and what no test may leave behind."""

import asyncio
import inspect
import os
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

settings.register_profile("desk", deadline=None, max_examples=100)
settings.register_profile("ci", deadline=None, max_examples=500, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """No thread that would keep the process alive; of a test in a loop, no task either."""
    before = set(threading.enumerate())
    if isinstance(request.node, pytest.Function) and inspect.iscoroutinefunction(request.function):
        request.getfixturevalue("_no_task_is_left_behind")
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and not _is_excused(thread)]
    for thread in left:
        thread.join(timeout=1.0)
    assert [thread.name for thread in left if thread.is_alive()] == []


@pytest.fixture
async def _no_task_is_left_behind() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert [task.get_name() for task in left] == []


def _is_excused(thread: threading.Thread) -> bool:
    # Threads of a loop's own pool end with the loop, which outlives the fixtures of its test.
    return thread.daemon or thread.name.startswith("asyncio_")
