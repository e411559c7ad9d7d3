//! A show's figures for whoever gathers them over months and machines (Prometheus). What is not measured is
//! left out. The names are a promise: `assets/grafana.json` and other people's alarms read them.

use std::{net::SocketAddr, sync::Arc};

use super::faces::Faces;
use crate::{
    base::{Secret, Severity},
    link::{ListenError, metrics::Metrics},
    show::{InputStatus, Show},
    stats::{
        CongestionState, Grade, LatencySummary, Limit, Meters, OutputFigures, Verdict,
        WatchFigures,
        exposition::{CONTENT_TYPE, Exposition, Kind},
    },
};

/// Gives the figures at `listen` until it is dropped. Reading them asks nothing of the engine's loop.
///
/// # Errors
/// The address cannot be listened on, or is open to others and there is no token.
pub fn serve(
    faces: Faces,
    listen: SocketAddr,
    token: Option<Secret>,
) -> Result<Metrics, ListenError> {
    let page = move || {
        let (show, meters) = (Arc::clone(&faces.show.borrow()), Arc::clone(&faces.meters.borrow()));
        page(&show, &meters)
    };
    Metrics::start(listen, token, CONTENT_TYPE, Arc::new(page))
}

fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// Prometheus counts bytes, whatever the field counts in.
fn bytes(kbps: f64) -> f64 {
    kbps * 1e3 / 8.0
}

/// All figures of a show. Times are seconds, rates bytes a second, sizes bytes, shares 0-1.
pub fn page(show: &Show, meters: &Meters) -> String {
    use Kind::Gauge;
    let mut text = Exposition::default();
    let profile = &show.spec.profile;
    text.family("hawker_show_info", Gauge, "The show that runs; always 1.").sample(
        &[
            ("title", &show.spec.title),
            ("mode", super::report::mode_name(show.mode)),
            ("profile", &profile.name),
        ],
        Some(1.0),
    );
    text.family("hawker_uptime_seconds", Gauge, "Since the engine began.")
        .sample(&[], Some(meters.at_ms as f64 / 1e3));
    text.family(
        "hawker_latency_target_seconds",
        Gauge,
        "Capture to viewer, as the profile aims at.",
    )
    .sample(&[], Some(f64::from(profile.latency_target_ms) / 1e3));
    text.family(
        "hawker_stall_target_ratio",
        Gauge,
        "Time that may stand still, as the profile aims at.",
    )
    .sample(&[], Some(f64::from(profile.stall_target_permille) / 1e3));

    text.family("hawker_input_up", Gauge, "Whether an input gives.");
    for input in &show.inputs {
        let up = matches!(input.status, InputStatus::Up { .. });
        text.sample(&[("input", input.spec.id.as_str())], Some(truth(up)));
    }
    frames(&mut text, meters);
    ways(&mut text, meters);
    outputs(&mut text, show, meters);
    recovery(&mut text, meters);
    monitors(&mut text, meters);
    verdicts(&mut text, meters);
    text.family("hawker_alarms_open", Gauge, "Alarms that are raised, by weight.");
    for (word, severity) in
        [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)]
    {
        let open = show.alarms.open().iter().filter(|a| a.severity == severity).count();
        text.sample(&[("severity", word)], Some(open as f64));
    }
    text.family("hawker_viewers", Gauge, "Browsers on the stage's page that are connected.")
        .sample(&[], Some(meters.watching() as f64));
    text.family("hawker_processor_cores", Gauge, "Cores in use over the last second.")
        .sample(&[], meters.process.cpu_percent.map(|p| p / 100.0));
    text.family("hawker_resident_memory_bytes", Gauge, "Memory of the engine's process.")
        .sample(&[], meters.process.resident_bytes.map(|b| b as f64));
    text.family(
        "hawker_thread_cores",
        Gauge,
        "Cores in use over the last second, by what threads do.",
    );
    if let Some(shares) = &meters.process.threads {
        for (group, percent) in [
            ("picture", shares.picture),
            ("sound", shares.sound),
            ("inputs", shares.inputs),
            ("outputs", shares.outputs),
            ("stage", shares.stage),
            ("engine", shares.engine),
            ("other", shares.other),
        ] {
            text.sample(&[("group", group)], Some(percent / 100.0));
        }
    }
    text.into_text()
}

/// The percentiles of a distribution, each with those labels and its own.
fn quantiles(text: &mut Exposition, labels: &[(&str, &str)], of: Option<LatencySummary>) {
    for (quantile, ms) in [
        ("0.5", of.map(|l| l.p50_ms)),
        ("0.95", of.map(|l| l.p95_ms)),
        ("0.99", of.map(|l| l.p99_ms)),
    ] {
        let labels = [labels, &[("quantile", quantile)]].concat();
        text.sample(&labels, ms.map(|ms| ms / 1e3));
    }
}

/// What frames wait for, by stage.
fn ways(text: &mut Exposition, meters: &Meters) {
    text.family(
        "hawker_frame_stage_seconds",
        Kind::Summary,
        "What the program's frames waited for over the last 10 s, by stage and quantile.",
    );
    let way = &meters.way;
    for (stage, took) in
        [("capture", way.capture), ("compose", way.compose), ("encode", way.encode)]
    {
        quantiles(text, &[("stage", stage)], took);
    }
    text.family(
        "hawker_output_frame_stage_seconds",
        Kind::Summary,
        "What an output's frames waited for over the last 10 s, by stage and quantile.",
    );
    for (id, OutputFigures { way, .. }) in &meters.outputs {
        for (stage, took) in [("encode", way.encode), ("pace", way.pace), ("send", way.send)] {
            quantiles(text, &[("output", id.as_str()), ("stage", stage)], took);
        }
    }
}

fn frames(text: &mut Exposition, meters: &Meters) {
    let f = &meters.frames;
    text.family(
        "hawker_frames_total",
        Kind::Counter,
        "Frames of the program, by what became of them.",
    );
    for (what, n) in [
        ("captured", f.captured),
        ("composed", f.composed),
        ("repeated", f.repeated),
        ("skipped", f.skipped),
        ("encoded", f.encoded),
        ("dropped", f.dropped),
        ("withheld", f.withheld),
        ("key", f.key_frames),
    ] {
        text.sample(&[("what", what)], Some(n as f64));
    }
}

fn outputs(text: &mut Exposition, show: &Show, meters: &Meters) {
    use Kind::{Counter, Gauge};
    text.family("hawker_output_on_air", Gauge, "Whether an output is on air.");
    for output in &show.outputs {
        text.sample(&[("output", output.spec.id.as_str())], Some(truth(output.is_live())));
    }
    text.family("hawker_output_reconnects_total", Counter, "How often it was connected anew.");
    for output in &show.outputs {
        let n = f64::from(output.reconnects);
        text.sample(&[("output", output.spec.id.as_str())], Some(n));
    }
    type Of = fn(&crate::stats::OutputFigures) -> Option<f64>;
    let families: [(&'static str, Kind, &str, Of); 7] = [
        ("hawker_output_sent_bytes_per_second", Gauge, "Sent over the last second.", |o| {
            o.sent_kbps.map(bytes)
        }),
        ("hawker_output_target_bytes_per_second", Gauge, "Asked of the encoder.", |o| {
            o.target_kbps.map(bytes)
        }),
        (
            "hawker_output_available_bytes_per_second",
            Gauge,
            "What the path is believed to carry.",
            |o| o.available_kbps.map(bytes),
        ),
        ("hawker_output_round_trip_seconds", Gauge, "Round trip by RTCP.", |o| {
            o.rtt_ms.map(|ms| ms / 1e3)
        }),
        ("hawker_output_loss_ratio", Gauge, "Lost on the way, as the receiver says.", |o| o.loss),
        ("hawker_output_silence_seconds", Gauge, "Since the last feedback.", |o| {
            o.silent_ms.map(|ms| ms as f64 / 1e3)
        }),
        (
            "hawker_output_dropped_frames_total",
            Counter,
            "Frames thrown away because the output could not keep up.",
            |o| Some(o.dropped as f64),
        ),
    ];
    for (name, kind, help, of) in families {
        text.family(name, kind, help);
        for (id, figures) in &meters.outputs {
            text.sample(&[("output", id.as_str())], of(figures));
        }
    }
}

/// What the receiver asks for, what is sent beyond what has to be, what congestion control does.
fn recovery(text: &mut Exposition, meters: &Meters) {
    use Kind::{Counter, Gauge};
    type Of = fn(&OutputFigures) -> Option<f64>;
    let count = |n: Option<u64>| n.map(|n| n as f64);
    let families: [(&'static str, Kind, &str, Of); 10] = [
        (
            "hawker_output_jitter_seconds",
            Gauge,
            "Of the picture's packets, as the receiver says.",
            |o| o.jitter_ms.map(|ms| ms / 1e3),
        ),
        ("hawker_output_lost_packets", Gauge, "Lost in this session, as the receiver says.", |o| {
            o.lost.map(|n| n as f64)
        }),
        ("hawker_output_nacks_total", Counter, "Packets asked for again.", |o| {
            o.nacks.map(|n| n as f64)
        }),
        ("hawker_output_rtx_bytes_per_second", Gauge, "Sent again by RTX.", |o| {
            o.rtx_kbps.map(bytes)
        }),
        ("hawker_output_redundant_bytes_per_second", Gauge, "Said twice unasked.", |o| {
            o.redundant_kbps.map(bytes)
        }),
        (
            "hawker_output_pacer_seconds",
            Gauge,
            "The most that waited in the pacer, as time.",
            |o| o.pacer_ms.map(|ms| ms / 1e3),
        ),
        ("hawker_output_pacer_packets", Gauge, "The same in packets.", |o| {
            o.pacer_packets.map(f64::from)
        }),
        (
            "hawker_output_encoder_queue_frames",
            Gauge,
            "Frames that its encoder has in hand.",
            |o| o.encoder_queue.map(f64::from),
        ),
        (
            "hawker_output_congestion_state",
            Gauge,
            "What congestion control does: 0 rising, 1 holding, 2 draining, 3 lossy, 4 testing.",
            |o| {
                let place = |state| CongestionState::ALL.iter().position(|s| *s == state);
                o.congestion.and_then(place).map(|n| n as f64)
            },
        ),
        (
            "hawker_output_limit",
            Gauge,
            "What limits the quality: 0 nothing, 1 bandwidth, 2 processor, 3 another output.",
            |o| {
                let place = |by| Limit::ALL.iter().position(|l| *l == by);
                o.limit.and_then(|limit| place(limit.by)).map(|n| n as f64)
            },
        ),
    ];
    for (name, kind, help, of) in families {
        text.family(name, kind, help);
        for (id, figures) in &meters.outputs {
            text.sample(&[("output", id.as_str())], of(figures));
        }
    }
    text.family("hawker_output_key_requests_total", Counter, "Key frames asked for, by kind.");
    for (id, figures) in &meters.outputs {
        for (kind, n) in [("pli", figures.plis), ("fir", figures.firs)] {
            text.sample(&[("output", id.as_str()), ("kind", kind)], count(n));
        }
    }
    text.family(
        "hawker_output_limited_seconds_total",
        Counter,
        "Time, by what limited the quality.",
    );
    for (id, figures) in &meters.outputs {
        for by in Limit::ALL {
            let spent = figures.limit.map(|limit| limit.spent_ms(by) as f64 / 1e3);
            text.sample(&[("output", id.as_str()), ("by", by.word())], spent);
        }
    }
    text.family("hawker_output_path_info", Gauge, "The path that ICE has chosen; always 1.");
    for (id, figures) in &meters.outputs {
        let Some(path) = figures.path else { continue };
        let labels = [
            ("output", id.as_str()),
            ("local", path.local.word()),
            ("remote", path.remote.word()),
            ("transport", path.transport.word()),
        ];
        text.sample(&labels, Some(1.0));
    }
}

fn verdicts(text: &mut Exposition, meters: &Meters) {
    // The order of the grades is a promise, like the names.
    let number = |verdict: &Verdict| Grade::ALL.iter().position(|g| *g == verdict.grade);
    let value = |verdict: &Verdict| number(verdict).map(|n| n as f64);
    text.family(
        "hawker_output_verdict",
        Kind::Gauge,
        "How well an output's viewers are served: 0 good, 1 strained, 2 late, 3 stalling, 4 down.",
    );
    for (id, verdict) in &meters.verdicts {
        text.sample(&[("output", id.as_str())], value(verdict));
    }
    text.family(
        "hawker_monitor_verdict",
        Kind::Gauge,
        "What a monitor has: 0 good, 1 strained, 2 late, 3 stalling, 4 down.",
    );
    for (id, verdict) in &meters.monitor_verdicts {
        text.sample(&[("monitor", id.as_str())], value(verdict));
    }
}

/// What monitors have. That of the stage has no label.
fn monitors(text: &mut Exposition, meters: &Meters) {
    use Kind::{Counter, Gauge, Summary};
    let stage = meters.monitor.iter().map(|seen| (None, seen));
    let others = meters.monitors.iter().map(|(id, seen)| (Some(id.as_str()), seen));
    let all: Vec<(Option<&str>, &WatchFigures)> = stage.chain(others).collect();
    if all.is_empty() {
        return;
    }
    type Quantiles = fn(&WatchFigures) -> Option<LatencySummary>;
    let families: [(&'static str, &str, Quantiles); 3] = [
        (
            "hawker_monitor_latency_seconds",
            "Capture to arrival over the last 10 s, by quantile.",
            |seen| seen.latency,
        ),
        (
            "hawker_monitor_estimated_seconds",
            "The same where there is no stamp, by sender reports; right only if both clocks agree.",
            |seen| seen.estimated,
        ),
        (
            "hawker_monitor_network_seconds",
            "The part of it from our socket on, by quantile.",
            |seen| seen.network,
        ),
    ];
    for (name, help, of) in families {
        text.family(name, Summary, help);
        for (monitor, seen) in &all {
            let labels: Vec<(&str, &str)> = monitor.iter().map(|n| ("monitor", *n)).collect();
            quantiles(text, &labels, of(seen));
        }
    }
    type Of = fn(&WatchFigures) -> Option<f64>;
    let families: [(&'static str, Kind, &str, Of); 12] = [
        ("hawker_monitor_frames_per_second", Gauge, "Frames that arrive.", |w| {
            Some(f64::from(w.fps))
        }),
        (
            "hawker_monitor_received_bytes_per_second",
            Gauge,
            "Received over the last second.",
            |w| Some(bytes(w.kbps)),
        ),
        ("hawker_monitor_gap_seconds", Gauge, "Since the last frame.", |w| {
            Some(w.gap_ms as f64 / 1e3)
        }),
        ("hawker_monitor_freezes_total", Counter, "Freezes by the WebRTC definition.", |w| {
            Some(w.freezes as f64)
        }),
        ("hawker_monitor_frozen_seconds_total", Counter, "Time frozen, by the same.", |w| {
            Some(w.freeze_ms as f64 / 1e3)
        }),
        (
            "hawker_monitor_paused_seconds_total",
            Counter,
            "Time in gaps of more than five seconds, which are no freezes by the same.",
            |w| Some(w.pause_ms as f64 / 1e3),
        ),
        (
            "hawker_monitor_sound_behind_picture_seconds",
            Gauge,
            "Sound against picture; positive is sound late.",
            |w| w.av_skew_ms.map(|ms| ms / 1e3),
        ),
        ("hawker_monitor_jitter_seconds", Gauge, "Of the picture's packets.", |w| {
            w.jitter_ms.map(|ms| ms / 1e3)
        }),
        ("hawker_monitor_sound_gaps_total", Counter, "Gaps in the sound of 100 ms or more.", |w| {
            Some(w.sound_gaps as f64)
        }),
        ("hawker_monitor_sound_gap_seconds_total", Counter, "Time in them.", |w| {
            Some(w.sound_gap_ms as f64 / 1e3)
        }),
        (
            "hawker_monitor_size_changes_total",
            Counter,
            "How often the picture's size changed.",
            |w| Some(w.size_changes as f64),
        ),
        (
            "hawker_monitor_foreign_seconds",
            Gauge,
            "How long the frames have been another show's; 0 while they are its own.",
            |w| Some(w.foreign_ms as f64 / 1e3),
        ),
    ];
    for (family, kind, help, of) in families {
        text.family(family, kind, help);
        for (name, seen) in &all {
            let labels: Vec<(&str, &str)> = name.iter().map(|n| ("monitor", *n)).collect();
            text.sample(&labels, of(seen));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config,
        show::Mode,
        stats::{CandidateKind, CandidatePair, OutputWay, QualityLimit, Transport, ViewerFigures},
    };

    fn full() -> String {
        let show = Show::new(config::builtin_show(), Mode::Rehearse);
        let latency =
            LatencySummary { p50_ms: 7.0, p95_ms: 9.0, p99_ms: 11.0, max_ms: 20.0, count: 300 };
        let sent = OutputFigures {
            sent_kbps: Some(2400.0),
            target_kbps: Some(2500.0),
            available_kbps: Some(3000.0),
            rtt_ms: Some(23.0),
            loss: Some(0.01),
            silent_ms: Some(40),
            nacks: Some(12),
            plis: Some(2),
            congestion: Some(CongestionState::Draining),
            path: Some(CandidatePair {
                local: CandidateKind::Host,
                remote: CandidateKind::Relay,
                transport: Transport::Udp,
            }),
            limit: Some(QualityLimit {
                by: Limit::Bandwidth,
                bandwidth_ms: 1500,
                ..QualityLimit::default()
            }),
            way: OutputWay { pace: Some(latency), ..OutputWay::default() },
            ..OutputFigures::default()
        };
        let viewer = ViewerFigures { state: "connected".into(), ..ViewerFigures::default() };
        let meters = Meters {
            at_ms: 1500,
            outputs: [("stage".parse().unwrap(), sent)].into(),
            verdicts: [("stage".parse().unwrap(), Verdict::good())].into(),
            monitor: Some(WatchFigures { latency: Some(latency), ..WatchFigures::default() }),
            monitors: [("tokyo".parse().unwrap(), WatchFigures::default())].into(),
            viewers: vec![viewer],
            ..Meters::default()
        };
        page(&show, &meters)
    }

    #[test]
    fn figures_are_told_in_base_units() {
        let page = full();
        for line in [
            "hawker_uptime_seconds 1.5",
            "hawker_output_sent_bytes_per_second{output=\"stage\"} 300000",
            "hawker_output_round_trip_seconds{output=\"stage\"} 0.023",
            "hawker_monitor_latency_seconds{quantile=\"0.95\"} 0.009",
            "hawker_latency_target_seconds 0.6",
            "hawker_stall_target_ratio 0.005",
            "hawker_viewers 1",
            "hawker_monitor_freezes_total 0",
            "hawker_monitor_gap_seconds{monitor=\"tokyo\"} 0",
            "hawker_output_verdict{output=\"stage\"} 0",
            "hawker_output_nacks_total{output=\"stage\"} 12",
            "hawker_output_key_requests_total{output=\"stage\",kind=\"pli\"} 2",
            "hawker_output_congestion_state{output=\"stage\"} 2",
            "hawker_output_limit{output=\"stage\"} 1",
            "hawker_output_limited_seconds_total{output=\"stage\",by=\"bandwidth\"} 1.5",
            "hawker_output_path_info{output=\"stage\",local=\"host\",remote=\"relay\",transport=\"udp\"} 1",
            "hawker_output_frame_stage_seconds{output=\"stage\",stage=\"pace\",quantile=\"0.95\"} 0.009",
        ] {
            assert!(page.lines().any(|l| l == line), "{line}: {page}");
        }
        assert!(!page.contains("\nhawker_processor_cores "), "not measured: {page}");
    }

    /// Every name there is. They are a promise: what is changed here breaks other people's dashboards and alarms.
    const NAMES: &str = "
        hawker_show_info hawker_uptime_seconds hawker_latency_target_seconds hawker_stall_target_ratio
        hawker_input_up hawker_frames_total hawker_frame_stage_seconds hawker_output_frame_stage_seconds
        hawker_output_on_air hawker_output_reconnects_total hawker_output_sent_bytes_per_second
        hawker_output_target_bytes_per_second hawker_output_available_bytes_per_second
        hawker_output_round_trip_seconds hawker_output_loss_ratio hawker_output_silence_seconds
        hawker_output_dropped_frames_total hawker_output_jitter_seconds hawker_output_lost_packets
        hawker_output_nacks_total hawker_output_rtx_bytes_per_second
        hawker_output_redundant_bytes_per_second hawker_output_pacer_seconds hawker_output_pacer_packets
        hawker_output_encoder_queue_frames hawker_output_congestion_state hawker_output_limit
        hawker_output_key_requests_total hawker_output_limited_seconds_total hawker_output_path_info
        hawker_monitor_latency_seconds hawker_monitor_estimated_seconds hawker_monitor_network_seconds
        hawker_monitor_frames_per_second hawker_monitor_received_bytes_per_second hawker_monitor_gap_seconds
        hawker_monitor_freezes_total hawker_monitor_frozen_seconds_total hawker_monitor_paused_seconds_total
        hawker_monitor_sound_behind_picture_seconds hawker_monitor_jitter_seconds
        hawker_monitor_sound_gaps_total hawker_monitor_sound_gap_seconds_total
        hawker_monitor_size_changes_total hawker_monitor_foreign_seconds hawker_output_verdict
        hawker_monitor_verdict hawker_alarms_open hawker_viewers hawker_processor_cores hawker_resident_memory_bytes hawker_thread_cores
    ";

    #[test]
    fn the_names_are_those_that_were_promised_and_have_base_units() {
        let page = full();
        let families: Vec<(&str, &str)> =
            page.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split_once(' ')).collect();
        let names: Vec<&str> = families.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, NAMES.split_whitespace().collect::<Vec<_>>());
        // As `promtool check metrics` has it: the endings of counters, and units that are base units.
        for (name, kind) in families {
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
            for word in name.split('_') {
                let unlike = [
                    "bits",
                    "kilobits",
                    "kbps",
                    "kilobytes",
                    "megabytes",
                    "mb",
                    "ms",
                    "milliseconds",
                    "microseconds",
                    "minutes",
                    "hours",
                    "percent",
                    "permille",
                    "cpu",
                    "memory_mb",
                ];
                assert!(!unlike.contains(&word), "{name}: {word} is no base unit");
            }
        }
    }

    #[test]
    fn every_line_is_of_a_family_that_was_begun_just_once() {
        let page = full();
        let mut begun: Vec<&str> = Vec::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let name = rest.split(' ').next().unwrap();
                assert!(!begun.contains(&name), "{name} twice");
                begun.push(name);
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                assert_eq!(begun.last(), Some(&name), "{line}");
                line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
            }
        }
    }

    #[test]
    fn the_dashboard_asks_for_nothing_that_is_not_given() {
        let page = full();
        let dashboard: serde_json::Value =
            serde_json::from_str(include_str!("../../assets/grafana.json")).unwrap();
        let text = dashboard.to_string();
        let names: std::collections::BTreeSet<&str> = text
            .match_indices("hawker_")
            .map(|(at, _)| {
                let rest = &text[at..];
                let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
                &rest[..end.unwrap_or(rest.len())]
            })
            .collect();
        assert!(names.len() > 12, "{names:?}");
        for name in &names {
            assert!(page.contains(&format!("# TYPE {name} ")), "{name}");
        }
        for shown in [
            "hawker_alarms_open",
            "hawker_monitor_freezes_total",
            "hawker_monitor_sound_gaps_total",
            "hawker_monitor_sound_behind_picture_seconds",
        ] {
            assert!(names.contains(shown), "{shown} is on no panel");
        }
    }
}
