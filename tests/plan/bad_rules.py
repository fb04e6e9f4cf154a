"""One bad plan for each rule: (what to change, into what, what the caret points at, the sentence)."""

from __future__ import annotations

NO_KEY = (
    "the node 'jkt-1' has no key, or an empty one: write key: \"${NODE_KEY}\" here or on its vendor "
    "and export NODE_KEY before the run"
)

RULES = [
    ("version: 1", "version: 2", "2", "this program reads plans of version 1: write version: 1"),
    ("version: 1\n", "", "country: ID", "the key 'version' is missing"),
    ("vendors:\n", "vendor:\n", "vendor:", "unknown key 'vendor', did you mean 'vendors'?"),
    ("country: ID", "country: id", "id", "write the country code in capitals: ID"),
    (
        "country: ID",
        "country: Indonesia",
        "Indonesia",
        "'Indonesia' is no ISO 3166-1 alpha-2 country code, did you mean ID (Indonesia)?",
    ),
    ("country: ID", "country: XX", "XX", "'XX' is no ISO 3166-1 alpha-2 country code"),
    (
        "Asia/Jakarta",
        "Asia/Jakrta",
        "Asia/Jakrta",
        "unknown time zone 'Asia/Jakrta', did you mean 'Asia/Jakarta'?",
    ),
    (
        "{en: Indonesia, zh: 印度尼西亚}",
        "Indonesia",
        "Indonesia",
        "this must be a mapping, such as {key: value}",
    ),
    (
        "{en: Indonesia,",
        "{English: Indonesia,",
        "English",
        "this must be a two-letter language code, such as en or zh",
    ),
    # windows
    ("start: 04:00", "start: 4", "4,", "4 is not a time of day: write HH:MM, such as 19:00"),
    (
        "start: 04:00, end: 08:00",
        "start: 04:00, end: 04:00",
        "04:00}",
        "the window has no length: for a whole day write start: 00:00, end: 24:00",
    ),
    (
        "start: 04:00, end: 08:00",
        "start: 24:00, end: 08:00",
        "24:00",
        "a window starts before 24:00: write 00:00 for midnight",
    ),
    ("[mon, tue,", "[mon, tues,", "tues", "'tues' is not known here, did you mean 'tue'?"),
    (
        "start: 04:00, end: 08:00",
        "start: 22:00, end: 08:00",
        "{start: 22:00",
        "the windows 'peak' and 'offpeak' overlap: a packet would be in both",
    ),
    (
        "offpeak: {start: 04:00, end: 08:00}",
        "offpeak: {start: 04:00, end: 08:00}\n  other: {start: 09:00, end: 10:00}",
        "{start: 09:00",
        "'other' is the name of all hours outside the windows: choose another",
    ),
    # who and where
    ("asn: 7713", "asn: AS7713", "AS7713", "this must be a whole number"),
    (
        "name: jkt-1",
        "name: jkt/1",
        "jkt/1",
        "'jkt/1' is no name: use letters, digits, '.', '_' and '-', at most 64",
    ),
    ("name: sim-1", "name: jkt-1", "jkt-1", "the node 'jkt-1' is already on line 16: names are unique"),
    (
        "name: alpha",
        "name: controls",
        "controls\n",
        "'controls' is where results of the plan's own controls are kept: choose another",
    ),
    (
        "probe://jkt1.alpha.example:40000",
        "jkt1.alpha.example:40000",
        '"jkt1',
        "'jkt1.alpha.example:40000' is not an endpoint: write probe://host:port or `emulated`",
    ),
    (
        "probe://jkt1.alpha.example:40000",
        "probe://jkt1.alpha.example",
        '"probe:',
        "'probe://jkt1.alpha.example' has no port: write probe://host:port or `emulated`",
    ),
    (
        "probe://jkt1.alpha.example:40000",
        "probe://jkt1.alpha.example:99999",
        '"probe:',
        "'probe://jkt1.alpha.example:99999' has no port between 1 and 65535",
    ),
    (
        "probe://jkt1.alpha.example:40000",
        "probe://jkt1.alpha.example:40000/path",
        '"probe:',
        "'probe://jkt1.alpha.example:40000/path' says more than host and port: write probe://host:port or `emulated`",
    ),
    (
        "isp: telkom}",
        "isp: telkom, fingerprint: abc}",
        "abc}",
        "'abc' is not a fingerprint: write sha256: and 64 hexadecimal digits, as `probe node` prints it",
    ),
    (
        "isp: telkom}",
        f'isp: telkom, cafile: x.pem, fingerprint: "sha256:{64 * "a"}"}}',
        "x.pem",
        "give a fingerprint or a cafile, not both",
    ),
    ("isp: telkom}", "isp: telkom, cafile: x.pem}", "x.pem", "there is no file 'x.pem'"),
    (
        "endpoint: emulated, path: {peak: id-4g-evening, offpeak: id-4g-day}",
        "endpoint: emulated",
        "emulated}",
        "an emulated node needs a path: write path: {peak: 4g-evening, offpeak: 4g-day}",
    ),
    (
        "{peak: id-4g-evening, offpeak: id-4g-day}",
        "{offpeak: id-4g-day}",
        "{offpeak",
        "the node 'sim-1' has no path for the window 'peak'",
    ),
    (
        "{peak: id-4g-evening, offpeak: id-4g-day}",
        "{peek: id-4g-evening, offpeak: id-4g-day}",
        "peek",
        "unknown window 'peek', did you mean 'peak'?",
    ),
    (
        "{peak: id-4g-evening,",
        "{peak: id-4g-evning,",
        "id-4g-evning",
        "no network 'id-4g-evning', did you mean 'id-4g-evening'?",
    ),
    (
        '"${ALPHA_KEY:?ask the vendor for it}"',
        "geheim",
        "geheim",
        'a key does not stand in a plan: write "${NODE_KEY}" and export NODE_KEY before the run',
    ),
    (
        '"${ALPHA_KEY:?ask the vendor for it}"',
        '"${NONE:-geheim}"',
        '"${NONE',
        'a key does not stand in a plan: write "${NODE_KEY}" and export NODE_KEY before the run',
    ),
    (
        '"${ALPHA_KEY:?ask the vendor for it}"',
        '"${BETA_KEY:?ask the vendor for it}"',
        '"${BETA',
        "the environment variable BETA_KEY is not set: ask the vendor for it",
    ),
    (
        '    key: "${ALPHA_KEY:?ask the vendor for it}"\n',
        "",
        '"probe://jkt1',
        NO_KEY,
    ),
    # what to send
    (
        "duration: 30s, deadline: 200ms",
        "duration: 30, deadline: 200ms",
        "30,",
        "30 has no unit: write a duration such as 30s, 200ms or 5m",
    ),
    (
        "duration: 30s, deadline: 200ms",
        "duration: 0s, deadline: 200ms",
        "0s",
        "a stream of 0s has no packet: write how long it lasts, such as 30s",
    ),
    (
        "duration: 30s, deadline: 200ms",
        "duration: 19ms, deadline: 200ms",
        "19ms",
        "19ms is too short for one packet: a voice stream sends every 20ms",
    ),
    ("calls: 1,", "calls: 0,", "0,", "this must be at least 1 (got 0)"),
    ("calls: 1,", "calls: 70000,", "70000", "a session has at most 65535 calls"),
    (
        "calls: 1,",
        "packets: 0,",
        "packets",
        "unknown key 'packets' (known: preset, calls, duration, bitrate, deadline, recovery)",
    ),
    (
        "deadline: 200ms",
        "deadline: 2s",
        "2s",
        "a deadline lies between 0s and 2s, after which a packet is lost",
    ),
    ("nack: true", "nack: yes", "yes", "this must be true or false (got 'yes')"),
    ("nack: true", "nak: true", "nak", "unknown key 'nak', did you mean 'nack'?"),
    ("nack: true", "red: -1", "-1", "this must be 0 or more (got -1)"),
    ("nack: true", "red: two", "two", "this must be a whole number"),
    (
        "nack: true",
        "red: 18",
        "{red: 18}",
        "red reaches back at most 17 packets of a voice stream (RFC 2198 3)",
    ),
    (
        "nack: true",
        "red: 14",
        "{red: 14}",
        "red: 14 at 40kbps makes packets of 1389 bytes, over 1200: repeat fewer",
    ),
    (
        "deadline: 400ms",
        "deadline: 400ms, recovery: {red: 1}",
        "{red: 1}",
        (
            "red repeats whole packets, which those of a video stream are too long for "
            "(a block has at most 1023 bytes, RFC 2198 3): use fec"
        ),
    ),
    ("nack: true", "fec: 5", "5", "this must be a mapping, such as {key: value}"),
    ("nack: true", "fec: {k: 0}", "0", "this must be at least 1 (got 0)"),
    ("nack: true", "fec: {k: 49}", "49", "a repair packet protects at most 48 packets (got 49)"),
    (
        "nack: true",
        "fec: {k: 12, interleave: 10}",
        "10",
        "the packets of a repair packet span 111 sequence numbers: at most 110 (RFC 8627 4.2.2.1)",
    ),
    (
        "nack: true",
        "fec: {k: 1, interleave: 2}",
        "2",
        "with k: 1 every packet has a repair packet of its own: leave interleave out",
    ),
    (
        "nack: true",
        "red: 2, fec: {k: 5}",
        "[udp, quic-datagram]",
        (
            "'voice' uses red and fec, which go over udp and not over quic-datagram: "
            "give quic-datagram a scenario without"
        ),
    ),
    ("preset: voice", "preset: voise", "voise", "'voise' is not known here, did you mean 'voice'?"),
    ("1200kbps", "1200", "1200", "1200 has no unit: write a rate such as 1200kbps or 2.5Mbps"),
    ("1200kbps", "1kbps", "1kbps", "a video stream needs 18kbps or more for its packet headers"),
    # through what
    (
        "[clean, lossy-3g]\nmatrix",
        "[clean, lossy-3g, lossy-3h]\nmatrix",
        "lossy-3h",
        "no network 'lossy-3h', did you mean 'lossy-3g'?",
    ),
    (
        "[clean, lossy-3g]\nmatrix",
        "[clean, lossy-3g, {name: mine, up: {dealy: 1ms}}]\nmatrix",
        "dealy",
        "unknown key 'dealy', did you mean 'delay'?",
    ),
    (
        "[clean, lossy-3g]\nmatrix",
        "[clean, lossy-3g, {name: mine, up: {queue: 1s}}]\nmatrix",
        "{queue",
        "a queue without a rate never fills: give a rate, or leave the queue out",
    ),
    (
        "[clean, lossy-3g]\nmatrix",
        "[lossy-3g, {name: clean, up: {delay: 1s}}]\nmatrix",
        "{name: clean",
        "the network 'clean' is built in: choose another name",
    ),
    (
        "[clean, lossy-3g]\nmatrix",
        "[clean, lossy-3g, {name: lossy-3g, up: {delay: 1s}}]\nmatrix",
        "lossy-3g, up",
        "the network 'lossy-3g' is already on line 21: names are unique",
    ),
    (
        "[clean, lossy-3g]\nmatrix",
        "[clean, lossy-3g, ./none.yaml]\nmatrix",
        "./none.yaml",
        "no network file 'none.yaml'",
    ),
    # the matrix
    ("scenarios: [voice]", "scenarios: [voize]", "voize", "unknown scenario 'voize', did you mean 'voice'?"),
    (
        "transports: [udp,",
        "transports: [tcp,",
        "tcp",
        "'tcp' is not known here (known: udp, quic-datagram, quic-stream)",
    ),
    (
        "networks: [clean, lossy-3g], w",
        "networks: [clean, lossy-3], w",
        "lossy-3]",
        "unknown network 'lossy-3', did you mean 'lossy-3g'?",
    ),
    (
        "networks: [clean, lossy-3g], w",
        "networks: [clean, wifi-bad], w",
        "wifi-bad",
        "the network 'wifi-bad' is not in this plan's `networks`: add it there",
    ),
    (
        "windows: [peak, offpeak]",
        "windows: [peak, offpeek]",
        "offpeek",
        "unknown window 'offpeek', did you mean 'offpeak'?",
    ),
    ("windows: [peak, offpeak]", "windows: []", "[]", "this is empty: at least one is needed"),
    ("windows: [peak, offpeak]", "repeat: 0", "0}", "this must be at least 1 (got 0)"),
    # what is good enough
    (
        "- rtt.p95 < 200ms",
        "- rtt.p95 < 200",
        "rtt.p95 < 200\n",
        '"rtt.p95 < 200": the limit is a time: us, ms or s, and its unit is missing; did you mean "200ms"?',
    ),
    (
        "network: lossy-3g, severity: gate",
        "network: lossy-3h, severity: gate",
        "lossy-3h",
        "unknown network 'lossy-3h', did you mean 'lossy-3g'?",
    ),
    (
        "network: lossy-3g, severity",
        "vendor: alfa, severity",
        "alfa",
        "unknown vendor 'alfa', did you mean 'alpha'?",
    ),
    (
        "network: lossy-3g, severity",
        "isp: [telkom, x], severity",
        "x]",
        "unknown isp 'x' (known: telkom, telkomsel)",
    ),
    ("severity: gate", "severity: hard", "hard", "'hard' is not known here (known: gate, warn, info)"),
    # evidence and store
    ("confidence: 95%", "confidence: 0.95", "0.95", "0.95 has no % sign: write 3% or 0.5%"),
    ("confidence: 95%", "confidence: 100%", "100%", "a confidence lies between 50% and 100%, such as 95%"),
    ("block: 10s", "block: 0s", "0s", "a block of 0s holds no packet: write 10s"),
    (
        "extend_up_to: 0s",
        "extend_up_to: 15",
        "15}",
        "15 has no unit: write a duration such as 30s, 200ms or 5m",
    ),
    (
        "- rtt.p95 < 200ms",
        "- preset: video-cal",
        "video-cal",
        "unknown preset 'video-cal', did you mean 'video-call'?",
    ),
    (
        "network: lossy-3g, severity: gate",
        "preset: video-call, severity: gate",
        "video-call",
        "give an expression or a preset, not both",
    ),
    (
        "{path: results}",
        "{path: results, keep_raw: 14h}",
        "14h",
        "packets are kept for a day at least: write 14d",
    ),
]
