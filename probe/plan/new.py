"""A first plan for any country, with comments for someone who has never seen one."""

from __future__ import annotations

from probe.plan.countries import country_names, find_country, timezones_of

# What is publicly known of a country's mobile networks and their evenings; sources and years as given.
_GROUNDING = {
    "AE": "median mobile download 691.8 Mbit/s (Ookla 12/2025)",
    "BR": "median round trip 28 ms to in-country servers, 22.3/7.8 Mbit/s (Ookla Q1 2022)",
    "ID": "4G is 3.2 times slower at its worst hour than at its best, 18.5 Mbit/s (Opensignal, data 2018)",
    "IN": "4G is 3.9 times slower at its worst hour, in the evening (Opensignal, data 2018); "
    "round trip 54-73 ms by operator (Opensignal 12/2019-2/2020)",
    "MX": "Mexico City some 30 Mbit/s, the worst tenth 3 or less (Ookla Q1 2025)",
    "MY": "4G: 9 Mbit/s at 22:00 against 21 at 01:00-03:00 (Opensignal, data 2018)",
    "NG": "average round trip 79-120 ms by operator (nPerf 2024); 787 ms under load (NCC/Ookla Q4 2025); "
    "nPerf counts 18:00-23:00 as busy",
    "PH": "4G is 2.8 times slower at its worst hour, in the evening (Opensignal 9/2019); "
    "round trip 47-56 ms by operator (Ookla Q4 2022)",
    "SA": "round trip 13-24 ms to servers in the region, 81-89 ms to Europe (CITC Q1 2021)",
    "SG": "4G is 1.3 times slower at its worst hour, 18:00 (Opensignal, data 2018)",
    "TH": "4G 11.7 Mbit/s at its best hour (Opensignal, data 2018)",
    "VN": "round trip 28-38 ms by city (Ookla H1 2025); 76.9/27.0 Mbit/s (VNNIC 5/2025)",
}
_OWN_PATHS = {"ID": ("id-4g-evening", "id-4g-day")}

_TEMPLATE = """\
# yaml-language-server: $schema=probe.schema.json
#
# {name}: how good is a real-time-communication vendor here, in the evening as well as at night?
#
#   probe plan check {file}      is this file right?
#   probe plan show {file}       what would be sent, how much, how long, and when the evening starts
#   probe run {file}             measure
#   probe plan schema -o probe.schema.json      completion and checks while you type, in most editors
#
# Times, sizes, rates and per cents carry a unit. A key this version does not know is refused.
{grounding}version: 1
country: {code}                       # ISO 3166-1 alpha-2
title: {{en: "{name}"}}
{zone_comment}timezone: {zone}

# Hours of the node's local day. In the evening everyone is online at once; before dawn nobody is.
windows:
  peak:    {{start: 19:00, end: 23:00}}
  offpeak: {{start: 04:00, end: 08:00}}

# This node runs on your own machine behind an emulated 4G access, so the plan works at once. Going live:
# start `probe node` at the vendor, then put in its address and the fingerprint it prints, and delete `path`:
#
#     - {{name: {city}-1, endpoint: "probe://node.vendor.example:40000", fingerprint: "sha256:..."}}
#
# The shared key comes from the environment: export VENDOR_KEY=... before the run.
vendors:
  - name: example
    key: "${{VENDOR_KEY:-}}"
    nodes:
      - {{name: {city}-1, endpoint: emulated, path: {{peak: {peak}, offpeak: {offpeak}}}}}

# What to send. `deadline` is how long a player can wait for a packet.
scenarios:
  voice: {{preset: voice, duration: 30s, deadline: 400ms, recovery: {{nack: true}}}}
  video: {{preset: video, bitrate: 1200kbps, duration: 30s, deadline: 400ms}}

# Put in front of the node's own network: nothing, or a bad connection (profiles/networks/*.yaml).
networks: [clean, lossy-3g]

# Every combination in a row is one session. QUIC is compared at voice rate.
matrix:
  - {{scenarios: [voice], transports: [udp, quic-datagram, quic-stream], networks: [clean]}}
  - {{scenarios: [voice], transports: [udp], networks: [lossy-3g]}}
  - {{scenarios: [video], transports: [udp], networks: [clean]}}

# What is good enough. `severity: warn` is reported and fails nothing.
thresholds:
  - reachable >= 99%
  - {{expr: rtt.p95 < 200ms, network: clean}}
  - {{expr: loss < 2%, network: clean}}
  - {{expr: down.residual < 5%, network: lossy-3g}}
  - {{expr: peak_ratio(rtt.p50) < 2x, severity: warn}}
"""


def new_plan(country: str, file: str = "plan.yaml") -> str:
    """The text of a plan for a country given by ISO code or English name; `file` is what comments call it.

    Raises ConfigError with the nearest name when there is no such country.
    """
    code = find_country(country)
    zones = timezones_of(code)
    peak, offpeak = _OWN_PATHS.get(code, ("4g-evening", "4g-day"))
    zone = zones[0] if zones else "UTC"
    grounding = _GROUNDING.get(code)
    return _TEMPLATE.format(
        name=country_names()[code],
        file=file,
        code=code,
        grounding=f"#\n# Known from elsewhere: {grounding}.\n" if grounding else "",
        zone_comment=_zone_comment(zones),
        zone=zone,
        city=zone.rpartition("/")[2].lower().replace("_", "-"),
        peak=peak,
        offpeak=offpeak,
    )


def _zone_comment(zones: tuple[str, ...]) -> str:
    """Says which other zones a node may be in."""
    if not zones:
        return "# Nobody lives here and no time zone is kept; UTC until you know better.\n"
    if len(zones) == 1:
        return ""
    lines, line = [], "# Where most people live. A node elsewhere has its own `timezone`:"
    for zone in zones[1:]:
        if len(line) + len(zone) > 100:
            lines.append(line)
            line = "#  "
        line += f" {zone}"
    return "\n".join([*lines, line]) + "\n"
