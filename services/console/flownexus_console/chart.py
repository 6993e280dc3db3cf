"""How a resource's past is drawn: a line, a band from least to most, zoom by wheel, slider or a drawn window."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from nicegui import ui
from nicegui.events import GenericEventArguments

from flownexus_console.api_models import Span
from flownexus_console.history import Series

LINE = "#1098a4"
BAND = "rgba(16,152,164,0.20)"
GRID = "rgba(128,140,155,0.20)"
LABELS = "#7d8896"
SHORTEST_AXIS_MS = 60_000

WINDOW = """() => {
    const zoom = getElement(%d)?.chart?.getOption().dataZoom[0];
    if (zoom && zoom.endValue > zoom.startValue) emit([zoom.startValue, zoom.endValue]);
}"""

Options = dict[str, Any]


class Caption(NamedTuple):
    """What is drawn. `steps`: each value holds until the next, such as true and false."""

    label: str
    units: str
    steps: bool


class HistoryChart:
    """The chart itself. Its colours hold on light and dark ground."""

    def __init__(self, on_zoom: Callable[[Span], Awaitable[None]]) -> None:
        self._echart = ui.echart(_options()).classes("history-chart")

        async def zoomed(event: GenericEventArguments) -> None:
            start, end = event.args
            await on_zoom(Span(datetime.fromtimestamp(start / 1000, UTC), datetime.fromtimestamp(end / 1000, UTC)))

        self._echart.on(
            "chart:datazoom", zoomed, js_handler=WINDOW % self._echart.id, throttle=0.3, leading_events=False
        )

    def show(self, series: Series, span: Span, caption: Caption) -> None:
        """Draw a series in a span of time. The axis begins with the first reading."""
        options = self._echart.options
        options["xAxis"] |= {"min": _begin(series, span), "max": span.end.timestamp() * 1000}
        options["yAxis"]["name"] = caption.units
        floor, height, line = options["series"]
        banded = series.bucket_s is not None
        floor["data"] = [[point.time, point.low] for point in series.points] if banded else []
        height["data"] = [[point.time, point.high - point.low] for point in series.points] if banded else []
        line["data"] = [[point.time, point.value] for point in series.points]
        line["name"] = caption.label
        line["step"] = "end" if caption.steps and not banded else False
        line["showSymbol"] = len(series.points) <= 120
        self._echart.update()

    def zoom_out(self) -> None:
        """Show the whole range again."""
        self._echart.run_chart_method("dispatchAction", {"type": "dataZoom", "start": 0, "end": 100})


def _begin(series: Series, span: Span) -> float:
    start, end = span.start.timestamp() * 1000, span.end.timestamp() * 1000
    first = series.points[0].time if series.points else start
    return max(start, min(first, end - SHORTEST_AXIS_MS))


def _options() -> Options:
    return {
        "animation": False,
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 18, "top": 34, "bottom": 62, "containLabel": True},
        "xAxis": {
            "type": "time",
            "axisLine": {"lineStyle": {"color": GRID}},
            "axisLabel": {"color": LABELS, "hideOverlap": True},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "scale": True,
            "name": "",
            "nameTextStyle": {"color": LABELS, "align": "left"},
            "nameGap": 12,
            "axisLabel": {"color": LABELS},
            "splitLine": {"lineStyle": {"color": GRID}},
        },
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": "rgba(23,32,43,0.95)",
            "borderWidth": 0,
            "textStyle": {"color": "#fff", "fontSize": 12},
            "axisPointer": {"lineStyle": {"color": LABELS}},
        },
        "toolbox": {
            "right": 12,
            "top": 0,
            "itemSize": 13,
            "iconStyle": {"borderColor": LABELS},
            "feature": {
                "dataZoom": {"yAxisIndex": "none", "title": {"zoom": "Zoom into a window", "back": "Zoom back"}},
                "saveAsImage": {"title": "Save as image", "name": "flownexus"},
            },
        },
        "dataZoom": [
            {"type": "inside", "zoomOnMouseWheel": "ctrl", "moveOnMouseMove": True, "filterMode": "none"},
            {
                "type": "slider",
                "height": 22,
                "bottom": 8,
                "borderColor": "transparent",
                "backgroundColor": GRID,
                "fillerColor": "rgba(16,152,164,0.16)",
                "textStyle": {"color": LABELS},
                "brushSelect": False,
                "filterMode": "none",
            },
        ],
        "series": [
            _band_part("floor", None),
            _band_part("height", {"color": BAND}),
            {
                "type": "line",
                "name": "",
                "data": [],
                "color": LINE,
                "lineStyle": {"width": 1.75},
                "symbolSize": 4,
                "showSymbol": True,
                "step": False,
            },
        ],
    }


def _band_part(name: str, area: dict[str, str] | None) -> Options:
    part: Options = {
        "type": "line",
        "name": name,
        "data": [],
        "stack": "band",
        "stackStrategy": "all",
        "symbol": "none",
        "silent": True,
        "lineStyle": {"opacity": 0},
        "tooltip": {"show": False},
    }
    return part | {"areaStyle": area} if area else part
