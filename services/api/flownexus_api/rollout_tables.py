"""Rollouts as the tables have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api.rollout_views import RolloutStep, Tallies, tallies_of
from flownexus_schemas.rollouts.device import BAD
from flownexus_schemas.tables import Rollout as Kept
from flownexus_schemas.tables import RolloutChange as Change

_COUNTED = """
select d.rollout_id, d.group_number, d.status, count(*) as devices,
    count(*) filter (where d.status = any(:bad) and d.ended_at <= (r.state ->> 'accepted_until')::timestamptz)
        as set_aside
from rollout_device d join rollout r on r.id = d.rollout_id
where d.rollout_id = any(:rollouts) group by d.rollout_id, d.group_number, d.status
"""


async def tallies(database: AsyncConnection, rollouts: Sequence[str]) -> dict[str, Tallies]:
    """How the devices of each of these rollouts stand."""
    values = {"rollouts": list(rollouts), "bad": sorted(BAD)}
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in await database.execute(text(_COUNTED), values):
        found[row.rollout_id].append(row)
    return {rollout: tallies_of(found[rollout]) for rollout in rollouts}


async def history(database: AsyncConnection, rollout: str) -> list[RolloutStep]:
    """What happened to the rollout itself, the oldest first."""
    query = (
        select(Change.time, Change.status, Change.action)
        .where(Change.rollout_id == rollout, Change.endpoint.is_(None))
        .order_by(Change.stream_sequence)
    )
    return [RolloutStep.model_validate(row, from_attributes=True) for row in await database.execute(query)]


async def rolled_back_by(database: AsyncConnection, rollout: str) -> str | None:
    """The newest rollout that takes this one back."""
    query = select(Kept.id).where(Kept.rollback_of == rollout).order_by(Kept.created_at.desc()).limit(1)
    found: str | None = await database.scalar(query)
    return found
