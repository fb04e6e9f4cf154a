"""Where a node cannot be: light in fibre is no faster than 100 km a millisecond of round trip."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_KM = 6371.0088
"""Mean radius (IUGG)."""
KM_A_MS = 100.0
"""Of round trip: two thirds of the speed of light, there and back."""


@dataclass(frozen=True, slots=True)
class Place:
    """Degrees, north and east positive."""

    latitude: float
    longitude: float


def distance_km(one: Place, other: Place) -> float:
    """Along a great circle (haversine)."""
    lat_1, lat_2 = radians(one.latitude), radians(other.latitude)
    half_lat, half_lon = (lat_2 - lat_1) / 2, radians(other.longitude - one.longitude) / 2
    chord = sin(half_lat) ** 2 + cos(lat_1) * cos(lat_2) * sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(chord))


def least_round_trip_ms(one: Place, other: Place) -> float:
    """No packet is there and back sooner."""
    return distance_km(one, other) / KM_A_MS


def refuted(claimed: Place, vantage: Place, round_trip_ms: float) -> bool:
    """Whether a node that answers so soon cannot be where it is claimed to be."""
    return round_trip_ms < least_round_trip_ms(claimed, vantage)
