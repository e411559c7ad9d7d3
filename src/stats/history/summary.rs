//! A show summed up against its targets, by output and by market. A figure that was not measured is `None`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{At, History, Track};
use crate::stats::second::{MonitorSecond, OutputSecond};

/// A show in a few figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// What the viewer got, over all monitors.
    pub seen: Seen,
    /// Whether `seen.latency_p95_ms` kept to the target; `null` when it was not measured.
    pub latency_met: Option<bool>,
    /// Whether `seen.stall_ratio` kept to the target; `null` when it was not measured.
    pub stalls_met: Option<bool>,
    /// Most viewers at once, where they are known.
    pub viewers_most: Option<u32>,
    /// Mean share of one core, in percent.
    pub cpu_percent: Option<f64>,
    /// Resident memory at its greatest, in MB.
    pub memory_mb: Option<f64>,
    /// Frames not encoded because the encoder was behind.
    pub dropped: u64,
    /// By output.
    pub outputs: Vec<OutputSummary>,
    /// By market; empty when the show names none.
    pub markets: Vec<MarketSummary>,
}

/// What monitors saw.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// Seconds in which it was measured.
    pub measured_s: u64,
    /// Capture to arrival, in ms: the median of the seconds' medians (each over 10 s).
    pub latency_p50_ms: Option<f64>,
    /// Capture to arrival, in ms: in 95 of 100 seconds the 95th percentile (over 10 s) was not above this.
    pub latency_p95_ms: Option<f64>,
    /// How often the picture stood still.
    pub stalls: u64,
    /// How long it stood still, in ms.
    pub stalled_ms: u64,
    /// The share of the measured time in which it stood still, 0.0-1.0.
    pub stall_ratio: Option<f64>,
}

/// One output in a few figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputSummary {
    /// Its name.
    pub name: String,
    /// Where it went, host only.
    pub to: String,
    /// The market it is for.
    pub market: Option<String>,
    /// Time on air, in ms.
    pub on_air_ms: u64,
    /// Time it should have been on air and was not, in ms.
    pub down_ms: u64,
    /// How often it was connected anew.
    pub reconnects: u32,
    /// How long the first connection took, in ms.
    pub connect_ms: Option<u32>,
    /// Mean bitrate sent, in kbit/s.
    pub sent_kbps: Option<f64>,
    /// Median round trip, in ms.
    pub rtt_ms: Option<f64>,
    /// Mean loss, 0.0-1.0.
    pub loss: Option<f64>,
    /// Frames thrown away because it could not keep up.
    pub dropped: u64,
    /// Most viewers at once.
    pub viewers_most: Option<u32>,
    /// Viewers on average.
    pub viewers_mean: Option<f64>,
}

/// One market in a few figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MarketSummary {
    /// Its name; `null` for what names none.
    pub market: Option<String>,
    /// How many outputs are for it.
    pub outputs: u32,
    /// Most viewers at once, over its outputs.
    pub viewers_most: Option<u32>,
    /// What its monitors saw.
    pub seen: Seen,
}

/// The value that `share` of all are at or below.
fn quantile(mut values: Vec<u32>, share: f64) -> Option<u32> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.clamp(1, last + 1) - 1).copied()
}

pub(super) fn mean(values: impl Iterator<Item = u32>) -> Option<f64> {
    let (mut sum, mut n) = (0_u64, 0_u64);
    for value in values {
        sum += u64::from(value);
        n += 1;
    }
    (n > 0).then(|| sum as f64 / n as f64)
}

pub(super) fn seen<'a>(
    monitors: impl Iterator<Item = &'a Track<MonitorSecond>>,
    step_s: u32,
) -> Seen {
    let all: Vec<&MonitorSecond> =
        monitors.flat_map(|m| &m.seconds).map(|at| &at.figures).collect();
    let measured_s = all.len() as u64 * u64::from(step_s);
    let stalled_ms = all.iter().map(|m| u64::from(m.stalled_ms)).sum();
    let tenths = |t: u32| f64::from(t) / 10.0;
    Seen {
        measured_s,
        latency_p50_ms: quantile(all.iter().filter_map(|m| m.p50_tenths).collect(), 0.5)
            .map(tenths),
        latency_p95_ms: quantile(all.iter().filter_map(|m| m.p95_tenths).collect(), 0.95)
            .map(tenths),
        stalls: all.iter().map(|m| u64::from(m.stalls)).sum(),
        stalled_ms,
        stall_ratio: (measured_s > 0)
            .then(|| (stalled_ms as f64 / (measured_s * 1000) as f64).min(1.0)),
    }
}

/// Viewers over several outputs, by second.
fn viewers<'a>(outputs: impl Iterator<Item = &'a Track<OutputSecond>>) -> BTreeMap<u32, u32> {
    let mut all = BTreeMap::new();
    for At { at_s, figures } in outputs.flat_map(|o| &o.seconds) {
        if let Some(viewers) = figures.viewers {
            *all.entry(*at_s).or_default() += viewers;
        }
    }
    all
}

impl History {
    /// Viewers over all outputs by second, where they are known.
    pub fn viewers(&self) -> BTreeMap<u32, u32> {
        viewers(self.outputs.iter())
    }

    /// The show in a few figures.
    pub fn summary(&self) -> Summary {
        let all = seen(self.monitors.iter(), self.step_s);
        let program = || self.program.iter().map(|at| &at.figures);
        let memory = program().filter_map(|p| p.memory_kib).max();
        let outputs = self.outputs.iter().map(|o| &o.market);
        let named = outputs.chain(self.monitors.iter().map(|m| &m.market)).any(Option::is_some);
        Summary {
            seen: all,
            latency_met: all.latency_p95_ms.map(|ms| ms <= f64::from(self.targets.latency_ms)),
            stalls_met: all
                .stall_ratio
                .map(|r| r * 1000.0 <= f64::from(self.targets.stall_permille)),
            viewers_most: self.viewers().into_values().max(),
            cpu_percent: mean(program().filter_map(|p| p.cpu_permille)).map(|p| p / 10.0),
            memory_mb: memory.map(|kib| f64::from(kib) * 1024.0 / 1e6),
            dropped: program().map(|p| u64::from(p.dropped)).sum(),
            outputs: self.outputs.iter().map(|o| self.output(o)).collect(),
            markets: if named { self.markets() } else { Vec::new() },
        }
    }

    fn markets(&self) -> Vec<MarketSummary> {
        let mut names: Vec<Option<&String>> =
            self.outputs.iter().map(|o| o.market.as_ref()).collect();
        names.extend(self.monitors.iter().filter_map(|m| m.market.as_ref()).map(Some));
        names.sort_unstable_by_key(|name| (name.is_none(), *name));
        names.dedup();
        let of = |name: Option<&String>| MarketSummary {
            market: name.cloned(),
            outputs: self.outputs.iter().filter(|o| o.market.as_ref() == name).count() as u32,
            viewers_most: viewers(self.outputs.iter().filter(|o| o.market.as_ref() == name))
                .into_values()
                .max(),
            seen: seen(self.monitors.iter().filter(|m| m.market.as_ref() == name), self.step_s),
        };
        names.into_iter().map(of).collect()
    }

    fn output(&self, track: &Track<OutputSecond>) -> OutputSummary {
        let figures = || track.seconds.iter().map(|at| &at.figures);
        let rtt = quantile(figures().filter_map(|o| o.rtt_tenths).collect(), 0.5);
        let course = self.course(&track.name);
        OutputSummary {
            name: track.name.clone(),
            to: track.to.clone(),
            market: track.market.clone(),
            on_air_ms: course.on_air_ms,
            down_ms: course.down_ms,
            reconnects: course.reconnects,
            connect_ms: course.connect_ms,
            sent_kbps: mean(figures().filter_map(|o| o.sent_kbps)),
            rtt_ms: rtt.map(|t| f64::from(t) / 10.0),
            loss: mean(figures().filter_map(|o| o.loss_ppm)).map(|ppm| ppm / 1e6),
            dropped: figures().map(|o| u64::from(o.dropped)).sum(),
            viewers_most: figures().filter_map(|o| o.viewers).max(),
            viewers_mean: mean(figures().filter_map(|o| o.viewers)),
        }
    }

    /// When an output was on air: as the report at the end says, or else as the events tell.
    fn course(&self, name: &str) -> Course {
        if let Some(told) = self.report.as_ref().and_then(|r| r.outputs.get(name)) {
            return Course {
                on_air_ms: told.on_air_ms,
                down_ms: told.down_ms,
                reconnects: told.reconnects,
                connect_ms: told.connect_ms,
            };
        }
        let mut course = Course::default();
        let (mut on, mut down, mut lives) = (None, None, 0_u32);
        for note in self.events.iter().filter(|n| n.about.as_deref() == Some(name)) {
            let since = |at: Option<u64>| at.map_or(0, |at| note.at_ms.saturating_sub(at));
            match note.event.as_str() {
                "output-live" => {
                    course.down_ms += since(down.take());
                    on = on.or(Some(note.at_ms));
                    lives += 1;
                    let took = note.detail["connect_ms"].as_u64().and_then(|ms| ms.try_into().ok());
                    course.connect_ms = course.connect_ms.or(took);
                }
                "output-failed" => {
                    course.on_air_ms += since(on);
                    // Before it was ever on air, nothing was lost.
                    down = on.take().map(|_| note.at_ms).or(down);
                }
                "output-stopped" => {
                    course.on_air_ms += since(on.take());
                    course.down_ms += since(down.take());
                }
                _ => {}
            }
        }
        course.on_air_ms += on.map_or(0, |at| self.duration_ms.saturating_sub(at));
        course.down_ms += down.map_or(0, |at| self.duration_ms.saturating_sub(at));
        course.reconnects = lives.saturating_sub(1);
        course
    }
}

/// An output's way through the show.
#[derive(Debug, Default)]
struct Course {
    on_air_ms: u64,
    down_ms: u64,
    reconnects: u32,
    connect_ms: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn a_show_is_held_against_its_targets() {
        let mut show = sample();
        let summary = show.summary();
        assert_eq!(summary.seen.measured_s, 598);
        assert_eq!(
            (summary.seen.latency_p50_ms, summary.seen.latency_p95_ms),
            (Some(180.2), Some(250.0))
        );
        assert_eq!((summary.seen.stalls, summary.seen.stalled_ms), (1, 1200));
        assert_eq!((summary.latency_met, summary.stalls_met), (Some(true), Some(true)));
        assert_eq!((summary.viewers_most, summary.cpu_percent), (Some(5), Some(35.0)));
        show.monitors[0].seconds[5].figures.stalled_ms = 2500;
        show.targets.latency_ms = 249;
        let summary = show.summary();
        assert_eq!((summary.latency_met, summary.stalls_met), (Some(false), Some(false)));
        show.monitors.clear();
        let summary = show.summary();
        assert_eq!(
            (summary.latency_met, summary.stalls_met),
            (None, None),
            "nothing measured: no verdict"
        );
    }

    #[test]
    fn an_output_is_summed_up_from_its_events_or_from_the_report() {
        let mut show = sample();
        let outputs = show.summary().outputs;
        let main = &outputs[0];
        assert_eq!((main.on_air_ms, main.down_ms, main.reconnects), (595_000, 4000, 1));
        assert_eq!(
            (main.connect_ms, main.rtt_ms, main.viewers_most),
            (Some(90), Some(23.0), Some(5))
        );
        assert!((main.loss.unwrap() - 0.01).abs() < 0.001, "{main:?}");
        let mut report = crate::stats::Report::default();
        report.outputs.entry("main".into()).or_default().down_ms = 3500;
        show.report = Some(report);
        assert_eq!(show.summary().outputs[0].down_ms, 3500);
    }

    #[test]
    fn markets_are_summed_up_when_the_show_names_them() {
        let mut show = sample();
        show.monitors[0].market = Some("id".into());
        let markets = show.summary().markets;
        assert_eq!(markets.len(), 1);
        assert_eq!((markets[0].market.as_deref(), markets[0].viewers_most), (Some("id"), Some(5)));
        assert_eq!(markets[0].seen.stalls, 1);
        show.outputs[0].market = None;
        let markets = show.summary().markets;
        assert_eq!(markets.len(), 2, "a monitor's market counts too: {markets:?}");
        show.monitors[0].market = None;
        assert_eq!(show.summary().markets, []);
    }

    #[test]
    fn quantiles_of_few() {
        assert_eq!(quantile(vec![], 0.5), None);
        assert_eq!(quantile(vec![7], 0.95), Some(7));
        assert_eq!(quantile((1..=100).rev().collect(), 0.95), Some(95));
    }
}
