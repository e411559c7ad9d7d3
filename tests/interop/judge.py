"""The bars of a run, and whether they are met. It measures nothing: it is given figures, and `None` for what never
came."""

# Seconds without a new frame on an open path, also for a receiver that is slow on a busy machine.
GAP_S = 1.0
# Of the profile's highest rate, what may be missing on an open path.
MISSING = 0.1
# Seconds to connect; to notice a dead ingest, by the best sign of life it gave; from its open port to a frame; from an
# open path to what was sent before.
CONNECT_S = 3.0
NOTICED_S = {"twcc": 1.5, "rtcp": 3.0, "consent": 10.0}
BACK_S = 5.0
TOP_S = 5.0
# A calm picture after a path that carried less than its lowest rate.
TOP_AFTER_NARROW_S = 12.0
# All RTP that is sent within any 200 ms, over the estimate of the path; and what is sent into a narrow path over its
# rate, once five seconds have passed.
WINDOW_S = 0.2
PEAK = 1.25
INTO_NARROW = 1.05
# Two packets do not make a flood, however short the window.
SLACK_BYTES = 2400
# A packet may have been sent by an estimate that is this much older than its window, and the log's clock may be this late.
ESTIMATE_AGE_S = 0.05


def sign(seconds, counts):
    """The best sign of life: feedback by transport-cc, other RTCP, or answers to ICE's consent checks only."""
    if counts.get("twcc", 0) >= seconds:
        return "twcc"
    if sum(counts.get(kind, 0) for kind in ("rr", "sr", "xr", "remb", "nack", "rtcp", "pli")) >= seconds / 10:
        return "rtcp"
    return "consent"


def peak(sent, estimates):
    """The most that was sent in a window, over the highest estimate that held within it, and when. `sent` is
    (time, bytes) of RTP, `estimates` is (time, bits per second), each holds until the next."""
    worst, at = 0.0, None
    begin = total = first = 0
    for now, size in sent:
        total += size
        while sent[begin][0] <= now - WINDOW_S:
            total -= sent[begin][1]
            begin += 1
        # The first that counts is the last one before the window.
        while first + 1 < len(estimates) and estimates[first + 1][0] < now - WINDOW_S - ESTIMATE_AGE_S:
            first += 1
        known = []
        for when, estimate in estimates[first:]:
            if when > now + ESTIMATE_AGE_S:
                break
            known.append(estimate)
        # Before the first estimate there is nothing to hold against.
        if known:
            ratio = max(0, total - SLACK_BYTES) * 8 / WINDOW_S / max(known)
            if ratio > worst:
                worst, at = ratio, now
    return worst, at


def top(samples, since, before):
    """Seconds from `since` until the target is back, and stays for two seconds. `samples` is (time, target, whether all
    else is well: on air, the first picture of the ladder, frames arriving)."""
    reached = None
    for at, target, well in samples:
        if at < since:
            continue
        if target is not None and well and target >= 0.9 * before:
            reached = at if reached is None else reached
            if at - reached >= 2:
                return reached - since
        else:
            reached = None
    return None


def bars(measured):
    """Which bars apply, as {name: (value, bar, met)}. A value that never came does not meet its bar."""
    found = {}

    def at_most(name, value, most):
        found[name] = (value, most, value is not None and value <= most)

    def measure(phase, name, key, most):
        if phase in measured:
            at_most(name, measured[phase].get(key), most)

    measure("connect", "connects", "seconds", CONNECT_S)
    measure("hold", "sessions lost", "lost", 0)
    if "hold" in measured:
        at_most("longest without a frame", measured["hold"].get("gap_s"), GAP_S)
        # Those in which a smaller picture was sent on a path that carries anything.
        at_most("seconds below the full picture", measured["hold"].get("small_seconds"), 0)
        # Without transport-cc nobody knows what an open path carries; with it, everything is found within seconds.
        if measured["hold"].get("sign") == "twcc" and measured["hold"].get("filling"):
            at_most("missing from the full rate", measured["hold"].get("missing"), MISSING)
    if "kill" in measured:
        at_most("death noticed", measured["kill"].get("noticed_s"), NOTICED_S[measured["kill"]["sign"]])
        at_most("frames after its restart", measured["kill"].get("back_s"), BACK_S)
    measure("stop", "at the top after a receiver that stopped", "top_s", TOP_S)
    measure("outage", "at the top after an outage", "top_s", TOP_S)
    measure("narrow", "sent into a narrow path, of its rate", "sent_ratio", INTO_NARROW)
    if "calm_narrow" in measured:
        at_most("calm picture at the top after a narrow path", measured["calm_narrow"].get("top_s"), TOP_AFTER_NARROW_S)
    if "peak" in measured:
        at_most("most sent in 200 ms, of the estimate", measured["peak"].get("ratio"), PEAK)
    if measured.get("ended"):
        at_most(f"hawker ended by itself ({measured['ended']})", 1, 0)
    return found
