//! One session of an output that is no WebRTC session: RTMP, SRT, a recording. Runs as a task of its own, as a
//! WHIP session does, and what becomes of it goes out as the same facts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, Semaphore, mpsc, watch},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    files::{Files, Unread},
    output::{Output, SharedTally, asked, tally},
};
use crate::{
    base::OutputId,
    media::{Outlet, OutletEvent, Studio, outlet::Destination},
    show::{Fact, FailureKind, OutputSpec, Profile, Target},
};

/// A server that takes nothing for this long is silent: TCP rests for a second or two on a bad path.
const SILENCE: Duration = Duration::from_secs(2);
/// One that takes nothing for this long will take nothing any more.
const GIVE_UP: Duration = Duration::from_secs(10);
/// A disk that takes nothing for this long is as good as gone. Until then nothing is lost.
const DISK_GIVE_UP: Duration = Duration::from_secs(15);
/// Ending a session in order waits this long at most.
const STOP_DEADLINE: Duration = Duration::from_millis(2200);

/// Making a session is work of milliseconds, unless a disk does not answer.
const MAKING_DEADLINE: Duration = Duration::from_secs(8);

/// One session of an output is made at a time: the next does not wait for the same disk in a thread of its own.
pub type Making = Arc<Semaphore>;

/// What a session is started with.
pub struct Order<'a> {
    /// The output in full, with every address.
    pub spec: &'a OutputSpec,
    /// The show's title.
    pub title: &'a str,
    /// The session's number.
    pub session: u32,
    /// Where its secrets are read.
    pub files: &'a Files,
    /// That of the output, of one permit.
    pub making: &'a Making,
}

/// Starts to publish or to record. Must be called within the engine's runtime.
pub fn start(
    studio: &Arc<Studio>,
    order: &Order<'_>,
    facts: mpsc::Sender<Fact>,
    tally: SharedTally,
) -> Output {
    let (stop, stopped) = watch::channel(false);
    let split = Arc::<Notify>::default();
    let run = Run {
        studio: Arc::clone(studio),
        id: order.spec.id.clone(),
        target: order.spec.target.clone(),
        title: order.title.to_owned(),
        files: order.files.clone(),
        making: Arc::clone(order.making),
        records: order.spec.target.is_recording(),
        profile: order.spec.profile.clone(),
        session: order.session,
        facts,
        tally,
        stopped,
        split: Arc::clone(&split),
    };
    Output::running(stop, split, tokio::spawn(run.run()))
}

/// Fetches what secrets the output names.
async fn destination(target: Target, title: String, files: &Files) -> Result<Destination, Unread> {
    Ok(match target {
        Target::Rtmp(spec) => {
            Destination::Rtmp { key: files.secret_if(spec.key.as_ref()).await?, spec }
        }
        Target::Srt(spec) => {
            let (stream_id, passphrase) = tokio::join!(
                files.secret_if(spec.stream_id.as_ref()),
                files.secret_if(spec.passphrase.as_ref()),
            );
            Destination::Srt { stream_id: stream_id?, passphrase: passphrase?, spec }
        }
        Target::Record(spec) => Destination::Record { spec, title },
        Target::Stage | Target::Whip(_) => {
            let reason = "it is published by WHIP".into();
            return Err(Unread { reason, kind: FailureKind::Lasting });
        }
    })
}

struct Run {
    studio: Arc<Studio>,
    id: OutputId,
    target: Target,
    title: String,
    files: Files,
    making: Making,
    records: bool,
    profile: Option<Box<Profile>>,
    session: u32,
    facts: mpsc::Sender<Fact>,
    tally: SharedTally,
    stopped: watch::Receiver<bool>,
    split: Arc<Notify>,
}

type Broke = (String, FailureKind);

impl Run {
    async fn run(self) {
        let began = Instant::now();
        let mut stopped = self.stopped.clone();
        let made = tokio::select! {
            made = self.make() => made,
            () = asked(&mut stopped) => return,
        };
        let (outlet, mut events) = match made {
            Ok(made) => made,
            Err(broke) => return self.failed(broke).await,
        };
        let end = self.live(&outlet, &mut events, began).await;
        if let Err(broke) = end {
            self.failed(broke).await;
        }
        let dropped = outlet.dropped();
        let finished = tokio::task::spawn_blocking(move || {
            let in_time = outlet.finish(STOP_DEADLINE);
            (in_time, outlet.files())
        });
        if let Ok((in_time, files)) = finished.await {
            if !in_time {
                tracing::warn!(output = %self.id, "it did not end in time and was left");
            }
            tally(&self.tally).wrote(files);
        }
        tally(&self.tally).end_session(dropped);
    }

    /// Makes the session. A disk that does not answer is left to the thread that waits for it.
    async fn make(&self) -> Result<(Outlet, mpsc::Receiver<OutletEvent>), Broke> {
        let hung = || {
            let what = if self.records { "the disk does not answer" } else { "it takes too long" };
            let reason =
                format!("the session could not be made in {} s: {what}", MAKING_DEADLINE.as_secs());
            (reason, FailureKind::Passing)
        };
        let to = destination(self.target.clone(), self.title.clone(), &self.files);
        let to = to.await.map_err(|unread| (unread.reason, unread.kind))?;
        let turn = timeout(MAKING_DEADLINE, Arc::clone(&self.making).acquire_owned());
        // It is never closed.
        let turn = turn.await.map_err(|_| hung())?.map_err(|_| hung())?;
        let (studio, profile) = (Arc::clone(&self.studio), self.profile.clone());
        let making = tokio::task::spawn_blocking(move || {
            let made = studio.outlet(to, profile.as_deref());
            drop(turn);
            made
        });
        match timeout(MAKING_DEADLINE, making).await {
            Ok(Ok(Ok(made))) => Ok(made),
            Ok(Ok(Err(e))) => Err((e.to_string(), e.kind())),
            Ok(Err(e)) => Err((e.to_string(), FailureKind::Passing)),
            Err(_) => Err(hung()),
        }
    }

    async fn tell(&self, fact: Fact) {
        // An engine that is gone needs no report.
        let _ = self.facts.send(fact).await;
    }

    async fn failed(&self, (reason, kind): Broke) {
        if *self.stopped.borrow() {
            return;
        }
        let (output, session) = (self.id.clone(), self.session);
        self.tell(Fact::OutputFailed { output, session, reason, kind, retry_after_ms: None }).await;
    }

    async fn live(
        &self,
        outlet: &Outlet,
        events: &mut mpsc::Receiver<OutletEvent>,
        began: Instant,
    ) -> Result<(), Broke> {
        let mut tick = interval(Duration::from_millis(100));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut ticks, mut silent) = (0_u32, false);
        let mut stopped = self.stopped.clone();
        loop {
            let (output, session) = (self.id.clone(), self.session);
            tokio::select! {
                biased;
                () = asked(&mut stopped) => return Ok(()),
                () = self.split.notified() => outlet.split(),
                event = events.recv() => match event {
                    Some(OutletEvent::Connected) => {
                        let connect_ms = began.elapsed().as_millis() as u32;
                        self.tell(Fact::OutputConnected { output, session, connect_ms }).await;
                    }
                    Some(OutletEvent::FileBegun(path)) => {
                        let file = path.display().to_string();
                        self.tell(Fact::FileBegun { output, session, file }).await;
                    }
                    Some(OutletEvent::Warned(reason)) => {
                        self.tell(Fact::OutputWarned { output, session, reason }).await;
                    }
                    Some(OutletEvent::Failed(reason, kind)) => return Err((reason, kind)),
                    None => return Err(("its thread is gone".into(), FailureKind::Passing)),
                },
                _ = tick.tick() => {
                    ticks += 1;
                    if ticks.is_multiple_of(5) {
                        let figures = outlet.figures();
                        let mut tally = tally(&self.tally);
                        tally.take(&figures);
                        tally.wrote(outlet.files());
                    }
                    let stalled = outlet.stalled().unwrap_or_default();
                    if stalled > if self.records { DISK_GIVE_UP } else { GIVE_UP } {
                        let who = if self.records { "the disk" } else { "the server" };
                        let reason = format!("{who} has taken nothing for {} s", stalled.as_secs());
                        return Err((reason, FailureKind::Passing));
                    }
                    // Beside a disk that rests no second recording is begun.
                    if !self.records && (stalled > SILENCE) != silent {
                        silent = !silent;
                        self.tell(if silent {
                            Fact::OutputSilent { output, session }
                        } else {
                            Fact::OutputHealed { output, session }
                        })
                        .await;
                    }
                }
            }
        }
    }
}
