from realtime_asr.bench.table import table
from tests.bench.reports import report


def test_a_table_tells_everything_at_a_glance() -> None:
    assert """\
milliseconds                        count      p50      p95      p99      max
speech begins → speech_started          3      140      158      160      160
speech begins → first delta             0        —        —        —        —
word spoken → word shown                3      140      158      160      160
speech ends → completed                 3      140      158      160      160
… without the silence setting           3      140      158      160      160
commit → completed                      3      140      158      160      160
chunk spoken → chunk sent             900        1        4        8        9

streams                         3 speaking, 0 silent, 30 s
turns                           3, 0 lost, 1 corrected
word error rate                 2.50%
deltas per turn                 4 (p50), 5 (max)
texts where nobody spoke        0
errors                          2 rate_limit_exceeded
refused streams                 none
audio sent                      90.0 s
CPU per second of a stream      0.1000 s
memory                          200 MiB at most, 100 MiB at the end
measured on                     a fine one, 2 cores

The run is valid.
""" == table(report())


def test_what_is_wrong_with_a_run_is_said_below_its_table() -> None:
    shown = table(report(lost=1, words=0, cost=None))

    assert shown.endswith("\nThe run is NOT valid: no final text for 1 of 3 turns.\n")
    assert "word error rate                 —" in shown
    assert "CPU" not in shown
