"""Rows as ingest writes them, written by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import NullPool, create_engine, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from flownexus_schemas.tables import (
    Endpoint,
    EndpointWakeUps,
    Event,
    EventResource,
    LatestValue,
    LogLine,
    ObservationOutcome,
    Resource,
    ResourceType,
)
from flownexus_schemas.tables.devices import NO_INSTANCE
from flownexus_schemas.tables.upgrade import sqlalchemy_url


class Rows:
    """Writes into the tables of devices. Each call is a transaction."""

    def __init__(self, database_url: str) -> None:
        self._engine = create_engine(sqlalchemy_url(database_url), poolclass=NullPool)
        self._sequences = count(1)

    def endpoint(self, name: str, **fields: Any) -> int:
        with self._engine.begin() as connection:
            key = connection.scalar(insert(Endpoint).values(name=name, **fields).returning(Endpoint.id))
            assert isinstance(key, int)
            return key

    def resource_type(self, object_id: int, resource_id: int, **fields: Any) -> int:
        """The key of a resource type, made where it is not there."""
        with self._engine.begin() as connection:
            values = {"object_id": object_id, "resource_id": resource_id, **fields}
            connection.execute(upsert(ResourceType).values(values).on_conflict_do_nothing())
            key = connection.scalar(
                select(ResourceType.id).where(
                    ResourceType.object_id == object_id, ResourceType.resource_id == resource_id
                )
            )
            assert key is not None
            return key

    def observation(self, endpoint_id: int, outcome: dict[str, Any]) -> None:
        """An observation as the API answers it."""
        values = {**outcome, "paths": ",".join(outcome["paths"]), "time": datetime.fromisoformat(outcome["time"])}
        with self._engine.begin() as connection:
            connection.execute(insert(ObservationOutcome).values(endpoint_id=endpoint_id, stream_sequence=1, **values))

    def wake_ups(self, endpoint_id: int, expected_at: datetime, expected_by: datetime, **fields: Any) -> None:
        """When it is expected next."""
        values = {"began_at": expected_at, "learned": {}, "interval_s": 600.0, **fields}
        values |= {"expected_at": expected_at, "expected_by": expected_by}
        with self._engine.begin() as connection:
            connection.execute(insert(EndpointWakeUps).values(endpoint_id=endpoint_id, **values))

    def log(self, endpoint_id: int, time: datetime, level: str, text: str, sequence: int | None = None) -> None:
        with self._engine.begin() as connection:
            values = {"time": time, "level": level, "text": text, "stream_sequence": sequence or next(self._sequences)}
            connection.execute(insert(LogLine).values(endpoint_id=endpoint_id, **values))

    def reading(
        self,
        endpoint_id: int,
        path: str,
        time: datetime,
        *,
        data_type: str = "float",
        received_at: datetime | None = None,
        sequence: int | None = None,
        index: int = 0,
        latest: bool = True,
        **value: Any,
    ) -> tuple[datetime, int, int]:
        """One value, in `resource` and `latest_value`; its key."""
        object_id, instance_id, resource_id, *rest = map(int, path.split("/"))
        type_id = self.resource_type(object_id, resource_id)
        key = (time.astimezone(UTC), sequence or next(self._sequences), index)
        series = {
            "endpoint_id": endpoint_id,
            "resource_type_id": type_id,
            "object_instance_id": instance_id,
            "resource_instance_id": rest[0] if rest else NO_INSTANCE,
        }
        content = {
            "time": key[0],
            "stream_sequence": key[1],
            "record_index": key[2],
            "received_at": received_at or key[0],
            "data_type": data_type,
            **value,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(Resource).values(**series, **content))
            if latest:
                newest = upsert(LatestValue).values(**series, **content)
                connection.execute(newest.on_conflict_do_update(index_elements=list(series), set_={**content, **value}))
        return key

    def event(
        self,
        endpoint_id: int,
        event_type: str,
        readings: list[tuple[datetime, int, int]],
        received_at: datetime | None = None,
    ) -> None:
        """An event of these readings, at the time of the newest, with the sequence of the first."""
        time, sequence = max(reading[0] for reading in readings), readings[0][1]
        with self._engine.begin() as connection:
            connection.execute(
                insert(Event).values(
                    time=time,
                    stream_sequence=sequence,
                    endpoint_id=endpoint_id,
                    event_type=event_type,
                    received_at=received_at or time,
                )
            )
            for reading in readings:
                connection.execute(
                    insert(EventResource).values(
                        event_time=time,
                        event_stream_sequence=sequence,
                        resource_time=reading[0],
                        resource_stream_sequence=reading[1],
                        resource_record_index=reading[2],
                    )
                )
