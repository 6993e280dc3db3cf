"""The roles of the database, a service each; what each may do there is in tables/roles.py."""

from __future__ import annotations

from enum import StrEnum


class DatabaseRole(StrEnum):
    """The roles. GRAFANA reads what devices sent and what was asked of them, and nothing of people."""

    INGEST = "flownexus_ingest"
    API = "flownexus_api"
    GRAFANA = "flownexus_grafana"
