import pytest

from realtime_asr.runtime.visitor import Visitor

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("version", ["00", "cc"])
def test_a_trace_has_an_id(version: str) -> None:
    assert TRACE == Visitor(traceparent=f"{version}-{TRACE}-b7ad6b7169203331-01").trace_id


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "whatever the client wrote",
        TRACE,
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-b7ad6b7169203331-01",
        f"00-{TRACE}-b7ad6b7169203331-01\n",
        f"00-{TRACE}-b7ad6b7169203331-01-more",
    ],
)
def test_what_is_no_trace_has_none(traceparent: str | None) -> None:
    assert Visitor(traceparent=traceparent).trace_id is None
