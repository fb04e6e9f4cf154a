from __future__ import annotations

from pathlib import Path

import pytest

from probe.errors import ConfigError
from probe.impairment.profile import CLEAN, Impairment, Loss, NetworkProfile
from probe.plan.diagnostics import PlanError
from probe.plan.library import known_networks, load_network
from probe.plan.networks import from_document, to_document

MS = 1_000_000
SHIPPED = known_networks()


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_networks_say_where_their_numbers_are_from(name: str) -> None:
    profile = load_network(name)
    assert profile.name == name
    assert len(profile.source) >= 10
    assert profile.title != name
    assert name == "clean" or not profile.clean


def test_the_shipped_networks_are_the_known_ones() -> None:
    assert {
        "clean",
        "lossy-3g",
        "3g",
        "4g",
        "id-4g-day",
        "id-4g-evening",
        "wifi-bad",
        "loss-10-burst",
    } <= set(SHIPPED)


def test_the_clean_file_is_the_built_in_network() -> None:
    path = Path(__file__).parents[2] / "profiles" / "networks" / "clean.yaml"
    profile = load_network(str(path))
    assert (profile.up, profile.down) == (CLEAN.up, CLEAN.down)


def test_loss_10_burst_is_ten_per_cent_up_in_threes_and_two_down() -> None:
    profile = load_network("loss-10-burst")
    assert profile.up.loss == Loss(0.1, 3.0)
    assert profile.down.loss == Loss(0.02, None)


def test_a_file_becomes_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        """\
title: Mine
source: measured in the kitchen
up: {delay: 10ms, jitter: 2ms, distribution: pareto, ordered: false, loss: {ratio: 3%, burst: 2}}
down: {loss: 1%, rate: 2.5Mbps, queue: 0.5s}
"""
    )
    assert load_network(str(path)) == NetworkProfile(
        "mine",
        "Mine",
        Impairment(10 * MS, 2 * MS, "pareto", ordered=False, loss=Loss(0.03, 2.0)),
        Impairment(loss=Loss(0.01), rate_bps=2_500_000, queue_ns=500 * MS),
        "measured in the kitchen",
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_documents_read_back(name: str) -> None:
    profile = load_network(name)
    assert from_document(to_document(profile)) == profile


def test_an_unordered_network_reads_back() -> None:
    direction = Impairment(5 * MS, MS, "uniform", ordered=False, loss=Loss(1.0))
    profile = NetworkProfile("x", "X", direction, Impairment(), "test")
    assert from_document(to_document(profile)) == profile


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("up: {delay: 10}", "1:13: 10 has no unit: write a duration such as 30s, 200ms or 5m"),
        ("upp: {}", "1:1: unknown key 'upp', did you mean 'up'?"),
        ("up: {loss: {ratio: 3%, brst: 2}}", "1:24: unknown key 'brst', did you mean 'burst'?"),
        ("up: {loss: {ratio: 3%, burst: 2s}}", "1:31: a mean burst is a number of packets, such as 3"),
        (
            "up: {loss: {ratio: 50%, burst: 1}}",
            (
                "1:12: a mean burst of 1 is shorter than a loss of 50 % allows: independent losses already come "
                "2 in a row, so give that or more, or leave `burst` out"
            ),
        ),
        (
            "down: {rate: 1bps}",
            "1:7: a rate of 1 bit/s is impossible: give 8 bit/s or more",
        ),
        ("down: {distribution: paretto}", "1:22: 'paretto' is not known here, did you mean 'pareto'?"),
        ("name: other", "1:7: the name of the network is its file's: write mine"),
        ("[]", "1:1: this must be a mapping, such as {key: value}"),
        ("", "1:1: the file is empty"),
    ],
)
def test_a_bad_file_is_told_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(PlanError) as refusal:
        load_network(str(path))
    (found,) = refusal.value.diagnostics
    assert f"{found.mark.line}:{found.mark.column}: {found.message}" == sentence


def test_a_network_that_is_nowhere() -> None:
    with pytest.raises(ConfigError) as refusal:
        load_network("lossy-3")
    assert str(refusal.value) == "no network 'lossy-3', did you mean 'lossy-3g'?"
    with pytest.raises(ConfigError, match=r"no network file '\./none\.yaml'"):
        load_network("./none.yaml")
