//! The tables of figures, the most telling first.

use super::{Aim, Figure, Kind, Look, Trait, Who};
use crate::stats::sender::Limit;

const fn figure(
    (name, unit, decimals): (&'static str, &'static str, usize),
    aim: Aim,
    meaning: &'static str,
    source: &'static str,
    read: fn(&Look<'_>, &Who) -> Option<f64>,
) -> Figure {
    let kind = Kind::Level;
    Figure { name, unit, decimals, meaning, source, aim, kind, stands_in: false, read }
}

impl Figure {
    const fn total(self) -> Self {
        Self { kind: Kind::Total, ..self }
    }

    const fn standing_in(self) -> Self {
        Self { stands_in: true, ..self }
    }
}

/// A stage of the frames' way.
const fn stage(
    name: &'static str,
    meaning: &'static str,
    read: fn(&Look<'_>, &Who) -> Option<f64>,
) -> Figure {
    let source = "The same frames' times between two places in this process, over the last 10 s.";
    Figure { kind: Kind::Way, ..figure((name, "ms", 1), Aim::None, meaning, source, read) }
}

/// The share of a group of threads.
const fn threads(
    name: &'static str,
    meaning: &'static str,
    read: fn(&Look<'_>, &Who) -> Option<f64>,
) -> Figure {
    figure((name, "%", 0), Aim::None, meaning, "The system's count of each thread.", read)
}

/// Of what all outputs share.
pub(super) const PROGRAM: &[Figure] = &[
    figure(
        ("frames", "/s", 0),
        Aim::AtLeast(|aims| aims.fps),
        "Frames that left the encoder in the last second.",
        "Counted behind the encoder.",
        |l, _| l.rate(l.second.program.encoded),
    ),
    figure(
        ("dropped", "/s", 0),
        Aim::AtMost(|_| 0.0),
        "Frames that were drawn and not encoded, because the encoder was still busy: this machine is too slow.",
        "Counted before the encoder.",
        |l, _| l.rate(l.second.program.dropped),
    ),
    figure(
        ("withheld", "/s", 0),
        Aim::None,
        "Frames that were not encoded because the link had no room for them.",
        "Counted before the encoder.",
        |l, _| l.rate(l.second.program.withheld),
    ),
    figure(
        ("repeated", "/s", 0),
        Aim::None,
        "Frames drawn with the same picture of the main input as the frame before: its next one came late.",
        "Counted where the program is drawn.",
        |l, _| l.rate(l.second.program.repeated),
    ),
    figure(
        ("skipped", "/s", 0),
        Aim::None,
        "Frames of the main input that were never shown, because the next one came before they were drawn.",
        "Counted where the program is drawn.",
        |l, _| l.rate(l.second.program.skipped),
    ),
    figure(
        ("loudness", "LUFS", 1),
        Aim::None,
        "Loudness of the program over 3 s. Most platforms play back at -14 to -16, broadcast at -23.",
        "EBU R128 short-term, after the limiter.",
        |l, _| l.meters.loudness.short_term,
    ),
    figure(
        ("cpu", "%", 0),
        Aim::None,
        "Share of one core that the show's process takes; 200 is two cores.",
        "The system's count over the last second.",
        |l, _| l.meters.process.cpu_percent,
    ),
    figure(
        ("memory", "MB", 0),
        Aim::None,
        "Memory of the show's process that is really in use.",
        "The system: resident set.",
        |l, _| l.meters.process.resident_bytes.map(|b| b as f64 / 1e6),
    ),
    threads("  picture", "Drawing and encoding, in all encodings.", |l, _| {
        Some(l.meters.process.threads?.picture)
    }),
    threads("  sound", "Mixing and encoding sound.", |l, _| Some(l.meters.process.threads?.sound)),
    threads("  inputs", "Capturing and decoding.", |l, _| Some(l.meters.process.threads?.inputs)),
    threads("  outputs", "Packing, pacing, encrypting, sending, writing.", |l, _| {
        Some(l.meters.process.threads?.outputs)
    }),
    threads("  stage", "The stage and the monitors.", |l, _| Some(l.meters.process.threads?.stage)),
    threads("  engine", "The engine, its faces' pictures, the store.", |l, _| {
        Some(l.meters.process.threads?.engine)
    }),
    threads("  other", "All other threads.", |l, _| Some(l.meters.process.threads?.other)),
    stage(
        "capture",
        "From the capture of the main input's picture until it is taken for the program.",
        |l, _| Some(l.meters.way.capture?.p50_ms),
    ),
    stage("capture p95", "The same: 95 of 100 frames took no longer.", |l, _| {
        Some(l.meters.way.capture?.p95_ms)
    }),
    stage("compose", "Until the program's frame is drawn.", |l, _| {
        Some(l.meters.way.compose?.p50_ms)
    }),
    stage("compose p95", "The same: 95 of 100 frames took no longer.", |l, _| {
        Some(l.meters.way.compose?.p95_ms)
    }),
    stage("encode", "Until it is out of the encoder, waiting for it included.", |l, _| {
        Some(l.meters.way.encode?.p50_ms)
    }),
    stage("encode p95", "The same: 95 of 100 frames took no longer.", |l, _| {
        Some(l.meters.way.encode?.p95_ms)
    }),
];

/// Of an output.
pub(super) const OUTPUT: &[Figure] = &[
    figure(
        ("sent", "kb/s", 0),
        Aim::None,
        "Picture and sound sent in the last second, headers and repairs included.",
        "Counted where packets leave.",
        |l, w| l.output(w)?.sent_kbps,
    ),
    figure(
        ("encoder rate", "kb/s", 0),
        Aim::None,
        "What the encoder is asked for now. It follows what the path carries, up to the profile's best.",
        "hawker's rate control.",
        |l, w| l.output(w)?.target_kbps,
    ),
    figure(
        ("available", "kb/s", 0),
        Aim::None,
        "What the path is known to carry: never more than was tried, so little where little is sent.",
        "Estimated from the receiver's transport-wide feedback.",
        |l, w| l.output(w)?.available_kbps,
    ),
    figure(
        ("round trip", "ms", 1),
        Aim::None,
        "From here to the ingest and back.",
        "RTCP receiver reports.",
        |l, w| l.output(w)?.rtt_ms,
    ),
    figure(
        ("jitter", "ms", 1),
        Aim::None,
        "How unevenly packets reach the ingest.",
        "The ingest's reports on each packet (TWCC), by RFC 3550; RTCP receiver reports where it sends none.",
        |l, w| l.output(w)?.jitter_ms,
    ),
    figure(
        ("loss", "%", 2),
        Aim::None,
        "Share of packets that did not reach the ingest in the last second, before repair.",
        "The ingest's reports on each packet (TWCC); RTCP receiver reports where it sends none.",
        |l, w| l.output(w)?.loss.map(|loss| loss * 100.0),
    ),
    figure(
        ("silence", "ms", 0),
        Aim::None,
        "Time since the ingest was last heard of. Half a second of it counts as trouble.",
        "The ingest's reports on each packet (TWCC). Where it sends none: its other RTCP reports, from when one is due.",
        |l, w| l.output(w)?.silent_ms.map(|ms| ms as f64),
    ),
    figure(
        ("pacer", "ms", 1),
        Aim::None,
        "How long packets wait for their turn at the rate at which they leave; the most since the last look.",
        "The pacer's own queue.",
        |l, w| l.output(w)?.pacer_ms,
    ),
    figure(
        ("sent again", "kb/s", 0),
        Aim::None,
        "Packets sent once more, because the ingest asked for them or to be safe.",
        "Counted where packets leave (RTX).",
        |l, w| l.output(w)?.rtx_kbps,
    ),
    figure(
        ("sent twice", "kb/s", 0),
        Aim::None,
        "Sound and last packets of frames that are said twice unasked, against loss. Part of what is sent.",
        "Counted where packets leave.",
        |l, w| l.output(w)?.redundant_kbps,
    ),
    figure(
        ("nack", "", 0),
        Aim::None,
        "Packets that the ingest asked to be sent again.",
        "RTCP from the ingest.",
        |l, w| l.output(w)?.nacks.map(|n| n as f64),
    )
    .total(),
    figure(
        ("pli", "", 0),
        Aim::None,
        "Key frames that the ingest asked for, because its decoder lost the picture.",
        "RTCP from the ingest.",
        |l, w| l.output(w)?.plis.map(|n| n as f64),
    )
    .total(),
    figure(
        ("fir", "", 0),
        Aim::None,
        "Key frames that the ingest asked for, as a rule for somebody who has just come.",
        "RTCP from the ingest.",
        |l, w| l.output(w)?.firs.map(|n| n as f64),
    )
    .total(),
    figure(
        ("in encoder", "", 0),
        Aim::None,
        "Frames given to the encoder that have not come out yet.",
        "Counted around the encoder.",
        |l, w| l.output(w)?.encoder_queue.map(f64::from),
    ),
    figure(
        ("thrown away", "/s", 0),
        Aim::AtMost(|_| 0.0),
        "Frames that were encoded and not sent, because this output could not keep up.",
        "Counted in the output's queue.",
        |l, w| l.rate(l.output_second(w)?.dropped),
    ),
    figure(
        ("disk free", "GB", 1),
        Aim::None,
        "Room on the disk that a recording goes to.",
        "The file system.",
        |l, w| Some(l.output(w)?.disk?.free_bytes as f64 / 1e9),
    ),
    figure(
        ("written", "MB", 0),
        Aim::None,
        "What a recording has written so far.",
        "Counted by the recording.",
        |l, w| Some(l.output(w)?.disk?.written_bytes as f64 / 1e6),
    )
    .total(),
    stage(
        "encode",
        "Until it is out of this output's encoder, waiting for it included.",
        |l, w| Some(l.output(w)?.way.encode?.p50_ms),
    ),
    stage("encode p95", "The same: 95 of 100 frames took no longer.", |l, w| {
        Some(l.output(w)?.way.encode?.p95_ms)
    }),
    stage("pace", "Until the pacer lets its last packet go.", |l, w| {
        Some(l.output(w)?.way.pace?.p50_ms)
    }),
    stage("pace p95", "The same: 95 of 100 frames took no longer.", |l, w| {
        Some(l.output(w)?.way.pace?.p95_ms)
    }),
    stage("send", "Until its last packet is encrypted and handed to the socket.", |l, w| {
        Some(l.output(w)?.way.send?.p50_ms)
    }),
    stage("send p95", "The same: 95 of 100 frames took no longer.", |l, w| {
        Some(l.output(w)?.way.send?.p95_ms)
    }),
];

/// Words about an output.
pub(super) const OUTPUT_TRAITS: &[Trait] = &[
    Trait {
        name: "rate control",
        meaning: "rising: it tries more. holding: as much as passes, or as is wanted. draining: a queue stands \
                  on the path. lossy: too much is lost to try more. testing: less on trial.",
        source: "hawker's rate control.",
        read: |l, w| Some(l.output(w)?.congestion?.word().to_owned()),
    },
    Trait {
        name: "limited by",
        meaning: "What keeps the picture from the profile's best, and for how long it has so far: bandwidth, cpu, \
                  or other (it shares the encoding of an output whose path carries less).",
        source: "hawker's encoder and rate control; the words are those of W3C webrtc-stats.",
        read: |l, w| {
            let limit = l.output(w)?.limit?;
            let spent = [Limit::Bandwidth, Limit::Cpu, Limit::Other].into_iter();
            let spent =
                spent.map(|by| (by.word(), limit.spent_ms(by) / 1000)).filter(|(_, s)| *s > 0);
            let spent: Vec<String> = spent.map(|(by, s)| format!("{by} {s} s")).collect();
            let now = if limit.by == Limit::None { "nothing" } else { limit.by.word() };
            let so_far = if spent.is_empty() { "" } else { "; so far " };
            Some(format!("{now}{so_far}{}", spent.join(", ")))
        },
    },
    Trait {
        name: "path",
        meaning: "Which kind of address each end has. host: its own. srflx, prflx: seen through a NAT. relay: a TURN \
                  server between.",
        source: "ICE's chosen pair of candidates.",
        read: |l, w| {
            let path = l.output(w)?.path?;
            let (local, remote) = (path.local.word(), path.remote.word());
            Some(format!("{local} to {remote}, {}", path.transport.word()))
        },
    },
];

/// Of a monitor.
pub(super) const MONITOR: &[Figure] = &[
    figure(
        ("latency p50", "ms", 1),
        Aim::None,
        "From the camera's frame to its arrival at the viewer: half of the last 10 s of frames took no longer.",
        "The capture stamp inside each frame, read on arrival by the same clock. No decoding, no screen.",
        |l, w| l.watch(w)?.latency.map(|l| l.p50_ms),
    ),
    figure(
        ("latency p95", "ms", 1),
        Aim::AtMost(|aims| f64::from(aims.targets.latency_ms)),
        "The same: 95 of 100 frames of the last 10 s took no longer.",
        "The capture stamp inside each frame.",
        |l, w| l.watch(w)?.latency.map(|l| l.p95_ms),
    ),
    figure(
        ("estimated p50", "ms", 0),
        Aim::None,
        "Capture to arrival of a stream without a capture stamp of this machine: half of the last 10 s of frames.",
        "The sender's reports and both machines' wall clocks: right only if these agree. Held against nothing.",
        |l, w| l.watch(w)?.estimated.map(|l| l.p50_ms),
    )
    .standing_in(),
    figure(
        ("estimated p95", "ms", 0),
        Aim::None,
        "The same: 95 of 100 frames of the last 10 s took no longer.",
        "The sender's reports and both machines' wall clocks.",
        |l, w| l.watch(w)?.estimated.map(|l| l.p95_ms),
    )
    .standing_in(),
    figure(
        ("gap", "ms", 0),
        Aim::None,
        "Time since the last frame came: the wait that is open now. In red it is a stall.",
        "The arrival of whole frames.",
        |l, w| l.watch(w).map(|w| w.gap_ms as f64),
    ),
    figure(
        ("stalled", "ms/s", 0),
        Aim::None,
        "How long the picture stood still in that second. A freeze counts where it ends.",
        "Gaps longer than a freeze is by WebRTC's definition, and longer ones as they go on.",
        |l, w| l.rate(l.watch_second(w)?.stalled_ms),
    ),
    STALL_SHARE,
    figure(
        ("frames", "/s", 1),
        Aim::AtLeast(|aims| aims.fps),
        "Whole frames that came in the last second.",
        "The arrival of whole frames.",
        |l, w| l.watch(w).map(|w| f64::from(w.fps)),
    ),
    figure(
        ("received", "kb/s", 0),
        Aim::None,
        "Picture and sound received in the last second.",
        "Counted on arrival.",
        |l, w| l.watch(w).map(|w| w.kbps),
    ),
    figure(
        ("sound late by", "ms", 0),
        Aim::None,
        "Sound against picture: positive is sound that comes late. From 125 ms on it is noticed.",
        "Both streams' times joined through RTCP sender reports.",
        |l, w| l.watch(w)?.av_skew_ms,
    ),
    figure(
        ("freezes", "", 0),
        Aim::None,
        "Freezes of this session so far.",
        "WebRTC's definition: a gap of three mean ones, and of 150 ms more than one, at least; at most 5 s.",
        |l, w| l.watch(w).map(|w| w.freezes as f64),
    )
    .total(),
    figure(
        ("jitter", "ms", 1),
        Aim::None,
        "How unevenly the picture's packets arrive.",
        "The arrival of packets (RFC 3550).",
        |l, w| l.watch(w)?.jitter_ms,
    ),
    figure(
        ("sound gaps", "", 0),
        Aim::None,
        "Gaps of 100 ms or more in the sound, which no receiver's buffer bridges.",
        "The arrival of packets of sound.",
        |l, w| l.watch(w).map(|w| w.sound_gaps as f64),
    )
    .total(),
    figure(
        ("new sizes", "", 0),
        Aim::None,
        "How often the picture's size changed: each time the rate went to another rung of the ladder.",
        "The frames themselves.",
        |l, w| l.watch(w).map(|w| w.size_changes as f64),
    )
    .total(),
    stage("network", "From our socket to the arrival of its last packet here, servers between included.", |l, w| {
        Some(l.watch(w)?.network?.p50_ms)
    }),
    stage("network p95", "The same: 95 of 100 frames took no longer.", |l, w| Some(l.watch(w)?.network?.p95_ms)),
];

/// Words about a monitor.
pub(super) const MONITOR_TRAITS: &[Trait] = &[Trait {
    name: "picture",
    meaning: "The size of the picture that comes.",
    source: "The frames themselves.",
    read: |l, w| l.watch(w)?.size.map(|(w, h)| format!("{w}x{h}")),
}];

/// The share of the last five minutes in which a monitor's picture stood still: read from the course of a show, not
/// from one look.
pub(in crate::stats) const STALL_SHARE: Figure = figure(
    ("stall ratio", "%", 2),
    Aim::AtMost(|aims| f64::from(aims.targets.stall_permille) / 10.0),
    "Share of the last five minutes in which the picture stood still.",
    "The seconds above, added up.",
    |_, _| None,
);

/// Of a browser on the viewer page.
pub(super) const VIEWER: &[Figure] = &[
    figure(
        ("to screen p50", "ms", 0),
        Aim::AtMost(|aims| f64::from(aims.targets.latency_ms)),
        "From capture to this browser's screen: half of the last 10 s of frames took no longer.",
        "The capture stamp inside each frame, read by the viewer page. A dash where the browser lets no page read it.",
        |l, w| l.viewer(w)?.screen_p50_ms,
    ),
    figure(
        ("to screen p95", "ms", 0),
        Aim::AtMost(|aims| f64::from(aims.targets.latency_ms)),
        "The same: 95 of 100 frames of the last 10 s took no longer.",
        "The capture stamp inside each frame, read by the viewer page.",
        |l, w| l.viewer(w)?.screen_p95_ms,
    ),
    figure(
        ("estimate", "ms", 0),
        Aim::AtMost(|aims| f64::from(aims.targets.latency_ms)),
        "From capture to this browser's screen, for browsers that cannot read the stamp.",
        "The browser's own estimate from RTCP sender reports and its jitter buffer.",
        |l, w| l.viewer(w)?.latency_ms,
    ),
    figure(
        ("frames", "/s", 1),
        Aim::AtLeast(|aims| aims.fps),
        "Frames it decoded in the last second.",
        "The browser's getStats.",
        |l, w| l.viewer(w)?.fps,
    ),
    figure(
        ("received", "kb/s", 0),
        Aim::None,
        "Received in the last second.",
        "The browser's getStats.",
        |l, w| l.viewer(w)?.kbps,
    ),
    figure(
        ("jitter buffer", "ms", 0),
        Aim::None,
        "How long a frame waited in the browser for its turn.",
        "The browser's getStats, over the last second.",
        |l, w| l.viewer(w)?.jitter_buffer_ms,
    ),
    figure(
        ("freezes", "", 0),
        Aim::None,
        "Freezes of this visit so far.",
        "The browser's getStats.",
        |l, w| l.viewer(w)?.freezes.map(|n| n as f64),
    )
    .total(),
    figure(
        ("frozen", "s", 1),
        Aim::None,
        "Time its picture stood still so far.",
        "The browser's getStats.",
        |l, w| l.viewer(w)?.freeze_seconds,
    )
    .total(),
    figure(
        ("lost", "", 0),
        Aim::None,
        "Packets lost on the way to this browser so far, before repair.",
        "The browser's getStats.",
        |l, w| l.viewer(w)?.packets_lost.map(|n| n as f64),
    )
    .total(),
];

/// Words about a browser.
pub(super) const VIEWER_TRAITS: &[Trait] = &[
    Trait {
        name: "browser",
        meaning: "What it calls itself.",
        source: "The viewer page.",
        read: |l, w| Some(l.viewer(w)?.browser.clone()),
    },
    Trait {
        name: "state",
        meaning: "Of its connection.",
        source: "The browser.",
        read: |l, w| Some(l.viewer(w)?.state.clone()),
    },
    Trait {
        name: "picture",
        meaning: "The size of the picture that it decodes.",
        source: "The browser's getStats.",
        read: |l, w| {
            let viewer = l.viewer(w)?;
            Some(format!("{}x{}", viewer.width?, viewer.height?))
        },
    },
];
