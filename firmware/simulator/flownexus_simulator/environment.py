"""What the sensors of a simulated device measure: a believable course of a day, with weather and noise."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sin
from random import Random
from typing import NamedTuple

DAY_S = 86_400.0
WEATHER_S = 4.3 * DAY_S
GUST_S = 1_140.0
GRAVITY = 9.80665


class Sample(NamedTuple):
    """Cel, %RH, Pa, m/s2 three times."""

    temperature: float
    humidity: float
    pressure: float
    acceleration: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Environment:
    """The place of one device; `random` gives the noise of its sensors."""

    mean_temperature: float
    phase: float
    random: Random

    @classmethod
    def somewhere(cls, random: Random) -> Environment:
        """A place of its own for a device."""
        return cls(random.uniform(8.0, 24.0), random.uniform(-0.4, 0.4), random)

    def sample(self, now: float) -> Sample:
        """What is measured at `now`, Unix seconds. Coolest before dawn UTC, warmest in the afternoon."""
        day = sin(2 * pi * (now / DAY_S - 0.375) + self.phase)
        weather = sin(2 * pi * now / WEATHER_S + 9 * self.phase)
        gust = sin(2 * pi * now / GUST_S + 40 * self.phase)
        noise = self.random.gauss
        humidity = 58 - 16 * day - 12 * weather + noise(0, 0.6)
        return Sample(
            temperature=round(self.mean_temperature + 4.5 * day + 3 * weather + 0.4 * gust + noise(0, 0.08), 2),
            humidity=round(min(max(humidity, 3.0), 100.0), 1),
            pressure=round(101_325 + 900 * weather + 60 * gust + noise(0, 6), 1),
            acceleration=(
                round(noise(0, 0.04), 3),
                round(noise(0, 0.04), 3),
                round(GRAVITY + noise(0, 0.05), 3),
            ),
        )
