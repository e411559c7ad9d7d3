//! Finds out how far ingests are: at length for `hawker probe`, with a real publish if asked for; in a second
//! and a half for an output that goes live at the nearest. What was found is judged by `whip::probe`.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{
    future::join_all,
    stream::{FuturesUnordered, StreamExt},
};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout, timeout_at},
};
use url::Url;

use super::{
    adapters::StartError,
    output::{Destination, Output, SharedTally, tally},
    paths::Paths,
};
use crate::{
    base::{OutputId, Secret},
    config,
    link::{
        probe::{Prober, stun},
        whip::{Link, LinkOptions},
    },
    media::{self, Studio},
    scene::Transition,
    show::{Fact, FailureKind, InputKind, Profile, ShowSpec, spec::TestPattern},
    stage,
    whip::{
        Quirks,
        probe::{Candidate, Grade, Named, ProbeReport, Published, Round, Spread},
        stun::StunServer,
    },
};

/// Between two rounds of one ingest. The others' rounds lie in between.
const PAUSE: Duration = Duration::from_millis(60);
/// Two ingests' first rounds begin this far apart: handshakes at the same moment would time each other.
const APART: Duration = Duration::from_millis(15);
/// A publish that is not up by now is given up.
const CONNECT: Duration = Duration::from_secs(25);
/// Taking a publish off the air takes this long at most.
const END: Duration = Duration::from_secs(4);

/// All the time there is to find the nearest before going live.
const NEAREST: Duration = Duration::from_millis(1500);
/// Rounds timed then, each on a connection of its own, all at once but for a moment: three after each other
/// would take three times as long.
const NEAREST_ROUNDS: u32 = 3;
/// Once the nearest is known, the others are waited for as long again, and at least this long.
const GRACE: Duration = Duration::from_millis(250);

/// An ingest to be probed.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its endpoint.
    pub url: Url,
    /// Its token: sent when publishing, and only then.
    pub token: Option<Secret>,
    /// A file of authorities to trust besides the machine's own.
    pub ca: Option<PathBuf>,
    /// STUN servers that the operator names. Without any, those that the ingest names are asked.
    pub stun: Vec<StunServer>,
    /// Which of a show's ingests it is.
    pub named: Vec<Named>,
}

/// How ingests are probed.
#[derive(Debug, Clone)]
pub struct ProbePlan {
    /// How often each is timed, at least once.
    pub rounds: u32,
    /// How long a round may take.
    pub limit: Duration,
    /// Publish for this long to each that is reached, one after the other.
    pub publish: Option<Duration>,
    /// How what is published is encoded.
    pub profile: Profile,
}

/// Probes all of them; the best comes first.
///
/// # Errors
/// A file of authorities is of no use (2); media do not start (3).
pub async fn probe(asked: Vec<Asked>, plan: ProbePlan) -> Result<ProbeReport, StartError> {
    let (probers, plan) = (probers(&asked).await?, &plan);
    let timed = join_all(asked.iter().enumerate().map(|(place, ask)| {
        let prober = &probers[&ask.ca];
        async move {
            sleep(APART * place as u32).await;
            time(prober, ask, plan).await
        }
    }))
    .await;
    let judge = |ask: &Asked, rounds: &[Round], published| {
        let limit_ms = plan.limit.as_millis() as u64;
        Candidate::judged(&ask.url, ask.named.clone(), rounds, published, limit_ms)
    };
    let mut candidates: Vec<Candidate> =
        asked.iter().zip(&timed).map(|(ask, rounds)| judge(ask, rounds, None)).collect();
    let reached = |c: &Candidate| !matches!(c.grade, Grade::Refused | Grade::Unreachable);
    if let Some(length) = plan.publish
        && candidates.iter().any(reached)
    {
        let mut trial = Trial::start(&plan.profile).await?;
        for ((ask, rounds), candidate) in asked.iter().zip(&timed).zip(&mut candidates) {
            if reached(candidate) {
                let published = trial.publish(ask, length).await?;
                *candidate = judge(ask, rounds, Some(published));
            }
        }
        trial.stop().await;
    }
    Ok(ProbeReport::sorted(candidates))
}

fn bad(text: impl ToString) -> StartError {
    StartError { text: text.to_string(), exit_code: 2 }
}

fn broken(text: impl ToString) -> StartError {
    StartError { text: text.to_string(), exit_code: 3 }
}

/// One for each file of authorities; what they read is read before anything is timed.
async fn probers(asked: &[Asked]) -> Result<BTreeMap<Option<PathBuf>, Prober>, StartError> {
    let mut made = BTreeMap::new();
    for ask in asked {
        if !made.contains_key(&ask.ca) {
            let ca = ask.ca.clone();
            let prober = tokio::task::spawn_blocking(move || Prober::new(ca.as_deref()));
            made.insert(ask.ca.clone(), prober.await.map_err(broken)?.map_err(bad)?);
        }
    }
    Ok(made)
}

/// All rounds of one ingest. One that fails before any was answered is the last: it would fail again.
async fn time(prober: &Prober, ask: &Asked, plan: &ProbePlan) -> Vec<Round> {
    let mut rounds: Vec<Round> = Vec::new();
    for number in 0..plan.rounds.max(1) {
        if number > 0 {
            sleep(PAUSE).await;
        }
        let mut round = prober.round(&ask.url, plan.limit).await;
        let servers = if ask.stun.is_empty() { &round.stun_servers } else { &ask.stun };
        if let Some(server) = servers.first() {
            round.stun_ms = stun(server).await;
        }
        let failed = round.failure.is_some();
        rounds.push(round);
        if failed && rounds.iter().all(|r| r.failure.is_some()) {
            break;
        }
    }
    rounds
}

/// Publishes a test picture that fills the profile's rate: what the show's cameras see is nobody's business yet.
struct Trial {
    studio: Arc<Studio>,
    wanted_kbps: u32,
    tell: mpsc::Sender<Fact>,
    facts: mpsc::Receiver<Fact>,
    sessions: u32,
}

impl Trial {
    async fn start(profile: &Profile) -> Result<Self, StartError> {
        let spec = test_show(profile);
        let (tell, facts) = mpsc::channel(256);
        let (wanted_kbps, to) = (profile.start_kbps.0 + profile.audio_kbps.0, tell.clone());
        let made = tokio::task::spawn_blocking(move || {
            media::init()?;
            let studio = Studio::start(&spec, &to, stage::clock::this_boot())?;
            spec.inputs.iter().for_each(|input| studio.start_input(input));
            if let Some(scene) = spec.scenes.first() {
                studio.take(spec.compose(scene), Transition::CUT);
            }
            Ok::<_, media::MediaError>(studio)
        });
        let studio = Arc::new(made.await.map_err(broken)?.map_err(broken)?);
        Ok(Self { studio, wanted_kbps, tell, facts, sessions: 0 })
    }

    async fn publish(&mut self, ask: &Asked, length: Duration) -> Result<Published, StartError> {
        let options = LinkOptions { ca: ask.ca.clone(), ..LinkOptions::default() };
        let link = tokio::task::spawn_blocking(move || Link::new(&options));
        let link = link.await.map_err(broken)?.map_err(bad)?;
        self.sessions += 1;
        let id: OutputId = "probe".parse().map_err(broken)?;
        let shared = SharedTally::default();
        let to = Destination {
            id,
            url: ask.url.clone(),
            token: ask.token.clone(),
            order: 0,
            session: self.sessions,
            trusted: Vec::new(),
            quirks: Quirks::default(),
            paths: Paths::default(),
            profile: None,
        };
        // Timed as a show's would be: with a connection that stands by.
        link.warm(&ask.url).await;
        let output = Output::start(&self.studio, &link, to, self.tell.clone(), Arc::clone(&shared));
        let connected = timeout(CONNECT, self.news()).await.unwrap_or_else(|_| {
            Err(("no session came about in 25 s: see whether UDP is let through".into(), true))
        });
        let mut for_ms = 0;
        let (connect_ms, failure) = match connected {
            Err(failure) => (None, Some(failure)),
            Ok(connect_ms) => {
                let began = Instant::now();
                let broke = timeout(length, self.failed()).await.ok();
                for_ms = began.elapsed().as_millis() as u64;
                (Some(connect_ms), broke)
            }
        };
        output.stop();
        // One that hangs is let go of: its DELETE was tried.
        let _ = timeout(END, output.gone()).await;
        let tally = tally(&shared);
        let passing = failure.as_ref().is_some_and(|(_, passing)| *passing);
        Ok(Published {
            for_ms,
            connect_ms,
            kbps: tally.mean_kbps(),
            wanted_kbps: self.wanted_kbps,
            loss: tally.mean_loss(),
            rtt_ms: tally.median_rtt_ms(),
            failure: failure.map(|(why, _)| why),
            passing,
        })
    }

    /// Waits until the session is up, and how long that took; or why it is not, and whether that may pass.
    async fn news(&mut self) -> Result<u32, (String, bool)> {
        while let Some(fact) = self.facts.recv().await {
            match fact {
                Fact::OutputConnected { session, connect_ms, .. } if session == self.sessions => {
                    return Ok(connect_ms);
                }
                Fact::OutputFailed { session, reason, kind, .. } if session == self.sessions => {
                    return Err((reason, kind != FailureKind::Lasting));
                }
                _ => {}
            }
        }
        Err(("media are gone".into(), true))
    }

    /// Waits until the session breaks; why.
    async fn failed(&mut self) -> (String, bool) {
        loop {
            if let Err(failure) = self.news().await {
                return failure;
            }
        }
    }

    async fn stop(self) {
        let stopped = tokio::task::spawn_blocking(move || match Arc::try_unwrap(self.studio) {
            Ok(studio) => studio.stop(),
            Err(shared) => drop(shared),
        });
        // The process ends with it either way.
        let _ = timeout(END, stopped).await;
    }
}

/// The built-in show on that profile, with a picture that fills its rate.
fn test_show(profile: &Profile) -> ShowSpec {
    let mut spec = config::builtin_show();
    spec.profile = profile.clone();
    for input in &mut spec.inputs {
        if let InputKind::Test { pattern, .. } = &mut input.kind {
            *pattern = TestPattern::Noise;
        }
    }
    spec
}

/// The round trip to each of these ingests in milliseconds; `None` for one that gave no good answer within 1.5 s.
/// Once the nearest is known, those far behind are not waited for. Each that answered has a connection of
/// `link` standing by.
pub async fn nearest(prober: &Prober, link: &Link, ways: &[Url]) -> Vec<Option<u32>> {
    let began = tokio::time::Instant::now();
    let mut deadline = began + NEAREST;
    let mut asking: FuturesUnordered<_> = ways
        .iter()
        .enumerate()
        .map(|(way, url)| async move {
            let rounds = join_all((0..NEAREST_ROUNDS).map(|number| async move {
                sleep(APART * number).await;
                prober.round(url, NEAREST).await.distance_ms()
            }));
            // The connection that is kept has no part in the figures.
            let (rounds, _) = tokio::join!(rounds, link.warm(url));
            (way, Spread::of(rounds.into_iter().flatten()))
        })
        .collect();
    let mut found = vec![None; ways.len()];
    while let Ok(Some((way, rtt))) = timeout_at(deadline, asking.next()).await {
        if let Some(rtt) = rtt {
            found[way] = Some(rtt.median_ms.round() as u32);
            let took = began.elapsed();
            deadline = deadline.min(began + took + took.max(GRACE));
        }
    }
    found
}
