"""What is put together knows its parts."""

from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from realtime_asr.server.settings import PREFIX
from tests.docker.shipped import COMPOSED

ROCM: Final[dict[str, Any]] = COMPOSED["compose.rocm.yaml"]["services"]
OPEA: Final[dict[str, Any]] = COMPOSED["compose.opea.yaml"]["services"]
NOT_ASKED: Final = {"grafana", "audioqna-xeon-ui-server"}
"""By none of the others."""


@pytest.mark.parametrize("file", COMPOSED)
def test_proxies_are_passed_on_but_for_what_is_in_the_same_network(file: str) -> None:
    services = COMPOSED[file]["services"]
    told = [service["environment"] for service in services.values()]
    told += [service["build"]["args"] for service in services.values() if "args" in service.get("build", {})]
    spared = [set(each["no_proxy"].split(",")) for each in told]

    assert {("${http_proxy:-}", "${https_proxy:-}")} == {
        (each["http_proxy"], each["https_proxy"]) for each in told
    }
    assert all({"localhost", "127.0.0.1", "${no_proxy:-}"} <= names for names in spared)
    assert services.keys() - NOT_ASKED <= set.intersection(*spared)


def test_who_listens_on_amds_gpu_is_asked_where_it_listens_for_what_it_serves() -> None:
    told, listener = ROCM["realtime-asr"]["environment"], ROCM["vllm"]
    where = urlsplit(told[f"{PREFIX}REMOTE_URL"])
    flags = listener["command"].split()
    command = dict(zip(flags[::2], flags[1::2], strict=True))

    assert where.hostname in ROCM
    assert {"--model": told[f"{PREFIX}MODEL"], "--host": "0.0.0.0", "--port": str(where.port)} == command
    assert f":{where.port}/" in listener["healthcheck"]["test"][-1]


def test_nobody_is_served_before_somebody_listens() -> None:
    assert {"vllm": {"condition": "service_healthy"}} == ROCM["realtime-asr"]["depends_on"]


def test_who_listens_reaches_the_gpu() -> None:
    reached = {device.split(":")[0] for device in ROCM["vllm"]["devices"]}

    assert {"/dev/kfd", "/dev/dri"} == reached
    assert 2 == len(ROCM["vllm"]["group_add"])


def test_whispers_place_is_taken_on_the_ports_that_opea_looks_at() -> None:
    told, backend = (
        OPEA["whisper-service"]["environment"],
        OPEA["audioqna-xeon-backend-server"]["environment"],
    )
    ports = [told[f"{PREFIX}PORT"], *told[f"{PREFIX}ALSO_PORTS"].split(",")]

    assert ["7066", "9099"] == ports
    assert [f"127.0.0.1:{port}:{port}" for port in ports] == OPEA["whisper-service"]["ports"]
    assert ports[0] == backend["WHISPER_SERVER_PORT"]
    assert backend["WHISPER_SERVER_HOST_IP"] in OPEA


def test_a_browser_finds_the_megaservice_where_it_is() -> None:
    where = urlsplit(OPEA["audioqna-xeon-ui-server"]["environment"]["CHAT_URL"])
    [published] = OPEA["audioqna-xeon-backend-server"]["ports"]

    assert published.startswith(f"{where.hostname}:{where.port}:")
    assert ["127.0.0.1:5173:5173"] == OPEA["audioqna-xeon-ui-server"]["ports"]
