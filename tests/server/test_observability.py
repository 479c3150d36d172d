"""What is shipped to look at the figures with asks only for figures there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from realtime_asr.server.watching.instruments import INSTRUMENTS
from realtime_asr.server.watching.metrics import NAMES, series

FOLDER: Final = Path(__file__).parents[2] / "docker/observability"
LABELS: Final = {name: set(instrument.labels) for instrument in INSTRUMENTS for name in series(instrument)}
OF_PROMETHEUS: Final = {"instance", "job", "le"}
"""Labels that are there besides ours."""
DASHBOARD: Final[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text())
PROMETHEUS: Final[dict[str, Any]] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
ALERTS: Final[list[dict[str, Any]]] = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]


def _queries() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        yield variable["name"], variable["query"]
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]


QUERIES: Final = dict(_queries())


def names(query: str) -> set[str]:
    return set(re.findall(r"\brealtime_asr_\w+", query))


def labels(query: str) -> set[str]:
    """Those that are grouped by or matched."""
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(", ")}
    return grouped | set(re.findall(r'(\w+)\s*(?:=~|!=|!~|=)\s*"', query))


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_every_figure_that_is_asked_for_exists_and_has_the_labels(query: str) -> None:
    known = {label for name in names(query) for label in LABELS.get(name, ())}

    assert set() == names(query) - NAMES
    assert set() == labels(query) - known - OF_PROMETHEUS
    assert query.count("(") == query.count(")")


def test_every_instrument_is_on_the_dashboard() -> None:
    shown = {
        name for panel in DASHBOARD["panels"] for target in panel["targets"] for name in names(target["expr"])
    }

    assert [] == [each.name for each in INSTRUMENTS if not shown & set(series(each))]


def test_no_panel_lies_on_another() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)


def test_alerts_say_what_is_wrong_and_how_bad_it_is() -> None:
    assert len(ALERTS) == len({rule["alert"] for rule in ALERTS})
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].endswith(".")
        told = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert told <= {label for name in names(rule["expr"]) for label in LABELS[name]} | OF_PROMETHEUS


def test_prometheus_reads_the_alerts_and_asks_where_the_figures_are() -> None:
    [job] = PROMETHEUS["scrape_configs"]

    assert ["alerts.yaml"] == PROMETHEUS["rule_files"]
    assert "/metrics" == job["metrics_path"]
    assert job["job_name"] in QUERIES["RealtimeAsrDown"]
