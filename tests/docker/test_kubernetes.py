"""The manifests fit the server, and one another."""

from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from realtime_asr.server.settings import PREFIX
from tests.docker.shipped import OVERLAYS, ROOT, rendered
from tests.server.house import open_house

KUBERNETES: Final = "1.34"
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda overlay: overlay.name)


def pods(overlay: Path) -> dict[str, Any]:
    spec: dict[str, Any] = rendered(overlay)["Deployment"]["spec"]["template"]["spec"]
    return spec


@each_overlay
def test_what_an_overlay_makes_is_what_kubernetes_understands(overlay: Path) -> None:
    for manifest in rendered(overlay).values():
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_secret_that_people_fill_in_is_what_pods_look_for() -> None:
    secret = yaml.safe_load((ROOT / "kubernetes/examples/secret.yaml").read_text())
    [told] = [each["secret"] for each in pods(OVERLAYS[0])["volumes"] if "secret" in each]

    kubernetes_validate.validate(secret, KUBERNETES, strict=True)

    assert secret["metadata"]["name"] == told["secretName"]
    assert {item["key"] for item in told["items"]} <= secret["stringData"].keys()


@each_overlay
def test_pods_are_given_longer_to_leave_than_the_server_takes(overlay: Path) -> None:
    [container] = pods(overlay)["containers"]
    drain = float(rendered(overlay)["ConfigMap"]["data"][f"{PREFIX}DRAIN_SECONDS"])

    takes = container["lifecycle"]["preStop"]["sleep"]["seconds"] + drain

    assert takes < pods(overlay)["terminationGracePeriodSeconds"]


def asked(overlay: Path) -> dict[str, Any]:
    """What the autoscaler goes by."""
    [metric] = rendered(overlay)["HorizontalPodAutoscaler"]["spec"]["metrics"]
    pods: dict[str, Any] = metric["pods"]
    return pods


@each_overlay
def test_pods_are_added_before_the_server_refuses_anybody(overlay: Path) -> None:
    most = int(rendered(overlay)["ConfigMap"]["data"][f"{PREFIX}MAX_SESSIONS"])

    assert int(asked(overlay)["target"]["averageValue"]) < most


@each_overlay
def test_a_fresh_server_tells_what_the_autoscaler_asks_for(overlay: Path) -> None:
    """Files take no place among sessions, and no pod is added for them."""
    adapter = yaml.safe_load((ROOT / "kubernetes/examples/prometheus-adapter.yaml").read_text())
    [rule] = adapter["rules"]["custom"]
    name, _, _ = rule["seriesQuery"].partition("{")
    with open_house() as client:
        families = text_string_to_metric_families(client.get("/metrics").text)
        doors = {
            sample.labels["door"]: sample.value
            for family in families
            for sample in family.samples
            if sample.name == name
        }

    assert rule["name"]["as"] == asked(overlay)["metric"]["name"]
    assert 'door!="files"' in rule["metricsQuery"]
    assert {"realtime": 0, "post": 0, "files": 0} == doors


@each_overlay
def test_where_a_pod_wants_a_gpu_the_old_one_goes_first(overlay: Path) -> None:
    [container] = pods(overlay)["containers"]
    wants_gpu = any("/" in name for name in container["resources"]["limits"])

    surge = rendered(overlay)["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxSurge"]

    assert surge == (0 if wants_gpu else 1)


def test_what_is_compiled_for_a_gpu_has_room() -> None:
    [openvino] = [overlay for overlay in OVERLAYS if overlay.name == "openvino"]
    [state] = [each for each in pods(openvino)["volumes"] if each["name"] == "state"]

    assert "8Gi" == state["emptyDir"]["sizeLimit"]


@each_overlay
def test_a_pod_may_write_wherever_the_server_does_and_nowhere_else(overlay: Path) -> None:
    spec = pods(overlay)
    [container] = spec["containers"]
    writable = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}

    assert {"/models", "/state", "/tmp"} == writable
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in spec["volumes"]}


@each_overlay
def test_everything_finds_the_pods_by_the_label_they_wear(overlay: Path) -> None:
    manifests = rendered(overlay)
    worn = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]

    assert worn == manifests["Deployment"]["spec"]["selector"]["matchLabels"]
    assert worn == manifests["Service"]["spec"]["selector"]
    assert worn == manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]
    assert worn == manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
