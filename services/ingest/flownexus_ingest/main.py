"""Builds ingest from its settings and runs it until a signal."""

from __future__ import annotations

import sys
from typing import NoReturn

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError

from flownexus_ingest.service import Ingest
from flownexus_ingest.settings import IngestSettings
from flownexus_runtime import health, logs, process
from flownexus_runtime.bus_tls import TlsFailed
from flownexus_runtime.live_models import LiveObjectModels
from flownexus_schemas import objects
from flownexus_schemas.lwm2m.errors import InvalidObjectModel

MISCONFIGURED = 2


def main() -> None:
    """Run until SIGTERM or SIGINT. Exit code 2 and one line on standard error where a setting is wrong."""
    try:
        settings = IngestSettings()
        conninfo_to_dict(settings.database_url.get_secret_value())
        models = LiveObjectModels(objects.load(settings.object_model_folders))
    except ValidationError as error:
        _refuse("; ".join(f"FLOWNEXUS_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()))
    except psycopg.ProgrammingError:
        _refuse("FLOWNEXUS_DATABASE_URL is not postgresql://user:password@host:port/database")
    except InvalidObjectModel as error:
        _refuse(f"FLOWNEXUS_OBJECT_MODEL_FOLDERS: {error}")
    logs.configure("ingest", settings.log_level, settings.log_format)
    try:
        process.run(_serve(settings, Ingest(settings, models)))
    except TlsFailed as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"FLOWNEXUS_HEALTH_PORT: {settings.health_host}:{settings.health_port}: {error.strerror or error}")


async def _serve(settings: IngestSettings, ingest: Ingest) -> None:
    stop = process.stop_signal()
    checks = {"nats": ingest.is_connected, "database": ingest.is_working}
    async with health.serving(settings, checks):
        await process.until_stopped(ingest.run(), stop)


def _refuse(problem: str) -> NoReturn:
    sys.stderr.write(f"flownexus_ingest: {problem}\n")
    sys.exit(MISCONFIGURED)
