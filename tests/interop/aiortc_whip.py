"""A WHIP server made of aiortc (PyPI): ICE, DTLS, SRTP and SDP of its own, decoding by PyAV. It has REMB and no
transport-cc. It knows each frame it decodes; `frames` counts those that were whole, by their last packet."""

import argparse
import asyncio
import re

from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.sdp import candidate_from_sdp
from rtp import Count, say

sessions = {}
counts = {}
number = 0

take = RTCRtpReceiver._handle_rtp_packet
ask = RTCRtpReceiver._send_rtcp_nack


async def counted_packet(self, packet, arrival_time_ms):
    count, retransmitted = counts.get(self, (None, ()))
    if count:
        size = len(packet.payload) + 12
        if packet.payload_type in retransmitted:
            count.bytes += size
        else:
            kind = self._RTCRtpReceiver__kind
            count.packet(kind, packet.sequence_number, packet.marker, packet.payload, size)
    await take(self, packet, arrival_time_ms)


async def counted_nack(self, media_ssrc, lost):
    if self in counts:
        counts[self][0].nacks += len(lost)
    await ask(self, media_ssrc, lost)


RTCRtpReceiver._handle_rtp_packet = counted_packet
RTCRtpReceiver._send_rtcp_nack = counted_nack


async def consume(track):
    try:
        while True:
            await track.recv()
    except MediaStreamError:
        pass


async def report(count):
    while not count.over:
        await asyncio.sleep(0.1)
        count.print()


async def publish(request):
    global number
    if request.content_type != "application/sdp":
        return web.Response(status=415)
    number += 1
    count = Count(number, nacks=0)
    offer = await request.text()
    peer = RTCPeerConnection()
    peer.on("track", lambda track: asyncio.ensure_future(consume(track)))

    @peer.on("connectionstatechange")
    async def changed():
        say("state", n=count.n, state=peer.connectionState)
        if peer.connectionState in ("failed", "closed"):
            count.end("ice")
            await peer.close()

    try:
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        retransmitted = {int(n) for n in re.findall(r"a=rtpmap:(\d+) rtx/", offer)}
        for transceiver in peer.getTransceivers():
            counts[transceiver.receiver] = (count, retransmitted)
        await peer.setLocalDescription(await peer.createAnswer())
    except Exception as error:  # the library's own, of many kinds: the publisher is to see it
        say("refused", reason=repr(error))
        await peer.close()
        return web.Response(status=400, text=str(error))
    sessions[str(count.n)] = (peer, count)
    asyncio.ensure_future(report(count))
    say("session", n=count.n, offer=offer, answer=peer.localDescription.sdp)
    return web.Response(
        status=201,
        text=peer.localDescription.sdp,
        content_type="application/sdp",
        headers={"Location": f"/session/{count.n}"},
    )


async def trickle(request):
    if request.match_info["n"] not in sessions:
        return web.Response(status=404)
    peer, _ = sessions[request.match_info["n"]]
    for line in (await request.text()).splitlines():
        if line.startswith("a=candidate:"):
            candidate = candidate_from_sdp(line.removeprefix("a=candidate:"))
            candidate.sdpMLineIndex = 0
            await peer.addIceCandidate(candidate)
    return web.Response(status=204)


async def end(request):
    peer, count = sessions.pop(request.match_info["n"], (None, None))
    if peer is None:
        return web.Response(status=404)
    count.end("delete")
    await peer.close()
    return web.Response()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--variant", default="")
    given = parser.parse_args()
    app = web.Application()
    app.router.add_post("/whip", publish)
    app.router.add_patch("/session/{n}", trickle)
    app.router.add_delete("/session/{n}", end)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, given.host, given.port)
    await site.start()
    say("listening", url=f"http://{given.host}:{site._server.sockets[0].getsockname()[1]}/whip")
    await asyncio.Event().wait()


asyncio.run(main())
