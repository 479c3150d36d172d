"""Drives the suite's fuzzing client: a URL, a file for the results, and patterns of cases.

It runs in the environment that the suite was ported into, and knows nothing of us.
"""
# What is called here has no types, and names of its own manner.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, E402, N802, N803, N815

import json
import sys
from pathlib import Path

import txaio

txaio.use_twisted()

from autobahntestsuite import fuzzing
from autobahntestsuite.case import Case
from twisted.internet import reactor

fuzzing.binLogData = fuzzing.asciiLogData = lambda *_, **__: ""


def as_bytes(value):
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, (list, tuple)):
        return [as_bytes(part) for part in value]
    return value


Case.compare = lambda _, one, other: as_bytes(one) == as_bytes(other)


class Protocol(fuzzing.FuzzingClientProtocol):
    """Bytes on the wire, texts of their characters inside."""

    createWirelog = property(lambda _: False, lambda *_: None)

    def sendFrame(self, opcode, payload="", payload_len=None, **more):
        payload = as_bytes(payload)
        if payload_len is not None:
            payload = (payload * (payload_len // len(payload) + 1))[:payload_len]
        super().sendFrame(opcode, payload, **more)

    def sendMessage(self, payload, *args, **more):
        super().sendMessage(as_bytes(payload), *args, **more)

    def sendMessageFrame(self, payload, *args, **more):
        return super().sendMessageFrame(as_bytes(payload), *args, **more)

    def sendMessageFrameData(self, payload, *args, **more):
        return super().sendMessageFrameData(as_bytes(payload), *args, **more)

    def sendCloseFrame(self, code=None, reasonUtf8=None, **more):
        super().sendCloseFrame(code, as_bytes(reasonUtf8), **more)

    def onMessage(self, payload, isBinary):
        super().onMessage(payload.decode("latin-1"), isBinary)


class Factory(fuzzing.FuzzingClientFactory):
    def buildProtocol(self, _):
        protocol = Protocol()
        protocol.factory = self
        protocol.caseAgent = self.agent
        protocol.case = self.currentCaseIndex
        protocol.Case = fuzzing.Cases[self.currentCaseIndex - 1]
        protocol.runCase = protocol.Case(protocol)
        return protocol

    def createReports(self):
        (cases,) = self.agents.values()
        results = {case: (found["behavior"], found["behaviorClose"]) for case, found in cases.items()}
        Path(sys.argv[2]).write_text(json.dumps(results))


Factory({"servers": [{"agent": "ours", "url": sys.argv[1]}], "cases": sys.argv[3:]})
reactor.run()
