"""The networks that come with the program: each says where its numbers are from, and does what it says."""

from __future__ import annotations

import re
from functools import cache
from math import sqrt

import numpy as np
import pytest

from probe.impairment.losses import GilbertElliott, Loss
from probe.impairment.portrait import PROBE_PPS, Portrait, portraits
from probe.impairment.profile import Impairment, NetworkProfile
from probe.plan.library import read_network
from probe.plan.locate import network_names, packaged_profiles

NAMES = network_names([packaged_profiles()])
SPAN_S = 200
SOURCES = re.compile(
    r"own estimate|own definition|definition|sweeps that vendors publish|Apple|Facebook ATC|WebPageTest|Loadero|RFC \d+"
)
COUNTRIES = ("id", "ph", "th", "vn", "my", "sg", "in", "sa", "ae", "br", "mx", "ng")


@cache
def network(name: str) -> NetworkProfile:
    profile, warnings = read_network(name)
    assert warnings == []
    return profile


@cache
def drawn(name: str) -> tuple[Portrait, Portrait]:
    return portraits(network(name), 20261128, SPAN_S * 1_000_000_000, SPAN_S)


def steady(impairment: Impairment) -> bool:
    return impairment.timeline is None and not impairment.outages


def inflation(impairment: Impairment) -> float:
    """Of the variance of the loss ratio: losses come in bursts."""
    if not isinstance(impairment.loss, Loss) or impairment.loss.burst is None:
        return 1.0
    return GilbertElliott(*impairment.loss.gilbert).inflation


def test_the_table_is_complete() -> None:
    wanted = {"2g-edge", "3g", "lossy-3g", "4g", "4g-evening", "5g", "wifi-bad", "wifi-cafe", "wifi-airport"}
    wanted |= {"satellite-geo", "satellite-leo", "elevator", "lte-handover", "rail-high-speed", "bw-drop"}
    wanted |= {f"loss-{n}{way}" for n in (30, 50, 70) for way in ("", "-up", "-down", "-burst")}
    wanted |= {f"{country}-4g-{hour}" for country in COUNTRIES for hour in ("day", "evening")}
    assert wanted <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_says_where_its_numbers_are_from(name: str) -> None:
    profile = network(name)
    assert SOURCES.search(profile.source), profile.source
    assert profile.title != name


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_loses_and_delays_as_it_says(name: str) -> None:
    profile = network(name)
    for impairment, portrait in zip((profile.up, profile.down), drawn(name), strict=True):
        if not steady(impairment):
            continue
        ratio = impairment.loss.ratio if impairment.loss else 0.0
        spread = sqrt(ratio * (1 - ratio) * inflation(impairment) / portrait.packets)
        assert abs(float(portrait.lost_ratio.mean()) - ratio) <= 4 * spread
        assert float(np.nanmin(portrait.median_ns)) >= impairment.delay_ns - 4 * impairment.jitter_ns
        if not impairment.jitter_ns and impairment.slot is None:
            service_ns = 62 * 8e9 / impairment.rate_bps if impairment.rate_bps else 0.0
            assert np.nanmax(portrait.largest_ns) == pytest.approx(impairment.delay_ns + service_ns, abs=2)
        assert (portrait.rate_bps == (impairment.rate_bps or np.inf)).all()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("loss-", "jitter-"))])
def test_a_name_with_a_number_is_about_that_number(name: str) -> None:
    kind, number, *more = name.split("-")
    profile = network(name)
    if kind == "jitter":
        assert {profile.up.jitter_ns, profile.down.jitter_ns} == {int(number) * 1_000_000}
        return
    lossy = [way for way in ("up", "down") if getattr(profile, way).loss is not None]
    assert lossy == ([more[0]] if more and more[0] in ("up", "down") else ["up", "down"])
    worst = max(getattr(profile, way).loss.ratio for way in lossy)
    assert worst == int(number) / 100
    assert (profile.up.loss is not None and getattr(profile.up.loss, "burst", None) is not None) == (
        more == ["burst"]
    )


@pytest.mark.parametrize("country", COUNTRIES)
def test_the_evening_is_slower_than_the_day(country: str) -> None:
    day, evening = (network(f"{country}-4g-{hour}") for hour in ("day", "evening"))
    for way in ("up", "down"):
        before, after = getattr(day, way), getattr(evening, way)
        assert after.rate_bps < before.rate_bps
        assert after.delay_ns > before.delay_ns
        assert after.queue_ns >= before.queue_ns


def test_an_elevator_has_no_network_for_twelve_seconds() -> None:
    for portrait in drawn("elevator"):
        assert (portrait.lost_ratio[13:25] == 1).all()
        assert (portrait.lost_ratio[:10] == 0).all()
        assert (portrait.lost_ratio[:40] == 1).sum() == 12
        assert portrait.lost_ratio[10:13].mean() > 0.05
        assert portrait.rate_bps[11] == pytest.approx(100_000)
    assert portraits(network("elevator"), 1, 40_000_000_000, 40)[0].packets == 40 * PROBE_PPS


def test_a_handover_loses_nothing_and_holds_for_up_to_300_ms() -> None:
    for portrait in drawn("lte-handover"):
        assert portrait.lost_ratio.mean() < 0.02
        assert 80e6 < np.nanmax(portrait.largest_ns) - 35e6 < 400e6
        assert 5 <= (portrait.largest_ns > 115e6).sum() <= 14


def test_a_train_stands_still_in_tunnels() -> None:
    for portrait in drawn("rail-high-speed"):
        assert 3 <= (portrait.lost_ratio > 0.5).sum() <= 30
        assert np.nanmax(portrait.largest_ns) < 1.4e9


def test_a_low_orbit_satellite_changes_its_path_each_15_s() -> None:
    for portrait in drawn("satellite-leo"):
        means = [np.nanmean(portrait.median_ns[start : start + 14]) / 1e6 for start in range(0, 60, 15)]
        assert [round(mean - means[2]) for mean in means] == pytest.approx([7, 14, 0, 11], abs=1.5)


def test_bandwidth_drops_for_ten_seconds_of_twenty() -> None:
    for portrait in drawn("bw-drop"):
        assert portrait.rate_bps[:20].tolist() == pytest.approx([2e6] * 10 + [3e5] * 10, rel=1e-6)
