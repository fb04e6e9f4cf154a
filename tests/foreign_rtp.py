"""RTP that other programs send, through our lossy relay, recorded at its end as a capture."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from probe.impairment.profile import Impairment
from probe.net.relay import Relay
from tests.wire.captures import Frame, pcap, udp

SECONDS = 2
PATIENCE = 20.0

_CALL = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="a call that plays a file">
<send retrans="500"><![CDATA[
INVITE sip:them@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:us@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:them@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:us@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=us 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rtd="true" rrs="true"/>
<send><![CDATA[
ACK sip:them@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:us@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:them@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<nop><action><exec rtp_stream="{voice},1,0,PCMU/8000"/></action></nop>
<pause milliseconds="{milliseconds}"/>
<send retrans="500"><![CDATA[
BYE sip:them@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:us@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:them@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""

_ANSWER = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="the other end, whose media is elsewhere">
<recv request="INVITE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:them@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=them 1 1 IN IP4 {host}
s=-
c=IN IP4 {host}
t=0 0
m=audio {port} RTP/AVP 0
a=rtpmap:0 PCMU/8000
]]></send>
<recv request="ACK"/>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"""


class Recorder(asyncio.DatagramProtocol):
    """Keeps what came, as frames of a capture."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.address: tuple[str, int] = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        name = transport.get_extra_info("sockname")
        self.address = name[0], name[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        ends = {"src": addr[0], "dst": self.address[0]}
        self.frames.append((time.time_ns(), udp(data, addr[1], self.address[1], **ends)))


async def record(program: str, way: Impairment, folder: Path, seed: int = 1) -> Path:
    """What arrives of `program`'s stream behind the relay: `ffmpeg-pcmu`, `ffmpeg-opus` or `sipp`."""
    loop = asyncio.get_running_loop()
    transport, recorder = await loop.create_datagram_endpoint(Recorder, local_addr=("127.0.0.1", 0))
    try:
        async with Relay.start(recorder.address, way, Impairment(), seed) as relay:
            if program == "sipp":
                await _sipp(relay.address, folder)
            else:
                await _ffmpeg(relay.address, program.removeprefix("ffmpeg-"))
            await asyncio.sleep(0.3)
    finally:
        transport.close()
    path = folder / f"{program}.pcap"
    path.write_bytes(pcap(recorder.frames))
    return path


async def _ffmpeg(target: tuple[str, int], codec: str) -> None:
    coding = {
        "pcmu": ("-c:a", "pcm_mulaw", "-ar", "8000"),
        "opus": ("-c:a", "libopus", "-ar", "48000", "-b:a", "24k"),
    }[codec]
    source = ("-re", "-f", "lavfi", "-i", "sine=frequency=440", "-t", str(SECONDS))
    sink = ("-ac", "1", "-f", "rtp", f"rtp://{target[0]}:{target[1]}")
    await _run(("ffmpeg", "-nostdin", "-loglevel", "error", *source, *coding, *sink))


async def _sipp(target: tuple[str, int], folder: Path) -> None:
    """A call between two sipp on loopback; the answer names the relay as where media goes."""
    (folder / "voice.raw").write_bytes(bytes(range(256)) * (8000 * SECONDS // 256))
    filled = {
        "{voice}": str(folder / "voice.raw"),
        "{milliseconds}": str(1000 * SECONDS + 200),
        "{host}": target[0],
        "{port}": str(target[1]),
    }
    for name, text in (("call.xml", _CALL), ("answer.xml", _ANSWER)):
        (folder / name).write_text(_filled(text, filled))
    answering = _free_port()
    answer = await _start(_one_call("answer.xml", answering), folder)
    try:
        await asyncio.sleep(0.3)
        await _run((*_one_call("call.xml", _free_port()), f"127.0.0.1:{answering}"), folder)
    finally:
        if answer.returncode is None:
            answer.terminate()
        await answer.wait()


def _filled(text: str, values: dict[str, str]) -> str:
    for place, value in values.items():
        text = text.replace(place, value)
    return text


def _one_call(scenario: str, port: int) -> tuple[str, ...]:
    here = ("-i", "127.0.0.1", "-p", str(port), "-mp", str(_free_port()))
    return ("sipp", "-nostdin", "-sf", scenario, "-m", "1", *here)


async def _start(command: Sequence[str], folder: Path | None = None) -> asyncio.subprocess.Process:
    null = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=null, stdout=null, stderr=asyncio.subprocess.PIPE
    )


async def _run(command: Sequence[str], folder: Path | None = None) -> None:
    process = await _start(command, folder)
    try:
        async with asyncio.timeout(PATIENCE):
            _, told = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{command[0]}: {told.decode(errors='replace')[-500:]}"


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
