//! Judges what is measured: a verdict on each output and each monitor, made of the show and its meters whenever these
//! are read. What changes becomes a fact; the verdicts travel with the meters. The judging itself is
//! `stats::verdict`'s.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    base::{InputId, Moment, MonitorId, OutputId},
    show::{Fact, InputKind, InputStatus, OutputState, OutputStatus, Phase, Show, Target},
    stats::{
        Grade, Limit, Meters, Report,
        figure::STAGE,
        history::Targets,
        verdict::{
            Air, Judge, Judged, Look, Measured, Of, Others, ProgramJudge, Sender, Studio, Subject,
            VerdictReport,
        },
    },
};

/// An input that has just begun may take so long to come to its rate.
const SETTLES: Duration = Duration::from_secs(3);
/// What a verdict can hold at most between two looks: who sleeps did not judge.
const MOST_BETWEEN: Duration = Duration::from_secs(2);

/// An ingest has been silent for so long at least when the show takes it for silent.
const SILENT_MS: u64 = 800;

#[derive(Debug, Default)]
struct Bench {
    judge: Judge,
    report: VerdictReport,
    grade: Option<Grade>,
}

/// The judges of a show.
#[derive(Debug, Default)]
pub struct Judges {
    program: ProgramJudge,
    benches: BTreeMap<Subject, Bench>,
    last: Option<Moment>,
}

/// What a look at a show gave.
#[derive(Debug, Default)]
pub struct Looked {
    /// Verdicts that are another grade than they were.
    pub changed: Vec<Fact>,
    /// The figures of every subject.
    pub measured: Vec<Measured>,
}

impl Judges {
    /// Looks at everything, and puts the verdicts into the meters.
    pub fn look(&mut self, show: &Show, meters: &mut Meters, at: Moment) -> Looked {
        let passed = self.last.map_or(Duration::ZERO, |last| at.since(last)).min(MOST_BETWEEN);
        self.last = Some(at);
        let mut looked = Looked::default();
        let studio = self.program.look(at, &meters.frames, late_input(show, meters, at));
        looked.measured.push(Measured {
            about: Subject::Program,
            readings: if show.phase == Phase::Running { studio.readings() } else { Vec::new() },
            words: String::new(),
            worst: None,
        });
        meters.verdicts.clear();
        meters.monitor_verdicts.clear();
        for output in &show.outputs {
            let sender = sender(show, output, meters, at);
            let of = |of, viewer| Look {
                at,
                of,
                targets: targets(show, output),
                studio: &studio,
                sender: Some(&sender),
                viewer,
                others: Others::None,
            };
            let id = &output.spec.id;
            let watched = meters.monitor.as_ref().filter(|_| output.spec.target == Target::Stage);
            let judged = self.judge(
                Subject::Output(id.clone()),
                &of(Of::Output, watched),
                passed,
                &mut looked,
            );
            if let Some(verdict) = judged.verdict {
                meters.verdicts.insert(id.clone(), verdict);
            }
            if let Some(seen) = watched {
                let name = stage_monitor();
                let look = of(Of::Viewer, Some(seen));
                let judged = self.judge(Subject::Monitor(name.clone()), &look, passed, &mut looked);
                if let Some(verdict) = judged.verdict {
                    meters.monitor_verdicts.insert(name, verdict);
                }
            }
        }
        self.monitors(show, meters, &studio, (at, passed), &mut looked);
        looked
    }

    /// Those that watch from outside.
    fn monitors(
        &mut self,
        show: &Show,
        meters: &mut Meters,
        studio: &Studio,
        (at, passed): (Moment, Duration),
        looked: &mut Looked,
    ) {
        let grade = |benches: &BTreeMap<Subject, Bench>, id: &MonitorId| {
            benches.get(&Subject::Monitor(id.clone())).and_then(|bench| bench.grade)
        };
        for spec in &show.spec.monitors {
            let Some(seen) = meters.monitors.get(&spec.id) else { continue };
            let output = spec.output.as_ref().and_then(|id| show.output(id));
            if output.is_none() && !is_on_air(show) {
                continue;
            }
            let sender = output.map(|output| sender(show, output, meters, at));
            // As they had it at the last look.
            let others: Vec<Grade> = show
                .spec
                .monitors
                .iter()
                .filter(|m| m.id != spec.id && m.output == spec.output)
                .filter(|m| meters.monitors.contains_key(&m.id))
                .filter_map(|m| grade(&self.benches, &m.id))
                .collect();
            let look = Look {
                at,
                of: Of::Viewer,
                targets: output.map_or_else(|| show.spec.profile.targets(), |o| targets(show, o)),
                studio,
                sender: sender.as_ref(),
                viewer: Some(seen),
                others: match &others[..] {
                    [] => Others::None,
                    all if all.contains(&Grade::Good) => Others::Well,
                    _ => Others::Ill,
                },
            };
            let judged = self.judge(Subject::Monitor(spec.id.clone()), &look, passed, looked);
            if let Some(verdict) = judged.verdict {
                meters.monitor_verdicts.insert(spec.id.clone(), verdict);
            }
        }
    }

    fn judge(
        &mut self,
        about: Subject,
        look: &Look<'_>,
        passed: Duration,
        looked: &mut Looked,
    ) -> Judged {
        let bench = self.benches.entry(about.clone()).or_default();
        let judged = bench.judge.look(look);
        if let Some(verdict) = &judged.verdict {
            bench.report.add(verdict, passed.as_millis() as u64);
            // That a thing is well from the start is no news.
            let before = bench.grade.replace(verdict.grade).unwrap_or(Grade::Good);
            // The stage's own monitor has what its output has, which is told.
            let told = !matches!(&about, Subject::Monitor(id) if id.as_str() == STAGE);
            if told && before != verdict.grade {
                let (grade, words) = (verdict.grade, verdict.words.clone());
                looked.changed.push(Fact::Judged { about: about.clone(), grade, words });
            }
        }
        let words = judged.verdict.as_ref().map_or_else(String::new, |v| v.words.clone());
        let worst = judged.verdict.as_ref().and_then(|v| v.worst);
        // What a viewer has is the monitor's: one trouble, one alarm.
        let of_output = matches!(about, Subject::Output(_));
        let own = judged.readings.iter().filter(|r| !(of_output && r.metric.is_viewers()));
        let readings = own.copied().collect();
        looked.measured.push(Measured { about, readings, words, worst });
        judged
    }

    /// What was to be thought of a subject over the whole show.
    fn report(&self, about: &Subject) -> VerdictReport {
        self.benches.get(about).map_or_else(VerdictReport::default, |b| b.report.clone())
    }

    /// Fills in the verdicts of a report.
    pub fn fill(&self, report: &mut Report) {
        for (name, output) in &mut report.outputs {
            if let Ok(id) = name.parse::<OutputId>() {
                output.verdict = self.report(&Subject::Output(id));
            }
        }
        for (name, monitor) in &mut report.monitors {
            if let Ok(id) = name.parse::<MonitorId>() {
                monitor.verdict = self.report(&Subject::Monitor(id));
            }
        }
        if let Some(monitor) = &mut report.monitor {
            monitor.verdict = self.report(&Subject::Monitor(stage_monitor()));
        }
    }
}

fn stage_monitor() -> MonitorId {
    STAGE.parse().unwrap_or_else(|_| unreachable!("'{STAGE}' is a name"))
}

fn targets(show: &Show, output: &OutputState) -> Targets {
    output.spec.profile.as_deref().unwrap_or(&show.spec.profile).targets()
}

/// Whether anything is to be seen of the show: an output is on air, or should be.
fn is_on_air(show: &Show) -> bool {
    let off = |o: &OutputState| matches!(o.status, OutputStatus::Idle | OutputStatus::Stopping);
    show.phase == Phase::Running && !show.outputs.iter().all(off)
}

fn sender(show: &Show, output: &OutputState, meters: &Meters, at: Moment) -> Sender {
    let figures = meters.outputs.get(&output.spec.id).copied().unwrap_or_default();
    let profile = output.spec.profile.as_deref().unwrap_or(&show.spec.profile);
    // Before it was ever on air, and as long as nothing failed, it is on its way.
    let missed = output.down_since.filter(|_| output.was_live || output.last_failure.is_some());
    let air = match output.status {
        _ if show.phase != Phase::Running => Air::Off,
        OutputStatus::Idle | OutputStatus::Stopping => Air::Off,
        OutputStatus::Live { .. } => Air::On,
        OutputStatus::Probing { .. }
        | OutputStatus::Connecting
        | OutputStatus::Retrying { .. }
        | OutputStatus::Refused { .. } => missed.map_or(Air::Off, Air::Down),
    };
    Sender {
        air,
        // How long is silence depends on how often an ingest reports: the show decides that.
        silent_ms: match output.status {
            OutputStatus::Live { silent: Some(since), .. } => {
                let noticed = at.since(since).as_millis() as u64;
                Some(figures.silent_ms.unwrap_or(0).max(noticed + SILENT_MS))
            }
            _ => None,
        },
        sound_only: output.sound_only,
        path_limits: figures.limit.is_none_or(|limit| limit.by == Limit::Bandwidth),
        available_kbps: figures.available_kbps,
        needed_kbps: f64::from(profile.max_kbps.0 + profile.audio_kbps.0),
        loss: figures.loss,
        dropped: figures.dropped,
        measured: figures.available_kbps.is_some()
            || figures.rtt_ms.is_some()
            || figures.loss.is_some(),
    }
}

/// The input on program that gives nothing, or far too little.
fn late_input(show: &Show, meters: &Meters, at: Moment) -> Option<String> {
    if show.panic || show.phase != Phase::Running {
        return None;
    }
    let scene = show.spec.scene(&show.program)?;
    let fps = show.spec.profile.canvas.fps;
    scene.layers.iter().find_map(|layer| {
        let id: &InputId = &layer.input;
        let input = show.input(id)?;
        let figures = meters.inputs.get(id);
        let since = match &input.status {
            InputStatus::Failed { .. } => {
                return Some(format!("input {id} is down, its slate is on"));
            }
            InputStatus::Up { since, .. } => *since,
            InputStatus::Starting | InputStatus::Ended => return None,
        };
        // A picture that stands still, or a screen on which nothing moves, gives little and is not late.
        let steady = matches!(
            input.spec.kind,
            InputKind::Camera { .. } | InputKind::Network { .. } | InputKind::Test { .. }
        );
        let given = figures.and_then(|f| f.fps).filter(|_| steady && at.since(since) > SETTLES)?;
        (f64::from(given) < f64::from(fps) * 0.4)
            .then(|| format!("input {id} gives {given:.0} of {fps} frames/s"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::Now,
        config,
        show::{Input, Mode, Start},
        stats::{LatencySummary, OutputFigures, WatchFigures},
    };

    fn on_air() -> Show {
        let mut show = Show::new(config::builtin_show(), Mode::Rehearse);
        let start = Start { for_ms: None, standby: false, headless: true };
        show.handle(Now::test(0), Input::Start(start));
        let output = "stage".parse().unwrap();
        let up = Fact::OutputConnected { output, session: 1, connect_ms: 90 };
        show.handle(Now::test(90), Input::Fact(up));
        assert!(show.on_air());
        show
    }

    fn meters(p95_ms: f64, available_kbps: f64) -> Meters {
        let latency =
            LatencySummary { p50_ms: p95_ms, p95_ms, p99_ms: p95_ms, max_ms: p95_ms, count: 300 };
        let seen = WatchFigures { latency: Some(latency), ..WatchFigures::default() };
        let sent =
            OutputFigures { available_kbps: Some(available_kbps), ..OutputFigures::default() };
        Meters {
            outputs: [("stage".parse().unwrap(), sent)].into(),
            monitor: Some(seen),
            ..Meters::default()
        }
    }

    #[test]
    fn outputs_and_monitors_are_judged_and_only_changes_are_told() {
        let (show, mut judges) = (on_air(), Judges::default());
        let mut told = Vec::new();
        let mut watch = |from_s: u64, to_s: u64, mut figures: Meters| {
            for tick in from_s * 10..to_s * 10 {
                let at = Moment::from_ms(tick * 100);
                told.extend(judges.look(&show, &mut figures, at).changed);
            }
            figures
        };
        let well = watch(1, 10, meters(80.0, 3000.0));
        assert_eq!(well.verdicts.values().map(|v| v.words.as_str()).collect::<Vec<_>>(), ["good"]);
        let late = watch(10, 20, meters(900.0, 800.0));
        let stage = &late.monitor_verdicts[&stage_monitor()];
        assert_eq!(stage.words, "late: 900 of 600 ms; uplink 0.8 of 2.6 Mb/s needed");
        assert_eq!(late.verdicts.values().next(), Some(stage));
        watch(20, 30, meters(80.0, 3000.0));
        let grades: Vec<(String, Grade)> = told
            .iter()
            .filter_map(|fact| match fact {
                Fact::Judged { about, grade, .. } => Some((about.to_string(), *grade)),
                _ => None,
            })
            .collect();
        let each = |name: &str| {
            grades.iter().filter(|(about, _)| about == name).map(|(_, g)| *g).collect::<Vec<_>>()
        };
        assert_eq!(each("output stage"), [Grade::Late, Grade::Good]);
        assert_eq!(each("monitor stage"), [], "what its output says is not said twice");
        let mut report = Report::default();
        report.outputs.entry("stage".into()).or_default();
        judges.fill(&mut report);
        let verdict = &report.outputs["stage"].verdict;
        assert_eq!(verdict.last.as_ref().map(|v| v.grade), Some(Grade::Good));
        assert_eq!(verdict.worst.as_ref().map(|v| v.grade), Some(Grade::Late));
        let all: u64 = verdict.time_ms.values().sum();
        assert_eq!(all, 28_900, "{:?}", verdict.time_ms);
        assert!((8000..=13_000).contains(&verdict.time_ms["late"]), "{:?}", verdict.time_ms);
    }
}
