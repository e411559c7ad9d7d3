"""The network of a run: three namespaces in a row (publisher, router, receiver), what narrows or cuts the path between
them, and a tap that sees every packet the publisher sends.

This program runs in the publisher's namespace (`unshare -n`). The other two live as long as a process of ours that waits
on its stdin, so nothing is left behind, however this program ends. The path is narrowed at the router: a queue on the
publisher's own interface would push back on its socket, which no network does."""

import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import threading
import time

PUBLISHER, RECEIVER = "10.213.1.1", "10.213.2.1"
# PR_SET_PDEATHSIG, SIGKILL: nothing that is started here outlives this program.
_libc = ctypes.CDLL(None, use_errno=True)


def dies_with_us():
    _libc.prctl(1, 9)


def _run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Namespace:
    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE, preexec_fn=dies_with_us)
        ours = os.readlink("/proc/self/ns/net")
        until = time.monotonic() + 5
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == ours:
            if time.monotonic() > until:
                raise RuntimeError("no network namespace could be made")
            time.sleep(0.01)

    @property
    def enter(self):
        return ["nsenter", "-t", str(self.holder.pid), "-n", "--"]

    def run(self, *words):
        return _run(*self.enter, *words)

    def end(self):
        self.holder.stdin.close()
        self.holder.wait(5)


class Path:
    """The path from the publisher to the receiver, and back."""

    def __init__(self):
        self.router, self.receiver = Namespace(), Namespace()
        ip = ["ip", "link", "add"]
        _run(*ip, "va", "type", "veth", "peer", "name", "ra", "netns", str(self.router.holder.pid))
        self.router.run(*ip, "rb", "type", "veth", "peer", "name", "vb", "netns", str(self.receiver.holder.pid))
        here = [
            "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null || true",
            "ip link set lo up",
        ]
        self._shell([], [*here, f"ip addr add {PUBLISHER}/24 dev va", "ip link set va up",
                         "ip route add default via 10.213.1.2"])
        self._shell(self.router.enter, [*here, "ip addr add 10.213.1.2/24 dev ra", "ip link set ra up",
                                        "ip addr add 10.213.2.2/24 dev rb", "ip link set rb up",
                                        "echo 1 > /proc/sys/net/ipv4/ip_forward"])
        self._shell(self.receiver.enter, [*here, f"ip addr add {RECEIVER}/24 dev vb", "ip link set vb up",
                                          "ip route add default via 10.213.2.2"])

    @staticmethod
    def _shell(enter, lines):
        _run(*enter, "sh", "-ec", "\n".join(lines))

    def narrow(self, kbps, queue_ms):
        """At most `kbps`, with a queue of `queue_ms` before packets are dropped."""
        self.router.run("tc", "qdisc", "replace", "dev", "rb", "root", "tbf", "rate", f"{kbps}kbit",
                        "burst", "8kb", "latency", f"{queue_ms}ms")

    def cut(self):
        """Nothing gets through, either way: a queue without a place."""
        for device in ("ra", "rb"):
            self.router.run("tc", "qdisc", "replace", "dev", device, "root", "pfifo", "limit", "0")

    def open(self):
        """As it was at first: no limit, no delay."""
        for device in ("ra", "rb"):
            if "noqueue" not in self.router.run("tc", "qdisc", "show", "dev", device, "root"):
                self.router.run("tc", "qdisc", "del", "dev", device, "root")

    def passed(self):
        """Bytes that went through the narrow place, packets that did, and packets that did not."""
        shown = json.loads(self.router.run("tc", "-s", "-j", "qdisc", "show", "dev", "rb", "root"))
        return shown[0].get("bytes", 0), shown[0].get("packets", 0), shown[0].get("drops", 0)

    def end(self):
        # A namespace is torn down some time after its last process; the next run wants the name.
        subprocess.run(["ip", "link", "del", "va"], capture_output=True, timeout=10, check=False)
        self.receiver.end()
        self.router.end()


# What the first bytes of a packet say (RFC 7983, section 7; RFC 5761, section 4). SRTP and SRTCP leave the first header
# readable; of a compound RTCP packet only its first part can be known.
def kind_of(head):
    first = head[0]
    if first <= 3:
        return {0x0001: "stun-request", 0x0101: "stun-response"}.get(first << 8 | head[1], "stun")
    if 20 <= first <= 63:
        return "dtls"
    if not 128 <= first <= 191:
        return "other"
    if not 192 <= head[1] <= 223:
        return "rtp"
    if head[1] == 205:
        return {1: "nack", 15: "twcc"}.get(first & 31, "rtpfb")
    if head[1] == 206:
        return {1: "pli", 4: "fir", 15: "remb"}.get(first & 31, "psfb")
    return {200: "sr", 201: "rr", 203: "bye", 207: "xr"}.get(head[1], "rtcp")


SO_TIMESTAMPNS = 35
PACKET_OUTGOING = 4
SOL_PACKET, PACKET_STATISTICS = 263, 6


class Tap:
    """Every UDP packet at the publisher's interface. `sent` holds (time, bytes of UDP payload, kind, payload type)."""

    def __init__(self, device="va"):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind((device, 0))
        self.sent, self.got = [], []
        self.over = False
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while not self.over:
            if not select.select([self.socket], [], [], 0.2)[0]:
                continue
            data, more, _, address = self.socket.recvmsg(128, 64)
            if len(data) < 36 or data[0] >> 4 != 4 or data[9] != 17:
                continue
            at = time.time()
            for level, name, value in more:
                if level == socket.SOL_SOCKET and name == SO_TIMESTAMPNS:
                    seconds, nanos = struct.unpack("qq", value[:16])
                    at = seconds + nanos / 1e9
            udp = (data[0] & 15) * 4
            size = struct.unpack_from("!H", data, udp + 4)[0] - 8
            head = data[udp + 8 : udp + 20]
            if len(head) < 2:
                continue
            kind = kind_of(head)
            packet = (at, size, kind, head[1] & 127 if kind == "rtp" else None)
            (self.sent if address[2] == PACKET_OUTGOING else self.got).append(packet)

    def missed(self):
        """Packets that this tap was too slow for."""
        return struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]

    def end(self):
        self.over = True
        self.thread.join(2)
        self.socket.close()
