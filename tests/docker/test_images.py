"""Images are small, nobody's in particular, and made of what is pinned."""

import re
import tomllib
from itertools import chain
from typing import Any, Final

import pytest

from tests.docker.shipped import DOCKERFILES, ROOT
from tools.image.trial import pinned, strangers

PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: Final[dict[str, list[str]]] = PROJECT["optional-dependencies"]
IN_IMAGES: Final = ("noise", "openvino", "otel", "webrtc")
each_image = pytest.mark.parametrize("text", DOCKERFILES.values(), ids=DOCKERFILES.keys())


def test_all_that_an_image_may_hold_is_pinned() -> None:
    wanted = [*PROJECT["dependencies"], *chain.from_iterable(EXTRAS[extra] for extra in IN_IMAGES)]

    names = {re.split(r"[\[<>=;~! ]", requirement, maxsplit=1)[0] for requirement in wanted}

    assert set() == names - pinned().keys()


@each_image
def test_an_image_brings_optional_parts_that_are_pinned(text: str) -> None:
    [extras] = re.findall(r'^ARG EXTRAS="?([\w,]*)', text, re.MULTILINE)

    assert set(filter(None, extras.split(","))) <= {*IN_IMAGES}


@each_image
def test_a_container_is_told_to_stop_directly_and_is_not_roots(text: str) -> None:
    final = text.rpartition("\nFROM ")[2]

    assert 'ENTRYPOINT ["realtime-asr", "serve"]' == final.splitlines()[-1]
    assert ["10001:10001"] == re.findall(r"^USER (.*)", final, re.MULTILINE)


def test_a_package_that_is_not_as_pinned_is_a_stranger() -> None:
    found = strangers({"numpy": "2.4.6", "pip": "23.0"}, {"numpy": "2.4.5", "av": "18.1.0"})

    assert ["numpy 2.4.6", "pip 23.0"] == found
