"""What the receivers of Python have in common: counting RTP, and JSON lines on stdout (see README.md)."""

import json
import struct
import sys
import threading

_printing = threading.Lock()


def say(what, **more):
    with _printing:
        sys.stdout.write(json.dumps({"what": what, **more}) + "\n")
        sys.stdout.flush()


def is_key(payload):
    """Whether an IDR slice begins in this packet (RFC 6184, sections 5.4 to 5.8)."""
    if len(payload) < 2:
        return False
    kind = payload[0] & 31
    if kind == 28:
        return bool(payload[1] & 0x80) and payload[1] & 31 == 5
    if kind != 24:
        return kind == 5
    at = 1
    while at + 2 < len(payload):
        if payload[at + 2] & 31 == 5:
            return True
        at += 2 + struct.unpack_from("!H", payload, at)[0]
    return False


def payload_at(packet):
    """Where the payload of an RTP packet begins (RFC 3550, section 5.1)."""
    at = 12 + 4 * (packet[0] & 15)
    if packet[0] & 0x10 and len(packet) >= at + 4:
        at += 4 + 4 * struct.unpack_from("!H", packet, at + 2)[0]
    return at


class Count:
    """What one session has received. `print` is called ten times a second."""

    def __init__(self, n, nacks=None):
        self.n = n
        self.bytes = self.video = self.audio = self.frames = self.keys = self.lost = 0
        self.nacks = nacks
        self.last = None
        self.began = False
        self.over = False
        self.lock = threading.Lock()

    def packet(self, kind, seq, marker, payload, size):
        with self.lock:
            self.bytes += size
            if kind == "audio":
                self.audio += 1
                return
            self.video += 1
            self.last = seq if self.last is None else self.last
            step = (seq - self.last) & 0xFFFF
            if 0 < step < 0x8000:
                self.lost += step - 1
                self.last = seq
            elif step and self.lost:
                self.lost -= 1
            self.keys += is_key(payload)
            if not marker:
                return
            self.frames += 1
            first, self.began = not self.began, True
        if first:
            say("frame", n=self.n)

    def print(self):
        with self.lock:
            now = dict(bytes=self.bytes, video=self.video, audio=self.audio, frames=self.frames, keys=self.keys, lost=self.lost)
        say("received", n=self.n, nacks=self.nacks, **now)

    def end(self, by):
        if not self.over:
            self.over = True
            say("ended", n=self.n, by=by)
