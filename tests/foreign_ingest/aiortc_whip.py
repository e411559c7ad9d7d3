"""A WHIP server on aiortc: its ICE, DTLS, SRTP and SDP are its own, and PyAV decodes. As it is, it begins the
handshake and takes ECDSA only; with "rsa" it has an RSA certificate, takes RSA suites only, and waits for the
handshake. Says on stdout where it listens, then what it has decoded, and each request that was ill-formed."""

import asyncio
import json
import sys

import aioice.ice
import aiortc.rtcpeerconnection
from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcdtlstransport import RTCCertificate, generate_certificate
from aiortc.sdp import candidate_from_sdp
from cryptography.hazmat.primitives.asymmetric import rsa

# Loopback, which aioice leaves out by itself.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]



class RsaCertificate(RTCCertificate):
    @classmethod
    def generateCertificate(cls):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return cls(key=key, cert=generate_certificate(key))

    def _create_ssl_context(self, srtp_profiles):
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-SHA")
        return context


RSA = "rsa" in sys.argv[1:]
if RSA:
    aiortc.rtcpeerconnection.RTCCertificate = RsaCertificate

sessions = {}
decoded = {"video": 0, "audio": 0}


def say(**what):
    print(json.dumps(what), flush=True)


async def count(track):
    try:
        while True:
            await track.recv()
            decoded[track.kind] += 1
    except MediaStreamError:
        pass


async def offer(request):
    if request.content_type != "application/sdp":
        return web.Response(status=415)
    peer = RTCPeerConnection()
    peer.on("track", lambda track: asyncio.ensure_future(count(track)))
    await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
    if RSA:
        for transceiver in peer.getTransceivers():
            transceiver.receiver.transport._set_role("server")
    await peer.setLocalDescription(await peer.createAnswer())
    name = str(len(sessions) + 1)
    sessions[name] = peer
    return web.Response(
        status=201,
        text=peer.localDescription.sdp,
        content_type="application/sdp",
        headers={"Location": f"/session/{name}?of=aiortc", "ETag": '"1"'},
    )


async def trickle(request):
    peer = sessions.get(request.match_info["name"])
    if peer is None:
        return web.Response(status=404)
    if request.headers.get("If-Match") != '"1"':
        say(wrong="PATCH without its ETag")
        return web.Response(status=412)
    for line in (await request.text()).splitlines():
        if line.startswith("a=candidate:"):
            candidate = candidate_from_sdp(line.removeprefix("a=candidate:"))
            candidate.sdpMLineIndex = 0
            await peer.addIceCandidate(candidate)
    return web.Response(status=204)


async def end(request):
    peer = sessions.pop(request.match_info["name"], None)
    if peer is None or request.query.get("of") != "aiortc":
        return web.Response(status=404)
    await peer.close()
    say(ended=True)
    return web.Response()


async def main():
    app = web.Application()
    app.router.add_post("/publish", offer)
    app.router.add_patch("/session/{name}", trickle)
    app.router.add_delete("/session/{name}", end)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    say(port=site._server.sockets[0].getsockname()[1])
    # Ends with the test: its stdin is closed then.
    until = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    while not until.done():
        say(**decoded)
        await asyncio.wait([until], timeout=0.2)
    for peer in list(sessions.values()):
        await peer.close()


asyncio.run(main())
