"""The Grafana dashboards: `python deploy/grafana/generate.py [FOLDER]` writes fleet.json and endpoint.json.

They read PostgreSQL (data source `flownexus`), with or without TimescaleDB. Their queries are in `queries/`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

HERE = Path(__file__).parent
QUERIES = HERE / "queries"
SOURCE = models.DataSourceRef("grafana-postgresql-datasource", "flownexus")
GREEN, BLUE, GREY, ORANGE, RED = "green", "blue", "#8e8e8e", "orange", "red"
STATUS_COLOURS = {"online": GREEN, "asleep": BLUE, "offline": GREY}
LINK_TO_ENDPOINT = "/d/flownexus-endpoint?var-endpoint=${__value.text:percentencode}&${__url_time_range}"


class Sql(Builder[Dataquery], Dataquery):
    """The query in `queries/<name>.sql`, as a table or, for charts, as a time series."""

    def __init__(self, name: str, result: str = "table") -> None:
        self.name, self.result = name, result

    def build(self) -> Dataquery:
        return self

    def to_json(self) -> dict[str, object]:
        """As Grafana's PostgreSQL data source stores it."""
        return {
            "refId": "A",
            "datasource": SOURCE.to_json(),
            "editorMode": "code",
            "format": self.result,
            "rawQuery": True,
            "rawSql": query(self.name),
        }


def query(name: str) -> str:
    """The text of `queries/<name>.sql`."""
    return (QUERIES / f"{name}.sql").read_text().strip()


def configured(**values: object) -> list[models.DynamicConfigValue]:
    """Field options of an override; a double underscore stands for the dot in their ids."""
    return [models.DynamicConfigValue(name.replace("__", "."), value) for name, value in values.items()]


def coloured(colours: dict[str, str]) -> list[dict[str, Any]]:
    """A mapping of texts to colours."""
    return [{"type": "value", "options": {text: {"color": colour} for text, colour in colours.items()}}]


def steps(*limits: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from each limit on."""
    thresholds = [models.Threshold(value=value, color=colour) for value, colour in limits]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(thresholds)


def number(title: str, name: str, colour: str, *, alarm: str | None = None, width: int = 4) -> stat.Panel:
    """One number of query `name`; from 1 on in the colour `alarm`."""
    limits: list[tuple[float | None, str]] = [(None, colour)] + ([(1, alarm)] if alarm else [])
    return (
        stat.Panel()
        .title(title)
        .datasource(SOURCE)
        .with_target(Sql(name))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .color_mode(common_models.BigValueColorMode.VALUE)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .thresholds(steps(*limits))
        .no_value("0")
        .span(width)
        .height(4)
    )


def fact(title: str, name: str, *, width: int = 4, unit: str = "string") -> stat.Panel:
    """One text or time of query `name`."""
    return (
        stat.Panel()
        .title(title)
        .datasource(SOURCE)
        .with_target(Sql(name))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/").values(False))
        .color_mode(common_models.BigValueColorMode.VALUE)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .thresholds(steps((None, "text")))
        .unit(unit)
        .no_value("-")
        .span(width)
        .height(4)
    )


def chart(title: str, name: str, *, bars: bool = False, width: int = 12, height: int = 8) -> timeseries.Panel:
    """A time series of query `name`."""
    panel = (
        timeseries.Panel()
        .title(title)
        .datasource(SOURCE)
        .with_target(Sql(name, "time_series"))
        .line_width(1 if bars else 2)
        .fill_opacity(70 if bars else 10)
        .draw_style(common_models.GraphDrawStyle.BARS if bars else common_models.GraphDrawStyle.LINE)
        .show_points(common_models.VisibilityMode.AUTO)
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .span(width)
        .height(height)
    )
    if bars:
        return panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    return panel.span_nulls(True)


def listing(title: str, name: str, *, width: int = 12, height: int = 9) -> table.Panel:
    """A table of query `name`: statuses coloured, endpoints linked to their dashboard, times as time passed."""
    return (
        table.Panel()
        .title(title)
        .datasource(SOURCE)
        .with_target(Sql(name))
        .filterable(True)
        .override_by_name(
            "status",
            configured(custom__cellOptions={"type": "color-text"}, mappings=coloured(STATUS_COLOURS), custom__width=90),
        )
        .override_by_name(
            "state",
            configured(
                custom__cellOptions={"type": "color-text"},
                mappings=coloured({"established": GREEN, "refused": RED, "cancelled": GREY}),
            ),
        )
        .override_by_name("endpoint", configured(links=[{"title": "Open ${__value.text}", "url": LINK_TO_ENDPOINT}]))
        .override_by_name("last seen", configured(unit="dateTimeFromNow"))
        .override_by_name("expected", configured(unit="dateTimeFromNow"))
        .span(width)
        .height(height)
    )


def base(title: str, uid: str, period: str) -> dashboard.Dashboard:
    """An empty dashboard over the last `period`."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags(["flownexus"])
        .refresh("10s")
        .time(f"now-{period}", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
    )


def variable(name: str, label: str, *, multi: bool) -> dashboard.QueryVariable:
    """A variable with the values of query `variable_<name>`."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query(f"variable_{name}"))
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.DISABLED)
        .multi(multi)
        .include_all(multi)
    )


def fleet() -> dashboard.Dashboard:
    """All endpoints: how many are there, what they send, what is wrong."""
    return (
        base("Fleet", "flownexus-fleet", "6h")
        .with_panel(number("Online", "fleet_online", GREEN, width=3))
        .with_panel(number("Asleep", "fleet_asleep", BLUE, width=3))
        .with_panel(number("Offline", "fleet_offline", GREY, width=3))
        .with_panel(number("Overdue", "fleet_overdue", GREEN, alarm=ORANGE, width=3))
        .with_panel(number("Messages a minute, last 5", "fleet_rate", "text").decimals(1))
        .with_panel(number("Undecoded reports", "fleet_undecoded_count", GREEN, alarm=ORANGE))
        .with_panel(number("Refused observations", "fleet_refused_count", GREEN, alarm=ORANGE))
        .with_panel(chart("Registration events", "fleet_registrations", bars=True))
        .with_panel(chart("Messages a minute", "fleet_messages"))
        .with_panel(listing("Endpoints", "fleet_endpoints", width=24, height=11))
        .with_panel(listing("Overdue: due, not heard, still registered", "fleet_missed", width=24, height=7))
        .with_panel(listing("Unknown resources", "fleet_unknown", width=8))
        .with_panel(listing("Undecoded reports", "fleet_undecoded", width=8))
        .with_panel(listing("Refused observations", "fleet_refused", width=8))
    )


def endpoint() -> dashboard.Dashboard:
    """One endpoint: its registration, values over time, events, log."""
    return (
        base("Endpoint", "flownexus-endpoint", "6h")
        .with_variable(variable("endpoint", "Endpoint", multi=False))
        .with_variable(variable("resource", "Resources", multi=True))
        .with_panel(
            fact("Status", "endpoint_status").mappings(
                [models.ValueMap(options={k: models.ValueMappingResult(color=c) for k, c in STATUS_COLOURS.items()})]
            )
        )
        .with_panel(fact("Last seen", "endpoint_last_seen", unit="dateTimeFromNow"))
        .with_panel(fact("Expected next", "endpoint_expected", unit="dateTimeFromNow"))
        .with_panel(fact("Registration ends", "endpoint_expires", unit="dateTimeFromNow"))
        .with_panel(fact("Device", "endpoint_device"))
        .with_panel(fact("Firmware", "endpoint_firmware"))
        .with_panel(chart("Values", "endpoint_values", width=24, height=10))
        .with_panel(listing("Latest values", "endpoint_latest", height=12))
        .with_panel(listing("Events", "endpoint_events", height=12))
        .with_panel(chart("Registration events", "endpoint_registrations", bars=True))
        .with_panel(listing("Observations", "endpoint_observations", height=8))
        .with_panel(listing("Log", "endpoint_log", height=8))
        .with_panel(listing("Undecoded reports", "endpoint_undecoded", height=8))
    )


def main(folder: Path) -> None:
    """Write both dashboards into `folder`."""
    for name, built in {"fleet": fleet(), "endpoint": endpoint()}.items():
        text = json.dumps(built.build(), cls=JSONEncoder, indent=2, sort_keys=True)
        (folder / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "dashboards")
