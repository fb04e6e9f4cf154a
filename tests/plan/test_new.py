from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from probe.errors import ConfigError
from probe.plan.countries import country_names, find_country, timezones_of
from probe.plan.load import load_text
from probe.plan.new import new_plan

SOME = {"ID", "TH", "US", "BR", "NG", "TR", "AQ"}
"""In the fast tier; all others are in the whole suite."""


@pytest.mark.parametrize(
    "code",
    [pytest.param(code, marks=() if code in SOME else pytest.mark.slow) for code in country_names()],
)
def test_a_new_plan_for_any_country_loads_clean(code: str) -> None:
    loaded = load_text(new_plan(code), Path("plan.yaml"), {})
    assert not loaded.warnings
    assert loaded.plan.country == code
    assert loaded.plan.title["en"] == country_names()[code]
    assert ZoneInfo(loaded.plan.timezone)
    assert (loaded.plan.windows["peak"].start, loaded.plan.windows["peak"].end) == (19 * 60, 23 * 60)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("thailand", "TH"),
        ("TH", "TH"),
        ("th", "TH"),
        ("United States", "US"),
        ("united states of america", "US"),
        ("uk", "GB"),
        ("south korea", "KR"),
        ("Korea, Republic of", "KR"),
        ("Viet Nam", "VN"),
        ("Türkiye", "TR"),
        ("CURACAO", "CW"),
        ("the gambia", "GM"),
        ("St. Lucia", "LC"),
        ("saint kitts & nevis", "KN"),
        ("bosnia", "BA"),
        ("ivory coast", "CI"),
        ("norway", "NO"),
    ],
)
def test_a_country_by_code_or_name(text: str, code: str) -> None:
    assert find_country(text) == code


def test_a_country_that_is_none() -> None:
    with pytest.raises(ConfigError, match="no country 'Thailnad', did you mean 'thailand'"):
        find_country("Thailnad")
    with pytest.raises(ConfigError, match="no country ''"):
        find_country("")


@pytest.mark.parametrize(
    ("code", "zone"),
    [
        ("AU", "Australia/Sydney"),
        ("BR", "America/Sao_Paulo"),
        ("CA", "America/Toronto"),
        ("ID", "Asia/Jakarta"),
        ("RU", "Europe/Moscow"),
        ("US", "America/New_York"),
        ("TH", "Asia/Bangkok"),
    ],
)
def test_the_zone_is_that_of_most_people_and_the_others_are_named(code: str, zone: str) -> None:
    zones = timezones_of(code)
    assert zones[0] == zone
    text = new_plan(code)
    assert f"timezone: {zone}\n" in text
    assert all(other in text for other in zones)


def test_a_country_where_nobody_lives_keeps_utc() -> None:
    assert "timezone: UTC\n" in new_plan("HM")


def test_lines_fit_a_screen() -> None:
    assert max(len(line) for code in country_names() for line in new_plan(code).splitlines()) <= 200
