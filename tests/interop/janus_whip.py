"""Debian's Janus with its VideoRoom, and a WHIP server before it that speaks Janus' HTTP API. Meetecho's
simple-whip-server is in no package registry; this one answers as that one does by its sources: one publisher an
endpoint, 403 with words in text/html while it is taken, 503 while Janus is away, strong ETags, PATCH with If-Match,
OPTIONS. What Janus receives it forwards as plain RTP to this program, which counts it.

Both end together: this program starts Janus, and Janus is in its process group."""

import argparse
import ctypes
import http.client
import json
import os
import re
import secrets
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rtp import Count, payload_at, say

ROOM = 1234
PATH = "/whip/endpoint/interop"
CONFIG = {
    "janus.jcfg": """
general: {{
	configs_folder = "{folder}"
	plugins_folder = "{plugins}"
	transports_folder = "{transports}"
	events_folder = "{folder}/none"
	loggers_folder = "{folder}/none"
	debug_level = 3
	admin_secret = "unused"
}}
media: {{
	rtp_port_range = "20000-20400"
}}
plugins: {{
	disable = "{others}"
}}
""",
    "janus.transport.http.jcfg": """
general: {{
	base_path = "/janus"
	http = true
	ip = "127.0.0.1"
	port = {api}
	https = false
}}
admin: {{
	admin_http = false
}}
""",
    "janus.plugin.videoroom.jcfg": """
room-1234: {{
	description = "interop"
	publishers = 6
	bitrate = 0
	audiocodec = "opus"
	videocodec = "{codecs}"
	h264_profile = "42e01f"
	transport_wide_cc_ext = {twcc}
	record = false
}}
""",
}


class Janus:
    """One Janus, its session, and at most one publisher."""

    def __init__(self, folder, variant):
        self.api = 18088
        plugins = "/usr/lib/x86_64-linux-gnu/janus"
        for place in ("/usr/lib/x86_64-linux-gnu/janus", "/usr/lib/aarch64-linux-gnu/janus", "/usr/lib/janus"):
            if os.path.isdir(place):
                plugins = place
                break
        names = os.listdir(f"{plugins}/plugins")
        others = ",".join(name for name in names if name.endswith(".so") and "videoroom" not in name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(f"{folder}/none")
        os.makedirs(f"{folder}/transports")
        for name in os.listdir(f"{plugins}/transports"):
            if "http" in name:
                os.symlink(f"{plugins}/transports/{name}", f"{folder}/transports/{name}")
        values = dict(
            folder=folder, plugins=f"{plugins}/plugins", transports=f"{folder}/transports", others=others,
            api=self.api, codecs="h264", twcc="false" if variant == "no-twcc" else "true",
        )
        for name, text in CONFIG.items():
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write(text.format(**values))
        self.log = open(f"{folder}/janus.log", "wb")
        self.process = subprocess.Popen(
            ["janus", "-F", folder, "-o"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(1, 9),  # it ends with this program: PR_SET_PDEATHSIG
        )
        self.session = None
        self.lock = threading.Lock()

    def ask(self, path, **body):
        if body:
            body["transaction"] = secrets.token_hex(6)
        connection = http.client.HTTPConnection("127.0.0.1", self.api, timeout=35)
        try:
            method = "POST" if body else "GET"
            connection.request(method, f"/janus{path}", json.dumps(body) if body else None)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def begin(self):
        until = time.time() + 10
        while True:
            try:
                self.session = self.ask("", janus="create")["data"]["id"]
                return
            except OSError:
                if time.time() > until or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def poll(self, event):
        """The events of the session, for ever: a session that nobody asks for is dropped after a minute."""
        while True:
            try:
                event(self.ask(f"/{self.session}"))
            except (OSError, ValueError):
                time.sleep(0.2)


class Endpoint:
    def __init__(self, janus, host):
        self.janus, self.host = janus, host
        self.lock = threading.Lock()
        self.busy = False
        self.handle = self.resource = self.etag = self.count = None
        self.waiting = {}
        self.number = 0
        self.sockets = {}
        for kind in ("video", "audio"):
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
            udp.bind(("127.0.0.1", 0))
            self.sockets[kind] = udp
        threading.Thread(target=self.receive, daemon=True).start()
        threading.Thread(target=janus.poll, args=(self.event,), daemon=True).start()

    def receive(self):
        kinds = {udp: kind for kind, udp in self.sockets.items()}
        printed = time.time()
        while True:
            for udp in select.select(list(kinds), [], [], 0.05)[0]:
                packet = udp.recv(2048)
                count = self.count
                if count and len(packet) >= 12:
                    seq, marker = int.from_bytes(packet[2:4], "big"), bool(packet[1] & 0x80)
                    count.packet(kinds[udp], seq, marker, packet[payload_at(packet):], len(packet))
            if time.time() - printed >= 0.1:
                printed = time.time()
                count = self.count
                if count:
                    count.print()

    def event(self, event):
        sender, transaction = event.get("sender"), event.get("transaction")
        if event.get("janus") == "event" and transaction in self.waiting:
            self.waiting.pop(transaction)(event)
        elif event.get("janus") in ("hangup", "detached") and sender == self.handle:
            if event["janus"] == "hangup":
                say("state", n=self.number, state=f"hangup: {event.get('reason')}")
                threading.Thread(target=self.end, args=("ice",), daemon=True).start()

    def message(self, jsep=None, **body):
        """A request to the VideoRoom, and the event that answers it."""
        come, answer = threading.Event(), []
        transaction = secrets.token_hex(6)
        self.waiting[transaction] = lambda event: (answer.append(event), come.set())
        request = dict(janus="message", transaction=transaction, body=body)
        if jsep:
            request["jsep"] = jsep
        connection = http.client.HTTPConnection("127.0.0.1", self.janus.api, timeout=10)
        try:
            path = f"/janus/{self.janus.session}/{self.handle}"
            connection.request("POST", path, json.dumps(request))
            first = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if first.get("janus") != "ack":
            self.waiting.pop(transaction, None)
            return first
        if not come.wait(10):
            raise TimeoutError("no answer from Janus")
        return answer[0]

    def publish(self, offer):
        with self.lock:
            if self.busy:
                return 403, {"Content-Type": "text/html; charset=utf-8"}, "Endpoint ID already in use"
            self.busy = True
        try:
            if self.janus.session is None:
                self.busy = False
                return 503, {"Content-Type": "text/html; charset=utf-8"}, "Janus unavailable"
            plugin = "janus.plugin.videoroom"
            attached = self.janus.ask(f"/{self.janus.session}", janus="attach", plugin=plugin)
            self.handle = attached["data"]["id"]
            self.number += 1
            count = Count(self.number)
            joined = self.message(
                jsep={"type": "offer", "sdp": offer},
                request="joinandconfigure", ptype="publisher", room=ROOM, display="interop",
            )
            data = joined.get("plugindata", {}).get("data", {})
            if "jsep" not in joined:
                raise ValueError(data.get("error") or json.dumps(joined))
            self.count = count
            streams = []
            for stream in data.get("streams", []):
                streams.append({"mid": stream["mid"], "host": "127.0.0.1",
                                "port": self.sockets[stream["type"]].getsockname()[1]})
            if not streams:
                for mid, kind in re.findall(r"m=(\w+) .*?a=mid:(\S+)", offer, re.S):
                    streams.append({"mid": kind, "host": "127.0.0.1", "port": self.sockets[mid].getsockname()[1]})
            forwarded = self.message(
                request="rtp_forward", room=ROOM, publisher_id=data["id"], streams=streams, host="127.0.0.1",
            )
            if "error" in json.dumps(forwarded):
                say("broken", reason=json.dumps(forwarded))
            self.resource, self.etag = secrets.token_hex(8), secrets.token_hex(8)
            answer = joined["jsep"]["sdp"]
            say("session", n=self.number, offer=offer, answer=answer)
            headers = {
                "Content-Type": "application/sdp", "Location": f"/whip/resource/{self.resource}",
                "ETag": f'"{self.etag}"', "Accept-Patch": "application/trickle-ice-sdpfrag",
            }
            return 201, headers, answer
        except (OSError, ValueError, KeyError, TimeoutError) as error:
            say("refused", reason=repr(error))
            self.end("refused")
            return 500, {"Content-Type": "text/html; charset=utf-8"}, str(error)

    def end(self, by):
        handle, self.handle = self.handle, None
        count, self.count, self.resource = self.count, None, None
        if handle:
            try:
                self.janus.ask(f"/{self.janus.session}/{handle}", janus="detach")
            except (OSError, ValueError):
                pass
        if count:
            count.end(by)
        self.busy = False

    def trickle(self, body):
        candidates = []
        for line in body.splitlines():
            if line.startswith("a=candidate:"):
                candidates.append({"sdpMLineIndex": 0, "candidate": line[2:]})
            elif line.startswith("a=end-of-candidates"):
                candidates.append({"completed": True})
        if candidates:
            self.janus.ask(f"/{self.janus.session}/{self.handle}", janus="trickle", candidates=candidates)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint = None

    def log_message(self, *_):
        pass

    def reply(self, status, headers=None, text=""):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        body = text.encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1 << 20)).decode()

    def do_OPTIONS(self):
        self.reply(204, {"Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE"})

    def do_POST(self):
        body = self.body()
        if self.path != PATH:
            return self.reply(404, {"Content-Type": "text/html; charset=utf-8"}, "Invalid endpoint ID")
        if self.headers.get("Content-Type") != "application/sdp":
            return self.reply(406, {"Content-Type": "text/html; charset=utf-8"}, "Unsupported content type")
        self.reply(*self.endpoint.publish(body))

    def known(self):
        resource = self.endpoint.resource
        return resource and self.path == f"/whip/resource/{resource}"

    def do_PATCH(self):
        body = self.body()
        if not self.known():
            return self.reply(404)
        if self.headers.get("If-Match") != f'"{self.endpoint.etag}"':
            return self.reply(412)
        self.endpoint.trickle(body)
        self.reply(204)

    def do_DELETE(self):
        if not self.known():
            return self.reply(404)
        self.endpoint.end("delete")
        self.reply(200)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--variant", default="")
    parser.add_argument("--folder", required=True)
    given = parser.parse_args()
    janus = Janus(given.folder, given.variant)
    janus.begin()
    Handler.endpoint = Endpoint(janus, given.host)
    server = ThreadingHTTPServer((given.host, given.port), Handler)
    server.daemon_threads = True
    say("listening", url=f"http://{given.host}:{server.server_address[1]}{PATH}")
    try:
        server.serve_forever()
    finally:
        janus.process.kill()
        sys.exit(0)


main()
