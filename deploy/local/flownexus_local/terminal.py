"""How devices and their events look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from rich.markup import escape
from rich.table import Table

from flownexus_local.api_client import Endpoint
from flownexus_schemas.events import (
    KINDS,
    BootstrapProgressed,
    EndpointDeregistered,
    EndpointHeard,
    EndpointOverdue,
    EndpointRegistered,
    EndpointUpdated,
    Event,
    LogReported,
    ObservationChanged,
    Report,
    ValuesReported,
)

STATUS_COLOURS = {"online": "green", "asleep": "cyan", "offline": "red"}
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
LONGEST_VALUE = 60


def endpoint_table(endpoints: Iterable[Endpoint], now: datetime) -> Table:
    """One row for each device."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("ENDPOINT", "STATUS", "LAST SEEN", "EXPECTED", "LWM2M", "LIFETIME", "ADDRESS"):
        table.add_column(heading, no_wrap=heading != "ENDPOINT", overflow="fold")
    for endpoint in endpoints:
        address = endpoint.address
        table.add_row(
            escape(endpoint.name),
            _status(endpoint),
            ago(endpoint.last_seen_at, now),
            away(endpoint.next_expected_at, now),
            (endpoint.lwm2m_version or "") + (" Q" if endpoint.queue_mode else ""),
            f"{endpoint.lifetime_s} s" if endpoint.lifetime_s is not None else "",
            escape(f"{address['host']}:{address['port']}") if address else "",
        )
    return table


def _status(endpoint: Endpoint) -> str:
    status = f"[{STATUS_COLOURS.get(endpoint.status, 'default')}]{escape(endpoint.status)}[/]"
    return f"{status} [yellow]overdue[/]" if endpoint.overdue else status


def away(moment: datetime | None, now: datetime) -> str:
    """How long until then; how long ago where it is past."""
    if moment is None:
        return ""
    return f"in {ago(now, moment).removesuffix(' ago')}" if moment > now else ago(moment, now)


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that is not nought."""
    if moment is None:
        return "never"
    seconds = max(0, int((now - moment).total_seconds()))
    for unit_s, unit in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= unit_s:
            return f"{seconds // unit_s} {unit} ago"
    return f"{seconds} s ago"


def event_line(event: Event) -> str:
    """One event as one line of markup: when, who, what."""
    time = event.time.astimezone(UTC).strftime("%H:%M:%S")
    return f"[dim]{time}[/] [bold]{escape(event.subject)}[/] [blue]{KINDS[type(event)]}[/] {escape(_details(event))}"


def _details(event: Event) -> str:
    match event:
        case ValuesReported(data=Report(undecoded=str(reason))):
            return f"not decoded: {reason}"
        case ValuesReported(data=report):
            return "  ".join(f"{record.path}={_short(record.value)}" for record in report.records)
        case EndpointRegistered(data=registration) | EndpointUpdated(data=registration):
            return f"lifetime {registration.lifetime_s} s, objects {' '.join(registration.object_links)}"
        case EndpointDeregistered(data=end):
            return end.reason
        case ObservationChanged(data=change):
            code = f" ({change.code})" if change.code else ""
            return f"{change.state} {' '.join(change.observation.paths)}{code}"
        case LogReported(data=line):
            return f"{line.level}: {line.text}"
        case EndpointHeard(data=hearing):
            return hearing.by
        case EndpointOverdue(data=overdue):
            return f"silent since {overdue.last_heard_at:%H:%M:%S}, expected at {overdue.expected_at:%H:%M:%S}"
        case BootstrapProgressed(data=step):
            return f"{step.state}: {step.text}"


def _short(value: float | str) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
