//! The one place where decisions are made: `Show::handle` takes a command, a fact or the passing of time,
//! and says what happened and what is to be done.

pub(super) mod alarms;
mod chat;
mod hopeless;
mod outputs;
mod rundown;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    command::Command,
    event::{Effect, Event, Happening},
    fact::{Fact, FailureKind},
    registry::Refusal,
    spec::{Mode, OutputSpec, Profile, Target, VideoCodec, WhipSpec},
    state::{Ending, InputStatus, OutputState, OutputStatus, Phase, Show},
};
use crate::{
    base::{Db, InputId, Moment, Now, OutputId, SceneId, text::short},
    scene::Transition,
};

/// An input that stayed up this long starts its back-off anew.
const HELD: Duration = Duration::from_secs(10);
/// Taking everything off the air takes this long at most.
const ENDING: Duration = Duration::from_secs(3);

/// A show that ends while an ingest has been silent for less than this was on air to its end: as long as the
/// allowance that an ingest in trouble has by default.
const SHORT_SILENCE: Duration = Duration::from_millis(WhipSpec::ALLOWANCE_MS as u64);

/// A note is so many characters long at most.
const NOTE: usize = 200;
/// So many outputs a show has at most once some are added: each is a thread and a connection.
const MOST_OUTPUTS: usize = 64;

/// How a show begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Ends by itself after this many milliseconds.
    pub for_ms: Option<u64>,
    /// Wait for the operator to go live.
    pub standby: bool,
    /// Nobody is at a console.
    pub headless: bool,
}

/// What goes in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// Begin.
    Start(Start),
    /// The operator wants something.
    Command(Command),
    /// Something happened.
    Fact(Fact),
    /// Time has passed: `next_wake` is due.
    Wake,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// What happened, numbered.
    pub events: Vec<Event>,
    /// What is to be done.
    pub effects: Vec<Effect>,
    /// Why a command was refused; then there are no events and no effects.
    pub refusal: Option<Refusal>,
}

/// Back-off of an input: 0.25 s doubling to 8 s. After a first failure the retry is quick, since a cable
/// that was knocked is pushed back at once.
fn input_backoff(attempt: u32) -> Duration {
    Duration::from_millis(250 << attempt.saturating_sub(1).min(5))
}

/// Collects what one turn brings forth.
struct Turn<'a> {
    show: &'a mut Show,
    now: Now,
    out: Outcome,
}

impl Show {
    /// Takes one input and decides. Deterministic: no clock, no chance.
    pub fn handle(&mut self, now: Now, input: Input) -> Outcome {
        let mut turn = Turn { show: self, now, out: Outcome::default() };
        match input {
            Input::Start(start) => turn.start(start),
            Input::Command(command) => turn.command(command),
            Input::Fact(fact) => turn.fact(fact),
            Input::Wake => turn.wake(),
        }
        turn.out
    }

    /// When `Input::Wake` is due next.
    pub fn next_wake(&self) -> Option<Moment> {
        if self.phase == Phase::Ended {
            return None;
        }
        let inputs = self.inputs.iter().filter_map(|i| match i.status {
            InputStatus::Failed { retry_at, .. } => retry_at,
            _ => None,
        });
        let outputs = self.outputs.iter().filter_map(OutputState::next_wake);
        match self.phase {
            Phase::Running => inputs
                .chain(outputs)
                .chain(self.ends_at)
                .chain(self.alarms.next_wake())
                .chain(self.next_segment_at())
                .min(),
            // Nothing is retried any more: a retry that is due must not keep the loop awake.
            _ => self.ending_by,
        }
    }
}

/// Whether a command can be carried out now. The console greys out what is refused here.
pub(super) fn allows(show: &Show, command: &Command) -> Result<(), Refusal> {
    let scene = |id: &SceneId| {
        if show.spec.scene(id).is_some() {
            return Ok(());
        }
        let names: Vec<&str> = show.spec.scenes.iter().map(|s| s.id.as_str()).collect();
        Err(Refusal::new(format!("there is no scene '{id}'; there are {}", names.join(", "))))
    };
    let input = |id: &InputId| {
        if show.input(id).is_some() {
            return Ok(());
        }
        let names: Vec<&str> = show.inputs.iter().map(|i| i.spec.id.as_str()).collect();
        Err(Refusal::new(format!("there is no input '{id}'; there are {}", names.join(", "))))
    };
    let output = |id: &Option<OutputId>| match id {
        Some(id) if show.output(id).is_none() => {
            let names: Vec<&str> = show.outputs.iter().map(|o| o.spec.id.as_str()).collect();
            Err(Refusal::new(format!("there is no output '{id}'; there are {}", names.join(", "))))
        }
        _ => Ok(()),
    };
    if !matches!(show.phase, Phase::Running) {
        return Err(Refusal::new(match show.phase {
            Phase::New => "the show has not begun yet",
            _ => "the show is ending: nothing more can be changed",
        }));
    }
    match command {
        Command::Preview { scene: id } | Command::CutTo { scene: id } => scene(id),
        Command::Panic if show.panic => Err(Refusal::new("the slate is already on")),
        Command::TakePreview
        | Command::SetTransition { .. }
        | Command::EndShow
        | Command::Mark { .. }
        | Command::Panic => Ok(()),
        Command::Resume if show.panic => Ok(()),
        Command::Resume => {
            Err(Refusal::new("the slate is not on: there is nothing to come back from"))
        }
        Command::Mute { input: id }
        | Command::Unmute { input: id }
        | Command::RestartInput { input: id } => input(id),
        Command::SetGain { input: id, db } => {
            input(id)?;
            if (-60.0..=20.0).contains(&db.0) {
                Ok(())
            } else {
                Err(Refusal::new(format!("a gain of {} is out of range: use -60 to 20 dB", db.0)))
            }
        }
        Command::AddOutput { output: id, to, profile } => {
            may_be_added(show, id, to, profile.as_deref())
        }
        Command::GoLive { output: id } => {
            output(id)?;
            let off = |o: &OutputState| {
                matches!(
                    o.status,
                    OutputStatus::Idle
                        | OutputStatus::Refused { .. }
                        | OutputStatus::Retrying { .. }
                )
            };
            if show.outputs.iter().any(|o| off(o) && id.as_ref().is_none_or(|id| *id == o.spec.id))
            {
                Ok(())
            } else {
                Err(Refusal::new("it is on air already"))
            }
        }
        Command::StopOutput { output: id } => {
            output(id)?;
            let on =
                |o: &OutputState| !matches!(o.status, OutputStatus::Idle | OutputStatus::Stopping);
            if show.outputs.iter().any(|o| on(o) && id.as_ref().is_none_or(|id| *id == o.spec.id)) {
                Ok(())
            } else {
                Err(Refusal::new("it is off the air already"))
            }
        }
        Command::Chat(request) => chat::allows(show, request),
        Command::NextSegment => rundown::allows_next(show),
        Command::BeginSegment { number } => rundown::allows(show, *number),
        Command::Acknowledge { alarm } => match alarm {
            _ if show.alarms.may_acknowledge(alarm.as_ref()) => Ok(()),
            Some(alarm) => {
                Err(Refusal::new(format!("there is no alarm '{alarm}' that waits to be seen")))
            }
            None => Err(Refusal::new("there is no alarm that waits to be seen")),
        },
        Command::Split { output: id } => {
            output(id)?;
            match (id, show.recordings(id.as_ref()).next()) {
                (_, Some(_)) => Ok(()),
                (Some(id), None) => Err(Refusal::new(format!(
                    "'{id}' writes no file now: name a recording that runs"
                ))),
                (None, None) => Err(Refusal::new("nothing is being recorded")),
            }
        }
    }
}

/// Whether that output can be put beside the others.
fn may_be_added(
    show: &Show,
    id: &OutputId,
    to: &Target,
    profile: Option<&Profile>,
) -> Result<(), Refusal> {
    let program = &show.spec.profile;
    let codec = profile.unwrap_or(program).codec;
    let unlike = profile.and_then(|profile| {
        let turned = profile.clone().turned(program.is_upright());
        program.canvas.cannot_become(turned.canvas)
    });
    let no = |why: String| Err(Refusal::new(why));
    if show.output(id).is_some() {
        return no(format!("there is an output '{id}' already: give this one another name"));
    }
    if show.mode == Mode::Rehearse {
        return no(
            "a rehearsal touches no output: add it to a show that runs by `hawker live`".into()
        );
    }
    if show.outputs.len() >= MOST_OUTPUTS {
        return no(format!("there are {MOST_OUTPUTS} outputs already: no more can be added"));
    }
    match to {
        Target::Stage => no("the stage cannot be added: it is there from a show's start, or not".into()),
        _ if to.ways() == 0 => no("the output names no ingest: give it one".into()),
        _ if to.takes_only_h264() && codec != VideoCodec::H264 => {
            no("RTMP, SRT and MP4 take H.264, and this output's picture is VP8: use WHIP, or record to mkv"
                .into())
        }
        _ => unlike.map_or(Ok(()), |why| no(format!("its profile cannot be used in this show: {why}"))),
    }
}

impl Turn<'_> {
    fn say(&mut self, what: Happening) {
        self.show.seq += 1;
        self.out.events.push(Event { seq: self.show.seq, at: self.now.wall, what });
    }

    fn order(&mut self, effect: Effect) {
        self.out.effects.push(effect);
    }

    fn start(&mut self, start: Start) {
        if self.show.phase != Phase::New {
            return;
        }
        let show = &mut *self.show;
        show.phase = Phase::Running;
        show.started = self.now.mono;
        show.spread = self.now.wall.as_nanosecond() as u64;
        show.headless = start.headless;
        show.ends_at = start.for_ms.map(|ms| self.now.mono + Duration::from_millis(ms));
        if show.mode == Mode::Rehearse || show.outputs.is_empty() {
            let id = "stage".parse().unwrap_or_else(|_| unreachable!("'stage' is a name"));
            show.outputs = vec![OutputState::new(OutputSpec::new(id, Target::Stage))];
        }
        let (title, mode) = (show.spec.title.clone(), show.mode);
        let staged = show.outputs.iter().any(|o| o.spec.target == Target::Stage);
        self.say(Happening::ShowStarted { title, mode });
        if staged {
            self.order(Effect::StartStage);
        }
        for index in 0..self.show.inputs.len() {
            self.start_input(index);
        }
        let program = self.show.program.clone();
        if let Some(effect) = self.show.scene_effect(&program, Transition::CUT) {
            self.order(effect);
        }
        self.order_preview();
        self.watch(None);
        if !start.standby || self.show.mode == Mode::Rehearse {
            self.go_live(None);
        }
    }

    fn command(&mut self, command: Command) {
        if let Err(refusal) = allows(self.show, &command) {
            self.out.refusal = Some(refusal);
            return;
        }
        match command {
            Command::Preview { scene } => {
                self.show.preview = scene.clone();
                self.say(Happening::Previewed { scene });
                self.order_preview();
            }
            Command::CutTo { scene } => self.take(&scene, Transition::CUT),
            Command::TakePreview => {
                let was = self.show.program.clone();
                let scene = std::mem::replace(&mut self.show.preview, was);
                self.take(&scene, self.show.transition);
                self.order_preview();
            }
            Command::SetTransition { kind, ms } => {
                self.show.transition = Command::transition(kind, ms);
                self.say(Happening::TransitionSet { transition: self.show.transition });
            }
            Command::Panic => {
                self.show.panic = true;
                self.order(Effect::Slate(true));
                self.say(Happening::Panicked);
            }
            Command::Resume => {
                self.show.panic = false;
                self.order(Effect::Slate(false));
                self.say(Happening::Resumed);
            }
            Command::Mute { input } => {
                self.sound(&input, None, Some(true));
                self.say(Happening::Muted { input });
            }
            Command::Unmute { input } => {
                self.sound(&input, None, Some(false));
                self.say(Happening::Unmuted { input });
            }
            Command::SetGain { input, db } => {
                self.sound(&input, Some(db), None);
                self.say(Happening::GainSet { input, db });
            }
            Command::RestartInput { input } => {
                if let Some(index) = self.input_index(&input) {
                    self.show.inputs[index].attempt = 0;
                    self.start_input(index);
                }
            }
            Command::AddOutput { output: id, to: target, profile } => {
                // Who gives a command may keep it from us; the journal may not have it either way.
                let spec = OutputSpec { id, target, profile }.without_secrets();
                let (output, to) = (spec.id.clone(), spec.target.shown(0));
                self.show.outputs.push(OutputState::new(spec));
                self.say(Happening::OutputAdded { output, to });
            }
            Command::GoLive { output } => self.go_live(output.as_ref()),
            Command::StopOutput { output } => self.stop_outputs(output.as_ref()),
            Command::Split { output } => {
                let ids: Vec<OutputId> =
                    self.show.recordings(output.as_ref()).map(|o| o.spec.id.clone()).collect();
                for id in ids {
                    self.order(Effect::Split(id));
                }
            }
            Command::Chat(request) => self.ask_chat(request),
            Command::NextSegment => self.next_segment(),
            Command::BeginSegment { number } => {
                self.begin_segment(number as usize - 1, self.now.mono);
            }
            Command::Acknowledge { alarm } => self.acknowledge(alarm),
            Command::Mark { note } => {
                let note =
                    note.map(|note| short(note.trim(), NOTE)).filter(|note| !note.is_empty());
                self.say(Happening::Marked { note });
            }
            Command::EndShow => self.end(Ending::Asked),
        }
    }

    /// Begins to watch that output from outside; `None` is the show as a whole. A rehearsal is seen by nobody.
    fn watch(&mut self, output: Option<&OutputId>) {
        if self.show.mode == Mode::Rehearse {
            return;
        }
        let monitors = self.show.spec.monitors.iter().filter(|m| m.output.as_ref() == output);
        for monitor in monitors.cloned().collect::<Vec<_>>() {
            self.order(Effect::Watch(monitor));
        }
    }

    fn watch_no_more(&mut self, output: &OutputId) {
        let monitors = self.show.spec.monitors.iter().filter(|m| m.output.as_ref() == Some(output));
        for id in monitors.map(|m| m.id.clone()).collect::<Vec<_>>() {
            self.order(Effect::Unwatch(id));
        }
    }

    fn take(&mut self, scene: &SceneId, transition: Transition) {
        self.show.program = scene.clone();
        if let Some(effect) = self.show.scene_effect(scene, transition) {
            self.order(effect);
        }
        self.say(Happening::Taken { scene: scene.clone(), transition });
    }

    fn order_preview(&mut self) {
        if let Some(scene) = self.show.spec.scene(&self.show.preview) {
            let composition = self.show.spec.compose(scene);
            self.order(Effect::Preview(composition));
        }
    }

    fn input_index(&self, id: &InputId) -> Option<usize> {
        self.show.inputs.iter().position(|i| i.spec.id == *id)
    }

    fn output_index(&self, id: &OutputId) -> Option<usize> {
        self.show.outputs.iter().position(|o| o.spec.id == *id)
    }

    fn is_current(&self, id: &OutputId, session: u32) -> bool {
        self.show.output(id).is_some_and(|o| o.session == session)
    }

    fn sound(&mut self, id: &InputId, gain: Option<Db>, muted: Option<bool>) {
        let Some(index) = self.input_index(id) else { return };
        let input = &mut self.show.inputs[index];
        input.gain = gain.unwrap_or(input.gain);
        input.muted = muted.unwrap_or(input.muted);
        let (gain, muted) = (input.gain, input.muted);
        self.order(Effect::Sound { input: id.clone(), gain, muted });
    }

    fn start_input(&mut self, index: usize) {
        let input = &mut self.show.inputs[index];
        input.attempt += 1;
        input.status = InputStatus::Starting;
        let (spec, attempt, gain, muted) =
            (input.spec.clone(), input.attempt, input.gain, input.muted);
        self.say(Happening::InputStarted { input: spec.id.clone(), attempt });
        self.order(Effect::Sound { input: spec.id.clone(), gain, muted });
        self.order(Effect::StartInput(spec));
    }

    fn stop_outputs(&mut self, which: Option<&OutputId>) {
        let now = self.now.mono;
        for index in 0..self.show.outputs.len() {
            let output = &mut self.show.outputs[index];
            if which.is_some_and(|id| *id != output.spec.id) {
                continue;
            }
            match output.status {
                OutputStatus::Idle | OutputStatus::Stopping => continue,
                OutputStatus::Live { since, silent } => {
                    output.on_air_ms += silent.unwrap_or(now).since(since).as_millis() as u64;
                    // What might have healed any moment has not fallen off the air.
                    if silent.is_some_and(|at| now.since(at) < SHORT_SILENCE)
                        && let Some(since) = output.down_since.take()
                    {
                        output.down_ms += now.since(since).as_millis() as u64;
                    }
                }
                OutputStatus::Probing { .. }
                | OutputStatus::Connecting
                | OutputStatus::Retrying { .. }
                | OutputStatus::Refused { .. } => {}
            }
            // At the end of a show a failed output keeps its `down_since`: the exit code says it.
            if self.show.phase == Phase::Running
                && let Some(since) = output.down_since.take()
            {
                output.down_ms += now.since(since).as_millis() as u64;
            }
            output.status = OutputStatus::Stopping;
            output.renewal = None;
            let id = output.spec.id.clone();
            self.watch_no_more(&id);
            self.order(Effect::Unpublish(id));
        }
    }

    fn end(&mut self, why: Ending) {
        if self.show.phase != Phase::Running {
            return;
        }
        self.show.phase = Phase::Ending;
        self.show.ending = Some(why);
        self.show.ending_by = Some(self.now.mono + ENDING);
        self.say(Happening::Ending { why });
        self.stop_outputs(None);
        self.finish_if_quiet();
    }

    fn finish_if_quiet(&mut self) {
        let quiet = self.show.outputs.iter().all(|o| o.status == OutputStatus::Idle);
        if self.show.phase == Phase::Ending && quiet {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let why = self.show.ending.unwrap_or(Ending::Asked);
        let exit_code = self.show.exit_code(why);
        let now = self.now.mono;
        for output in &mut self.show.outputs {
            if let Some(since) = output.down_since.take() {
                output.down_ms += now.since(since).as_millis() as u64;
            }
        }
        self.show.phase = Phase::Ended;
        self.say(Happening::ShowEnded { why, exit_code });
        self.order(Effect::Finish { exit_code });
    }

    fn fact(&mut self, fact: Fact) {
        if self.show.phase == Phase::Ended {
            return;
        }
        match fact {
            Fact::InputUp { input, format } => {
                let Some(index) = self.input_index(&input) else { return };
                self.show.inputs[index].status =
                    InputStatus::Up { format: format.clone(), since: self.now.mono };
                self.say(Happening::InputUp { input, format });
            }
            Fact::InputFailed { input, reason, kind } => self.input_failed(input, reason, kind),
            Fact::InputEnded { input } => {
                let Some(index) = self.input_index(&input) else { return };
                self.show.inputs[index].status = InputStatus::Ended;
                self.say(Happening::InputEnded { input });
            }
            Fact::EncoderUp { encoder, hardware } => {
                self.show.encoder = Some(encoder.clone());
                self.say(Happening::EncoderUp { encoder, hardware });
            }
            Fact::PictureStepped { profile, picture, rate } => {
                if profile.is_none() {
                    self.show.picture = Some(picture);
                }
                self.say(Happening::PictureStepped { profile, picture, rate });
            }
            Fact::EffortStepped { profile, effort, lowered, load_percent } => {
                self.say(Happening::EffortStepped { profile, effort, lowered, load_percent });
            }
            Fact::OutputPicture { output, session, on } => {
                self.output_picture(&output, session, on);
            }
            Fact::ProgramFailed { reason } => self.say(Happening::ProgramFailed { reason }),
            Fact::StageUp { viewer_url, link } => {
                self.show.viewer_url = Some(viewer_url.clone());
                self.say(Happening::StageUp { viewer_url, link });
            }
            Fact::Probed { output, rtt_ms } => self.output_probed(&output, &rtt_ms),
            Fact::OutputConnected { output, session, connect_ms } => {
                self.output_connected(&output, session, connect_ms);
            }
            Fact::OutputFailed { output, session, reason, kind, retry_after_ms } => {
                let asked = retry_after_ms.map(Duration::from_millis);
                self.output_failed(&output, session, reason, kind, asked);
            }
            Fact::OutputSilent { output, session } => self.output_silent(&output, session),
            Fact::OutputHealed { output, session } => self.output_healed(&output, session),
            Fact::FileBegun { output, session, file } if self.is_current(&output, session) => {
                self.say(Happening::FileBegun { output, file });
            }
            Fact::OutputWarned { output, session, reason } if self.is_current(&output, session) => {
                self.say(Happening::OutputWarned { output, reason });
            }
            Fact::FileBegun { .. } | Fact::OutputWarned { .. } => {}
            Fact::OutputStopped { output } => {
                let Some(index) = self.output_index(&output) else { return };
                if self.show.outputs[index].status == OutputStatus::Stopping {
                    self.show.outputs[index].status = OutputStatus::Idle;
                    self.say(Happening::OutputStopped { output });
                    self.finish_if_quiet();
                }
            }
            Fact::Judged { about, grade, words } => {
                self.say(Happening::Judged { about, grade, words });
            }
            Fact::MonitorUp { monitor } => self.say(Happening::MonitorUp { monitor }),
            Fact::MonitorLost { monitor, reason } => {
                self.say(Happening::MonitorLost { monitor, reason });
            }
            Fact::ChatNews { news } => self.chat_news(news),
            Fact::ChatUp { chat } => self.say(Happening::ChatUp { chat }),
            Fact::ChatLost { chat, reason, retry_in_ms } => {
                self.say(Happening::ChatLost { chat, reason, retry_in_ms });
            }
            Fact::AlarmCrossed(crossing) => self.alarm_crossed(crossing),
            Fact::HookFailed { alarm, reason } => {
                self.say(Happening::HookFailed { alarm, reason });
            }
            Fact::StoreFailed { reason } => self.say(Happening::StoreFailed { reason }),
            Fact::StoreBack { missing } => self.say(Happening::StoreBack { missing }),
            Fact::Paused { ms, suspended } => {
                self.say(Happening::MachinePaused { ms, suspended });
            }
            Fact::Consoles { attached } => {
                if attached != self.show.consoles {
                    self.show.consoles = attached;
                    self.say(Happening::ConsolesChanged { attached });
                }
            }
            // The second signal does not wait for the ingests' answers.
            Fact::Interrupted if self.show.ending == Some(Ending::Interrupted) => self.finish(),
            Fact::Interrupted => self.end(Ending::Interrupted),
        }
    }

    fn input_failed(&mut self, id: InputId, reason: String, kind: FailureKind) {
        let now = self.now.mono;
        let Some(index) = self.input_index(&id) else { return };
        let input = &mut self.show.inputs[index];
        match input.status {
            InputStatus::Failed { .. } => return,
            InputStatus::Up { since, .. } if now.since(since) >= HELD => input.attempt = 0,
            _ => {}
        }
        input.faults += 1;
        input.last_fault = Some(reason.clone());
        // Lasting faults are tried again too, only slowly: a file may yet be put in its place.
        let wait = match kind {
            FailureKind::Passing | FailureKind::Busy => input_backoff(input.attempt.max(1)),
            FailureKind::Lasting => Duration::from_secs(10),
        };
        input.status = InputStatus::Failed { reason: reason.clone(), retry_at: Some(now + wait) };
        let retry_in_ms = Some(wait.as_millis() as u64);
        self.say(Happening::InputFailed { input: id, reason, retry_in_ms });
    }

    fn wake(&mut self) {
        let now = self.now.mono;
        match self.show.phase {
            Phase::Running if self.show.ends_at.is_some_and(|at| at <= now) => {
                self.end(Ending::TimeUp);
                return;
            }
            Phase::Ending => {
                if self.show.ending_by.is_some_and(|at| at <= now) {
                    self.finish();
                }
                return;
            }
            Phase::Running => {}
            Phase::New | Phase::Ended => return,
        }
        for index in 0..self.show.inputs.len() {
            if let InputStatus::Failed { retry_at: Some(at), .. } = self.show.inputs[index].status
                && at <= now
            {
                self.start_input(index);
            }
        }
        self.wake_outputs();
        self.wake_rundown();
        self.wake_alarms();
    }
}
