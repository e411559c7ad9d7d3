"""Publishes by `hawker live` to receivers that are not ours, one after the other, and judges. Started by script/interop,
in a network namespace of its own; see README.md for what is done and measured."""

import argparse
import bisect
import datetime
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import judge
import receivers
import table
from wire import Path, Tap, dies_with_us

METRICS = 9464
PORT = 17300
# The first rungs of the profiles below.
PROFILE = {
    "h264": ("1280x720@30", "lively", 2500, None),
    # VP8 takes several times the processor; what is tested is the transport.
    "vp8": ("640x360@30", "interop", 1500, """title = "interop"
canvas = "640x360@30"
effort = "ultrafast"
max-kbps = 1500
start-kbps = 1000
min-kbps = 150
audio-kbps = 64
keyframe-ms = 2000
latency-target-ms = 600
stall-target-permille = 5
[[ladder]]
canvas = "640x360@30"
from-kbps = 350
[[ladder]]
canvas = "640x360@15"
from-kbps = 150
"""),
}
NARROW_KBPS, NARROW_QUEUE_MS = 1500, 150


def note(text):
    print(f"interop: {text}", file=sys.stderr, flush=True)


def unix(at):
    """Seconds of a timestamp of the events."""
    at = re.sub(r"(\.\d{6})\d*", r"\1", at.replace("Z", "+00:00"))
    return datetime.datetime.fromisoformat(at).timestamp()


class Hawker:
    """One `hawker live`, its events and its figures."""

    def __init__(self, binary, work, url, kind, content, seconds):
        first, profile, _, own = PROFILE[kind.codec]
        self.first = first
        for name in ("config/profiles", "state", "cache"):
            os.makedirs(f"{work}/{name}", exist_ok=True)
        if own:
            with open(f"{work}/config/profiles/{profile}.toml", "w", encoding="utf-8") as file:
                file.write(own)
        pattern = {"filling": "noise", "calm": "ball"}[content]
        with open(f"{work}/show.toml", "w", encoding="utf-8") as file:
            file.write(f"""title = "interop"
profile = "{profile}"
[program]
codec = "{kind.codec}"
[[input]]
id = "test"
kind = "test"
pattern = "{pattern}"
tone-hz = 440
gain-db = -12
[[scene]]
id = "one"
layout = "full"
layers = ["test"]
[[output]]
id = "main"
to = "{url}"
""")
        env = {
            **os.environ, "HAWKER_CONFIG_DIR": f"{work}/config", "HAWKER_STATE_DIR": f"{work}/state",
            "HAWKER_CACHE_DIR": f"{work}/cache", "HAWKER_LOG": "info,str0m=error,hawker::media::pacer=trace",
        }
        self.work = work
        self.events_file = f"{work}/events.jsonl"
        open(self.events_file, "w", encoding="utf-8").close()
        self.log = open(f"{work}/hawker.log", "wb")
        self.process = subprocess.Popen(
            [binary, "live", f"{work}/show.toml", "--headless", "--yes", "--for", f"{seconds}s", "--events",
             self.events_file, "--metrics", f"127.0.0.1:{METRICS}"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=env, start_new_session=True,
            preexec_fn=dies_with_us,
        )
        self.events, self.samples = [], []
        self.over = False
        self.rung = first
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._read_events, self._read_metrics)]
        for thread in self.threads:
            thread.start()

    def _read_events(self):
        with open(self.events_file, encoding="utf-8") as file:
            rest = ""
            while not self.over:
                rest += file.read()
                *lines, rest = rest.split("\n")
                for line in lines:
                    event = json.loads(line)
                    if event["event"] == "picture-stepped":
                        picture = event["picture"]
                        if isinstance(picture, dict):
                            picture = f"{picture['width']}x{picture['height']}@{picture['fps']}"
                        self.rung = picture
                    self.events.append((unix(event["at"]), event))
                time.sleep(0.02)

    def _read_metrics(self):
        wanted = re.compile(r'^hawker_output_(on_air|target|available|sent|rtx|nacks)(\w*)\{output="main"\} (\S+)', re.M)
        while not self.over:
            began = time.time()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{METRICS}/metrics", timeout=2) as reply:
                    text = reply.read().decode()
                # Rates were bits before they were bytes.
                sample = {name: float(value) * (8 if "bytes" in unit else 1) for name, unit, value in wanted.findall(text)}
                sample["rung"] = self.rung
                self.samples.append((time.time(), sample))
            except OSError:
                pass
            time.sleep(max(0.02, 0.1 - (time.time() - began)))

    def of(self, names, since=0.0, until=float("inf")):
        return [(at, e) for at, e in list(self.events) if e["event"] in names and since <= at <= until]

    def wait_for(self, names, since, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.of(names, since)
            if found:
                return found[0]
            if self.process.poll() is not None:
                time.sleep(0.1)
                found = self.of(names, since)
                return found[0] if found else None
            time.sleep(0.02)
        return None

    def target(self, since, until):
        """What was asked of the encoder: the median of that time."""
        values = sorted(s["target"] for at, s in list(self.samples) if since <= at <= until and "target" in s)
        return values[len(values) // 2] if values else None

    def estimates(self):
        """What the path was believed to carry, as the pacer was told, from the log."""
        told = re.compile(r"^(\S+) +TRACE .*pacer: rates estimate_bps=(\d+)")
        found = []
        for folder, _, files in os.walk(f"{self.work}/state"):
            for name in files:
                if not name.endswith(".log"):
                    continue
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as log:
                    found += [(unix(line[1]), int(line[2])) for line in map(told.match, log) if line]
        return sorted(found)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(5)
        self.over = True
        for thread in self.threads:
            thread.join(3)


class Run:
    """One receiver, with one kind of content."""

    def __init__(self, given, kind, variant, content, work):
        self.given, self.kind, self.content = given, kind, content
        self.path = Path()
        self.receiver = receivers.Receiver(kind, variant, given.place, work, self.path, PORT)
        self.work = work
        self.measured = {}
        self.begun = []
        self.hawker = self.tap = None

    def alive(self):
        return self.hawker.process.poll() is None

    def sleep(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.alive():
            time.sleep(0.05)

    def course(self):
        """The target, and whether all else is as it was: on air, the first picture, frames at the receiver."""
        frames = self.receiver.frames()
        times = [at for at, _ in frames]

        def arriving(at):
            """At least half the frames of an undisturbed half second."""
            now, then = bisect.bisect_right(times, at + 0.1) - 1, bisect.bisect_right(times, at - 0.4) - 1
            return then >= 0 and frames[now][1] - frames[then][1] >= self.usual * 0.25

        return [
            (at, s.get("target"), s.get("on_air") == 1 and s["rung"] == self.hawker.first and arriving(at))
            for at, s in list(self.hawker.samples)
        ]

    def settle(self, before, seconds=20):
        """Until the target is back; what comes next is measured from there."""
        since, until = time.time(), time.monotonic() + seconds
        while time.monotonic() < until and self.alive():
            if judge.top(self.course(), since, before) is not None:
                return True
            time.sleep(0.2)
        return False

    def until_top(self, since, before, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.alive():
            found = judge.top(self.course(), since, before)
            if found is not None:
                return round(found, 2)
            time.sleep(0.1)
        return None

    def go(self):
        try:
            self.receiver.start()
            self.tap = Tap()
            began = time.time()
            phases = ["connect", "hold", *self.given.phases]
            self.hawker = Hawker(self.given.binary, self.work, self.receiver.url, self.kind, self.content,
                                 self.given.seconds + 240)
            if self.connect(began):
                for phase in phases[1:]:
                    note(f"  {self.content}: {phase}")
                    self.begun.append((phase, time.time()))
                    getattr(self, phase)()
                    if not self.alive():
                        break
                self.flood(began)
            # Whether the figures are the machine's rather than hawker's.
            self.measured["machine"] = {
                "load": round(os.getloadavg()[0], 1),
                "paused": len(self.hawker.of(("machine-paused",))),
                "effort_steps": len(self.hawker.of(("effort-stepped",))),
            }
            if not self.alive():
                self.measured["ended"] = f"code {self.hawker.process.returncode}"
        finally:
            if self.hawker:
                self.hawker.end()
            self.receiver.signal(signal.SIGCONT)
            self.receiver.signal(signal.SIGKILL)
            if self.tap:
                self.measured["tap_missed"] = self.tap.missed()
                self.tap.end()
            self.path.end()
        return self.measured

    def connect(self, began):
        live = self.hawker.wait_for(("output-live",), 0, 20)
        frame = None
        if live:
            until = time.monotonic() + 5
            while not self.receiver.of("frame") and time.monotonic() < until:
                time.sleep(0.02)
            frame = self.receiver.of("frame")
        failed = self.hawker.of(("output-failed", "output-stopped"))
        self.measured["connect"] = {
            "seconds": live[1]["connect_ms"] / 1000 if live and frame else None,
            "first_frame_s": round(frame[0][0] - began, 2) if frame else None,
            "reasons": sorted({e.get("reason", "") for _, e in failed})[:5],
        }
        if not live:
            self.measured["connect"]["reasons"] += [line["reason"] for _, line in self.receiver.of("refused")][:2]
        # With no frame, nothing more can be measured.
        return bool(live and frame)

    def hold(self):
        seconds = self.given.seconds if self.content == "filling" else min(20, self.given.seconds)
        self.sleep(4)  # to reach the top
        began = time.time()
        self.sleep(seconds)
        ended = time.time()
        lost = self.hawker.of(("output-silent", "output-failed"), 0, ended)
        sessions = self.receiver.of("session", 0, ended)
        arrived = self.receiver.totals(began, ended)
        heard = {}
        for at, _, kind, _ in list(self.tap.got):
            if began <= at <= ended:
                heard[kind] = heard.get(kind, 0) + 1
        self.top = self.hawker.target(ended - 5, ended) or 0
        self.usual = (arrived["frames"] or 0) / (ended - began)
        self.heard = judge.sign(ended - began, heard)
        self.measured["hold"] = {
            "seconds": round(ended - began, 1),
            "lost": max(len(lost), len(sessions) - 1),
            "gap_s": self.receiver.longest_gap(began, ended),
            "frames_per_s": round(arrived["frames"] / (ended - began), 1) if arrived["frames"] is not None else None,
            "arrived": arrived,
            "heard": heard,
            "sign": self.heard,
            "target_kbps": round(self.top / 1000),
            "sent_kbps": round(self.rtp_bytes(began, ended) * 8 / (ended - began) / 1000),
            "filling": self.content == "filling",
            "missing": round(1 - self.top / (PROFILE[self.kind.codec][2] * 1000), 3),
            "small_seconds": round(sum(0.1 for at, s in list(self.hawker.samples)
                                       if began <= at <= ended and s["rung"] != self.hawker.first), 1),
            "reasons": sorted({e.get("reason", e["event"]) for _, e in lost})[:5],
        }

    def kill(self):
        killed = time.time()
        self.receiver.signal(signal.SIGKILL)
        self.receiver.process.wait()
        found = self.hawker.wait_for(("output-silent", "output-failed"), killed, 20)
        self.sleep(max(0, killed + 5 - time.time()))
        opened = self.receiver.start()
        until = time.monotonic() + 25
        while time.monotonic() < until and self.alive() and not self.receiver.of("frame", opened):
            time.sleep(0.02)
        frame = self.receiver.of("frame", opened)
        self.measured["kill"] = {
            "sign": self.heard,
            "noticed_s": round(found[0] - killed, 2) if found else None,
            "by": found[1]["event"] if found else None,
            "back_s": round(frame[0][0] - opened, 2) if frame else None,
        }

    def interrupted(self, name, begin, end):
        at_top = self.settle(self.top, 30)
        sessions = len(self.receiver.of("session"))
        begin()
        began = time.time()
        time.sleep(3)
        end()
        ended = time.time()
        top = self.until_top(ended, self.top, 25)
        rtx = self.rtp_bytes(ended, ended + 5, only=self.retransmitted())
        self.measured[name] = {
            "began_at_the_top": at_top,
            "top_s": top,
            "rtx_kbytes_5s": round(rtx / 1000),
            "sessions_opened": len(self.receiver.of("session")) - sessions,
            "events": [e["event"] for _, e in self.hawker.of(
                ("output-silent", "output-healed", "output-failed", "output-live", "output-picture"), began)][:12],
        }

    def stop(self):
        self.interrupted("stop", lambda: self.receiver.signal(signal.SIGSTOP), lambda: self.receiver.signal(signal.SIGCONT))

    def outage(self):
        self.interrupted("outage", self.path.cut, self.path.open)

    def narrow(self):
        calm = self.content == "calm"
        at_top = self.settle(self.top, 30)
        # A calm picture fits where a filling one does not: it is narrowed below its lowest rung.
        kbps, seconds = (300, 8) if calm else (NARROW_KBPS if self.kind.codec == "h264" else 800, 20)
        self.path.narrow(kbps, NARROW_QUEUE_MS)
        self.sleep(5)
        steady, before = time.time(), self.path.passed()
        self.sleep(seconds - 5)
        now, after = time.time(), self.path.passed()
        # Ethernet, IP and UDP headers are the path's to carry too.
        sent = sum(size + 42 for at, size, _, _ in list(self.tap.sent) if steady <= at <= now)
        dropped, passed = after[2] - before[2], after[1] - before[1]
        arrived = self.receiver.totals(steady, now)
        self.path.open()
        opened = time.time()
        self.measured["calm_narrow" if calm else "narrow"] = {
            "kbps": kbps,
            "began_at_the_top": at_top,
            "sent_ratio": round(sent * 8 / (now - steady) / (kbps * 1000), 2),
            "dropped": dropped,
            "dropped_share": round(dropped / max(1, dropped + passed), 4),
            "frames_per_s": round(arrived["frames"] / (now - steady), 1) if arrived["frames"] is not None else None,
            "top_s": self.until_top(opened, self.top, 40 if calm else 25),
        }

    def retransmitted(self):
        sessions = self.receiver.of("session")
        offer = sessions[-1][1]["offer"] if sessions else ""
        return {int(n) for n in re.findall(r"a=rtpmap:(\d+) rtx/", offer)}

    def rtp_bytes(self, since, until, only=None):
        return sum(size for at, size, kind, pt in list(self.tap.sent)
                   if kind == "rtp" and since <= at <= until and (only is None or pt in only))

    def flood(self, since):
        rtp = sorted((at, size) for at, size, kind, _ in list(self.tap.sent) if kind == "rtp")
        estimates = self.hawker.estimates()
        ratio, at = judge.peak(rtp, estimates)
        self.measured["peak"] = found = {"ratio": round(ratio, 2)}
        if at:
            window = at - judge.WINDOW_S
            found["phase"] = next((name for name, began in reversed(self.begun) if began <= at), "connect")
            found["at_s"] = round(at - since, 1)
            found["kbytes"] = round(self.rtp_bytes(window, at) / 1000, 1)
            found["retransmitted_kbytes"] = round(self.rtp_bytes(window, at, only=self.retransmitted()) / 1000, 1)
        self.write_course(since, estimates)

    def write_course(self, since, estimates):
        """What was sent in each tenth of a second, beside what was estimated then: to see where a bar was missed."""
        again, bins = self.retransmitted(), {}
        for at, size, kind, pt in list(self.tap.sent):
            one = bins.setdefault(int((at - since) * 10), [0, 0])
            if kind == "rtp":
                one[pt in again] += size
        known = {int((at - since) * 10): estimate for at, estimate in estimates}
        with open(f"{self.work}/course.csv", "w", encoding="utf-8") as file:
            file.write("s,phase,media_kbps,retransmitted_kbps,estimate_kbps\n")
            estimate = None
            for n in range(max(bins, default=0) + 1):
                media, repeated = bins.get(n, (0, 0))
                estimate = known.get(n, estimate)
                phase = next((name for name, began in reversed(self.begun) if began <= since + n / 10), "connect")
                file.write(f"{n / 10},{phase},{media * 80 / 1000:.0f},{repeated * 80 / 1000:.0f},"
                           f"{'' if estimate is None else round(estimate / 1000)}\n")


def keep(result, docs):
    """Puts the rows of this run in the place of their older ones, in docs/interop.json and in the page."""
    try:
        with open(f"{docs}/interop.json", encoding="utf-8") as file:
            rows = {row["name"]: row for row in json.load(file)["receivers"]}
    except FileNotFoundError:
        rows = {}
    rows.update({row["name"]: row for row in result["receivers"]})
    order = [*receivers.DEFAULT, *sorted(set(rows) - set(receivers.DEFAULT))]
    kept = {"receivers": [rows[name] for name in order if name in rows]}
    with open(f"{docs}/interop.json", "w", encoding="utf-8") as file:
        json.dump(kept, file, indent=1)
        file.write("\n")
    with open(f"{docs}/interop.md", encoding="utf-8") as file:
        text = file.read()
    before, _, rest = text.partition("<!-- table -->\n")
    _, _, after = rest.partition("<!-- end of table -->")
    with open(f"{docs}/interop.md", "w", encoding="utf-8") as file:
        file.write(f"{before}<!-- table -->\n{table.markdown(kept)}<!-- end of table -->{after}")


def main():
    parser = argparse.ArgumentParser(prog="script/interop", description="Publishes to receivers that are not ours.")
    parser.add_argument("receiver", nargs="*", default=[], help="janus, pion, pion:lite ...; all when none is named")
    parser.add_argument("--for", dest="seconds", default="60s", help="how long each is published to before it is disturbed")
    parser.add_argument("--content", choices=("filling", "calm", "both"), default="both")
    parser.add_argument("--phases", default="kill,stop,outage,narrow", help="what is done after that, in this order")
    parser.add_argument("--out", default=None, help="the folder for logs, result.json and result.md")
    parser.add_argument("--docs", action="store_true", help="put the rows of this run into docs/interop.md and docs/interop.json")
    parser.add_argument("--without", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--place", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    given = parser.parse_args()
    match = re.fullmatch(r"(\d+)(s|m)", given.seconds)
    phases = [name for name in given.phases.split(",") if name]
    if not match:
        parser.error(f"--for {given.seconds}: write 60s or 2m")
    if any(name not in ("kill", "stop", "outage", "narrow") for name in phases):
        parser.error(f"--phases {given.phases}: of kill, stop, outage, narrow")
    given.seconds = int(match[1]) * (60 if match[2] == "m" else 1)
    try:
        chosen = [(name, *receivers.find(name)) for name in given.receiver or receivers.DEFAULT]
    except ValueError as error:
        parser.error(str(error))
    chosen = [(name, kind, variant) for name, kind, variant in chosen if kind.name not in given.without]
    if not chosen:
        note("nothing of what was asked for is here")
        return 3
    out = given.out or f"{given.place}/out"
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)

    version = subprocess.run([given.binary, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    circumstances = {
        "hawker": version or given.binary, "date": datetime.date.today().isoformat(), "seconds": given.seconds,
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}",
    }
    result = {"not_installed": given.without, "receivers": []}
    for name, kind, variant in chosen:
        row = {"name": name, "title": kind.title, "variant": receivers.VARIANTS[variant], "codec": kind.codec,
               "version": kind.version(given.place), **circumstances, "content": {}}
        result["receivers"].append(row)
        for content in ("filling", "calm") if given.content == "both" else (given.content,):
            work = f"{out}/{name.replace(':', '-')}-{content}"
            os.makedirs(work)
            note(f"{name} {row['version']}, {content} picture")
            # A picture that fills its rate shows all there is; the calm one is there for what only it shows.
            given.phases = phases if content == "filling" else [p for p in phases if p != "kill"]
            try:
                measured = Run(given, kind, variant, content, work).go()
            except (RuntimeError, OSError) as error:
                measured = {"ended": f"the run broke: {error}"}
            found = judge.bars(measured)
            row["content"][content] = {
                "measured": measured,
                "bars": {bar: {"value": value, "at_most": most, "met": met} for bar, (value, most, met) in found.items()},
            }
            for bar, (value, most, met) in found.items():
                if not met:
                    note(f"  MISSED {bar}: {'never' if value is None else value} (at most {most})")
        with open(f"{out}/result.json", "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
        with open(f"{out}/result.md", "w", encoding="utf-8") as file:
            file.write(table.markdown(result))
    print(table.markdown(result))
    if given.docs:
        keep(result, os.path.join(receivers.HERE, "../../docs"))
    missed = sum(not bar["met"] for row in result["receivers"] for one in row["content"].values() for bar in one["bars"].values())
    note(f"{missed} bars missed; logs, result.json and result.md in {out}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
