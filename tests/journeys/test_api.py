"""The HTTP interface is what its description says."""

import re

from tests.journeys.marks import SCRIPTED
from tools.probe_api import probe

pytestmark = SCRIPTED


def test_every_answer_is_a_documented_one_whatever_is_asked() -> None:
    done = probe(examples=8)

    assert 0 == done.returncode, done.stdout
    operations = re.search(r"Tested: (\d+)", done.stdout)
    generated = re.search(r"(\d+) generated", done.stdout)
    assert operations
    assert generated
    assert int(operations[1]) >= 10
    assert int(generated[1]) >= 200
