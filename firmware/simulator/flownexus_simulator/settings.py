"""Settings of the simulator's process; what it simulates is said on its command line."""

from __future__ import annotations

from pydantic import SecretStr

from flownexus_runtime.settings import ServiceSettings


class SimulatorSettings(ServiceSettings):
    """Logs and health as any service has them, from the same variables. It never opens NATS."""

    nats_url: SecretStr = SecretStr("")
