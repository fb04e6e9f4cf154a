"""A campaign is killed again and again: sessions and packets add up, nothing is doubled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from probe.errors import ConfigError
from probe.plan.load import load_plan
from probe.session.campaign import CampaignOptions, open_campaign
from probe.store.resume import only_writer
from tests.session.kill_campaign import kill_and_go_on
from tests.session.short_campaign import EPOCH, PLAN


@pytest.mark.slow
@pytest.mark.net
def test_killed_again_and_again_it_adds_up(tmp_path: Path) -> None:
    """Twenty kills, and sessions long enough to be cut in two: `python -m tests.session.kill_campaign`."""
    found = kill_and_go_on(tmp_path, kills=4, speed=2000, longest_s=5.0)
    assert found.kills
    assert found.done + found.missed == found.planned
    assert found.campaigns == 1


def opened(
    tmp_path: Path, now: datetime, *, days: int = 3, seed: int = 1, max_rate: int | None = None
) -> str:
    (tmp_path / "plan.yaml").write_text(PLAN)
    loaded = load_plan(str(tmp_path / "plan.yaml"))
    options = CampaignOptions(tmp_path / "results", days, seed, max_rate=max_rate)
    return open_campaign(loaded, options, now).run_id


def test_the_same_plan_goes_on_with_the_same_campaign(tmp_path: Path) -> None:
    first = opened(tmp_path, EPOCH)
    assert opened(tmp_path, EPOCH + timedelta(days=2)) == first
    with pytest.raises(ConfigError, match=r"goes on until .* with --days 3"):
        opened(tmp_path, EPOCH, days=4)
    with pytest.raises(ConfigError, match="with --seed 1"):
        opened(tmp_path, EPOCH, seed=2)
    assert opened(tmp_path, EPOCH + timedelta(days=4)) != first  # that one is over


@pytest.mark.slow
def test_two_processes_do_not_measure_one_campaign(tmp_path: Path) -> None:
    run_id = opened(tmp_path, EPOCH)
    with (
        only_writer(tmp_path / "results", run_id),
        pytest.raises(ConfigError, match="is being measured by another process"),
        only_writer(tmp_path / "results", run_id),
    ):
        pass


def test_a_rate_above_the_cap_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a session of 'voice' over udp sends \d+ kbit/s to a node"):
        opened(tmp_path, datetime(2026, 11, 22, tzinfo=UTC), max_rate=1000)
    assert not (tmp_path / "results").exists()
