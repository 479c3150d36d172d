"""Images are small, nobody's in particular, and made of what is pinned."""

import json
import re
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.request import urlopen

import pytest

from tests.docker.shipped import DOCKERFILES, ROOT
from tools.image.__main__ import LARGEST
from tools.image.buildah import megabytes
from tools.image.leftovers import leftovers
from tools.image.trial import engine_elsewhere, opencl_drivers, pinned, strangers

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


class _Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@each_image
def test_a_container_asks_itself_how_it_is_whatever_proxy_there_is(text: str) -> None:
    [asked] = re.findall(r"^HEALTHCHECK .*\n +CMD (.*)", text, re.MULTILINE)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Health) as server:
        serving = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        variables = {"REALTIME_ASR_PORT": str(server.server_port), "http_proxy": "http://127.0.0.1:9"}
        done = subprocess.run([sys.executable, *json.loads(asked)[1:]], env=variables, check=False)
        server.shutdown()
        serving.join()

    assert 0 == done.returncode


def test_an_image_that_lets_somebody_else_listen_is_tried_out_with_a_server_of_this_machine() -> None:
    config = {"Env": ["PATH=/bin", "REALTIME_ASR_ENGINE=openai_http"]}

    with engine_elsewhere(config) as settings, urlopen(settings["REMOTE_URL"] + "/models") as answer:
        models = {model["id"] for model in json.load(answer)["data"]}

    assert settings["MODEL"] in models


def test_any_other_image_is_tried_out_on_its_own() -> None:
    with engine_elsewhere({"Env": ["REALTIME_ASR_ENGINE=openvino"]}) as settings:
        assert {} == settings


def test_every_image_may_only_be_so_large() -> None:
    assert DOCKERFILES.keys() == LARGEST.keys()


@pytest.mark.parametrize(
    ("told", "number"), [("512 B", 0.000512), ("97.5 MB", 97.5), ("1.02 GB", 1020), ("4.1 kB", 0.0041)]
)
def test_sizes_are_read_as_they_are_told(told: str, number: float) -> None:
    assert number == pytest.approx(megabytes(told))


def pem(kind: str, content: str) -> str:
    return f"-----BEGIN {kind}-----\n{content * 20}\n-----END {kind}-----\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Of an image, with what belongs there."""
    debians, bundle = tmp_path / "usr/share/ca-certificates/mozilla", tmp_path / "etc/ssl/certs"
    pythons = tmp_path / "opt/realtime-asr/lib/python3.11/site-packages/certifi"
    for folder in (debians, bundle, pythons, tmp_path / "etc/OpenCL/vendors"):
        folder.mkdir(parents=True)
    (debians / "one.crt").write_text(pem("CERTIFICATE", "DEBIAN"))
    (pythons / "cacert.pem").write_text(pem("CERTIFICATE", "PYTHON"))
    (bundle / "ca-certificates.crt").write_text(pem("CERTIFICATE", "DEBIAN"))
    (tmp_path / "etc/OpenCL/vendors/intel.icd").write_text("/usr/lib/intel-opencl/libigdrcl.so\n")
    return tmp_path


PLAIN: Final = {"Env": ["PATH=/bin", "REALTIME_ASR_PORT=8000"]}


def test_what_belongs_into_an_image_may_stay(root: Path) -> None:
    assert [] == list(leftovers(root, PLAIN))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("etc/ssl/certs/ca-certificates.crt", pem("CERTIFICATE", "DEBIAN") + pem("CERTIFICATE", "PROXYS")),
        ("usr/local/share/ca-certificates/proxy.crt", pem("CERTIFICATE", "PROXYS")),
        ("srv/server.pem", pem("PRIVATE KEY", "SECRET")),
        ("srv/old.pem", "x" * 100 + pem("RSA PRIVATE KEY", "SECRET")),
        ("root/.netrc", "machine example.com"),
        ("etc/pip.conf", "[global]"),
    ],
)
def test_keys_and_certificates_of_others_are_found(root: Path, file: str, content: str) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(content)

    assert [file] == list(leftovers(root, PLAIN))


@pytest.mark.parametrize("name", ["https_proxy", "HF_TOKEN", "REALTIME_ASR_API_KEYS"])
def test_no_secret_stays_in_the_environment(root: Path, name: str) -> None:
    assert [name] == list(leftovers(root, {"Env": [f"{name}=x"]}))


def test_the_loader_of_opencl_is_led_to_drivers(root: Path) -> None:
    assert ["/usr/lib/intel-opencl/libigdrcl.so"] == opencl_drivers(root)
    assert [] == opencl_drivers(root / "opt")


def test_a_package_that_is_not_as_pinned_is_a_stranger() -> None:
    found = strangers({"numpy": "2.4.6", "pip": "23.0"}, {"numpy": "2.4.5", "av": "18.1.0"})

    assert ["numpy 2.4.6", "pip 23.0"] == found
