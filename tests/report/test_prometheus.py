"""The text format, as promtool and a node_exporter read it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from probe.report.prometheus import prometheus
from tests.report.judged import MANIFEST, judged

SAMPLE = re.compile(r'rtcprobe_\w+(\{(\w+="(\\.|[^"\\\n])*",?)*\})? (\S+)')


def samples(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_no_sample_comes_twice_or_with_a_time_stamp() -> None:
    found = samples(prometheus(judged(), MANIFEST))
    assert all(SAMPLE.fullmatch(line) for line in found)
    names = [line.rpartition(" ")[0] for line in found]
    assert len(set(names)) == len(names)


def test_base_units_and_infinity() -> None:
    text = prometheus(judged(), MANIFEST)
    assert 'rtcprobe_run_verdict{country="ID",verdict="fail"} 1' in text
    assert "rtcprobe_run_exit_code" in text
    assert re.search(r'rtcprobe_threshold_value_seconds\{expr="rtt.p95 < 200ms".*\} 0.2432', text)
    assert re.search(r'rtcprobe_threshold_value_seconds\{expr="rtt.p50 < 1s".*\} \+Inf', text)
    rtt = re.findall(r'rtcprobe_rtt_seconds\{.*aggregate="p50"\} (\S+)', text)
    assert all(0.05 < float(value) < 0.1 for value in rtt if value != "+Inf")
    assert rtt.count("+Inf") == 1  # the cell that lost every second packet
    assert all(0 <= float(value) <= 1 for value in re.findall(r"rtcprobe_loss_ratio\{.* (\S+)", text))


def test_sessions_of_a_cell_are_pooled() -> None:
    text = prometheus(judged(), MANIFEST)
    packets = re.findall(r'rtcprobe_packets\{vendor="alpha".*window="peak".* (\d+)', text)
    assert sum(map(int, packets)) == 1200


def test_nothing_measured_is_no_sample_and_no_zero() -> None:
    text = prometheus(replace(judged(), sessions=(), thresholds=()), MANIFEST)
    assert "rtcprobe_rtt" not in text
    assert "rtcprobe_run_sessions" in text


@pytest.mark.foreign
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_nothing_to_say() -> None:
    text = prometheus(judged(), MANIFEST)
    told = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


@pytest.mark.foreign
@pytest.mark.net
@pytest.mark.skipif(shutil.which("prometheus-node-exporter") is None, reason="node_exporter is not installed")
def test_a_node_exporter_shows_every_sample(tmp_path: Path) -> None:
    text = prometheus(judged(), MANIFEST)
    (tmp_path / "probe.prom").write_text(text, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    command = ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile"]
    options = [f"--collector.textfile.directory={tmp_path}", f"--web.listen-address={address}"]
    with subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL) as exporter:
        try:
            shown = _fetch(f"http://{address}/metrics")
        finally:
            exporter.terminate()
    assert "node_textfile_scrape_error 0" in shown
    expected = {_labels(line) for line in samples(text)}
    assert expected <= {_labels(line) for line in samples(shown)}


def _labels(line: str) -> tuple[str, frozenset[str], float]:
    """A sample whatever the order of its labels; an empty one is the same as none."""
    name, value = line.rpartition(" ")[::2]
    inside = re.findall(r'(\w+="(?:\\.|[^"\\])+")', name)
    return name.partition("{")[0], frozenset(inside), float(value)


def _fetch(url: str) -> str:
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the exporter does not answer")
