"""The receivers there are: how each is started, which version it is, what it can be asked to do otherwise."""

import json
import os
import subprocess
import threading
import time

from wire import RECEIVER, dies_with_us

HERE = os.path.dirname(os.path.abspath(__file__))


class Kind:
    def __init__(self, name, title, words, variants=(), codec="h264", version=None):
        self.name, self.title, self.words, self.variants = name, title, words, variants
        self.codec, self.version = codec, version


def _debian(package):
    def ask(_):
        shown = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=False)
        return shown.stdout or None

    return ask


def _npm(package):
    def ask(place):
        try:
            with open(f"{place}/npm/node_modules/{package}/package.json", encoding="utf-8") as file:
                return json.load(file)["version"]
        except OSError:
            return None

    return ask


def _pip(package):
    def ask(place):
        shown = subprocess.run([f"{place}/../aiortc/bin/pip", "show", package], capture_output=True, text=True, check=False)
        return next((line.split()[1] for line in shown.stdout.splitlines() if line.startswith("Version:")), None)

    return ask


def _node(name):
    return ["node", "{place}/npm/" + name + ".mjs"]


# What a receiver does otherwise, in words for the table.
VARIANTS = {
    "": "",
    "no-twcc": "without transport-cc",
    "silent": "transport-cc in the answer, never sent",
    "no-rtcp": "no RTCP of its own accord",
    "nonsense": "asks 20 times a second for what it has, what is long gone and what never was",
    "lite": "ICE-lite, ends a session after 15 s without a consent check",
}

KINDS = [
    Kind("janus", "Janus (VideoRoom)", ["python3", HERE + "/janus_whip.py", "--folder", "{work}/janus"],
         ("no-twcc",), version=_debian("janus")),
    Kind("libdatachannel", "libdatachannel (node-datachannel)", _node("libdatachannel"), ("no-twcc",),
         version=_npm("node-datachannel")),
    Kind("werift", "werift", _node("werift"), ("no-twcc", "silent"), version=_npm("werift")),
    Kind("aiortc", "aiortc", ["{place}/../aiortc/bin/python", HERE + "/aiortc_whip.py"], version=_pip("aiortc")),
    Kind("libwebrtc", "libwebrtc (@roamhq/wrtc)", _node("libwebrtc"), codec="vp8", version=_npm("@roamhq/wrtc")),
    Kind("pion", "pion", ["{place}/pion/pion"], ("no-twcc", "silent", "no-rtcp", "nonsense", "lite"),
         version=_debian("golang-github-pion-webrtc.v3-dev")),
]

DEFAULT = ["janus", "libdatachannel", "werift", "werift:silent", "aiortc", "libwebrtc", "pion", "pion:no-twcc",
           "pion:silent", "pion:no-rtcp", "pion:nonsense", "pion:lite"]


def find(name):
    """The kind and the variant that a name of the command line means."""
    base, _, variant = name.partition(":")
    for kind in KINDS:
        if kind.name == base and (not variant or variant in kind.variants):
            return kind, variant
    known = ", ".join(":".join([k.name, v]).rstrip(":") for k in KINDS for v in ("", *k.variants))
    raise ValueError(f"there is no receiver '{name}': known are {known}")


class Receiver:
    """One that runs, in its namespace and its own process group; and what it has printed since it was first started."""

    def __init__(self, kind, variant, place, work, path, port):
        fill = dict(place=place, work=work)
        self.words = [*path.receiver.enter, *(word.format(**fill) for word in kind.words), "--host", RECEIVER, "--port",
                      str(port), "--variant", variant]
        self.log = open(f"{work}/receiver.log", "ab")
        self.printed = open(f"{work}/receiver.jsonl", "a", encoding="utf-8")
        self.lines = []
        self.starts = 0
        self.process = None

    def start(self):
        """Starts it, and gives when it began to listen."""
        self.starts += 1
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            self.words, stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True,
            env=env, preexec_fn=dies_with_us,
        )
        threading.Thread(target=self._read, args=(self.process, self.starts), daemon=True).start()
        until = time.monotonic() + 20
        while time.monotonic() < until and self.process.poll() is None:
            for at, start, line in list(self.lines):
                if start == self.starts and line["what"] == "listening":
                    self.url = line["url"]
                    return at
            time.sleep(0.005)
        raise RuntimeError("the receiver does not listen; see receiver.log")

    def _read(self, process, start):
        for text in process.stdout:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if "n" in line:
                line["n"] = f"{start}.{line['n']}"
            if line.get("what") != "received":
                self.printed.write(json.dumps({"at": round(time.time(), 3), **line}) + "\n")
                self.printed.flush()
            self.lines.append((time.time(), start, line))

    def signal(self, which):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, which)

    def of(self, what, since=0.0, until=float("inf")):
        return [(at, line) for at, _, line in list(self.lines) if line["what"] == what and since <= at <= until]

    def totals(self, since, until):
        """What arrived in that time, over all sessions; `None` where this stack does not say."""
        sums = {}
        for key in ("video", "audio", "frames", "keys", "lost", "nacks"):
            total = None
            for n in {line["n"] for _, line in self.of("received", since, until)}:
                values = [line[key] for _, line in self.of("received", since, until) if line["n"] == n]
                known = [value for value in values if value is not None]
                if len(known) > 1:
                    total = (total or 0) + known[-1] - known[0]
            sums[key] = total
        return sums

    def frames(self):
        """When frames arrived, over all sessions: (time, how many so far), each tenth of a second."""
        course, total, before = [], 0, {}
        for at, line in self.of("received"):
            total += max(0, line["frames"] - before.get(line["n"], 0))
            before[line["n"]] = line["frames"]
            course.append((at, total))
        return course

    def longest_gap(self, since, until):
        """The longest time in which no frame arrived."""
        longest, last, total = 0.0, since, None
        for at, frames in [*self.frames(), (until, None)]:
            if at < since:
                total = frames
            elif at <= until and frames != total:
                longest, last, total = max(longest, at - last), at, frames
        return round(longest, 2)
