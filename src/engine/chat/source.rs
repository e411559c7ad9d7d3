//! One source of chat: it is connected, and connected again after a wait that grows, until it has ended or somebody must
//! change something first.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    time::{interval, sleep},
};

use crate::{
    base::{Now, Secret},
    chat::{
        Platform, bridge, facebook, irc, kick, lines,
        recovery::{Cause, Recovery, State},
        shopee,
        spec::{ChatSpec, Service},
        told::Status,
        twitch, youtube,
    },
    engine::files::Files,
    link::chat::{
        self as link, Clock, Ended, Report, Reports,
        webhook::{Listener, Receiver},
    },
};

/// How often a source is judged for silence.
const TICK: Duration = Duration::from_secs(1);
/// Reports of one source that wait to be merged.
const REPORTS: usize = 256;
/// Lines of ours that wait to be said.
const SAYS: usize = 16;

/// What a source's task tells the merge.
#[derive(Debug)]
pub(super) enum FromSource {
    /// How it is doing.
    Status(Status),
    /// What its connection reports.
    Report(Report),
}

type Merge = mpsc::Sender<(usize, FromSource)>;

/// Serves the source until it has ended.
pub(super) async fn supervise(at: usize, spec: ChatSpec, files: Files, merge: Merge) {
    let clock = Clock::default();
    let told = Told { at, merge };
    let mut source = match Source::open(&spec, &files).await {
        Ok(source) => source,
        Err(ended) => return told.status(Status::Failed { why: ended.why }).await,
    };
    let mut recovery = Recovery::new(spec.service.route(), clock.now());
    // Lines of a file are read again from the beginning; networks of IRC differ.
    let resumes = matches!(spec.service, Service::Lines { .. });
    loop {
        told.status(Status::Connecting).await;
        let (give, mut reports) = mpsc::channel(REPORTS);
        let reported = Reports::new(give);
        let serving = source.serve(&files, &reported);
        tokio::pin!(serving);
        let mut tick = interval(TICK);
        let ended = loop {
            tokio::select! {
                // In this order: what was reported before the end is told before it.
                biased;
                Some(report) = reports.recv() => {
                    told.report(&mut recovery, clock.now(), report, resumes).await;
                }
                ended = &mut serving => break ended,
                _ = tick.tick() => told.silence(&mut recovery, clock.now()).await,
            }
            if told.merge.is_closed() {
                return;
            }
        };
        while let Ok(report) = reports.try_recv() {
            told.report(&mut recovery, clock.now(), report, resumes).await;
        }
        if matches!(spec.service, Service::Lines { ref path, .. } if path.as_os_str() == "-") {
            return told.status(Status::Ended).await;
        }
        if ended.lasting {
            return told.status(Status::Failed { why: ended.why }).await;
        }
        let now = clock.now();
        recovery.lost(now, Cause::Closed, chance());
        let State::Waiting { until, .. } = *recovery.state() else { return };
        let wait = until.since(now.mono);
        let retry_in_ms = wait.as_millis() as u64;
        told.status(Status::Waiting { why: ended.why, retry_in_ms }).await;
        sleep(wait).await;
        recovery.connect(clock.now());
    }
}

/// Where a source's news goes.
struct Told {
    at: usize,
    merge: Merge,
}

impl Told {
    async fn status(&self, status: Status) {
        let _ = self.merge.send((self.at, FromSource::Status(status))).await;
    }

    /// Passes a report on, after the hole that it ends.
    async fn report(&self, recovery: &mut Recovery, now: Now, report: Report, resumes: bool) {
        let was_silent = matches!(recovery.state(), State::Silent { .. });
        if report == Report::Live {
            if let Some(hole) = recovery.live(now, resumes) {
                let hole = FromSource::Report(Report::Update(hole));
                let _ = self.merge.send((self.at, hole)).await;
            }
        } else {
            recovery.heard(now);
        }
        if was_silent && matches!(recovery.state(), State::Live { .. }) {
            self.status(Status::Live).await;
        }
        let _ = self.merge.send((self.at, FromSource::Report(report))).await;
    }

    /// Tells once that the source has fallen silent.
    async fn silence(&self, recovery: &mut Recovery, now: Now) {
        let was_silent = matches!(recovery.state(), State::Silent { .. });
        recovery.tick(now);
        if let (false, State::Silent { since, certain }) = (was_silent, recovery.state()) {
            let age = now.mono.since(*since);
            let since = now.wall.checked_sub(age).unwrap_or(now.wall);
            self.status(Status::Silent { since, overdue: *certain }).await;
        }
    }
}

/// From 0 to 1: many who lost one server do not come back at once.
fn chance() -> f64 {
    let mut byte = [0; 1];
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

/// A source with the state that outlives its connections.
enum Source<'a> {
    Twitch { spec: &'a ChatSpec, session: Box<twitch::irc::Session>, clock: Clock },
    Irc { spec: &'a ChatSpec, session: Box<irc::Session>, clock: Clock, password: Option<Secret> },
    Youtube { spec: &'a ChatSpec, state: Option<Box<Youtube>>, clock: Clock },
    Bridge { spec: &'a ChatSpec, reader: Box<bridge::Reader>, clock: Clock },
    Facebook { spec: &'a ChatSpec, session: Box<facebook::Session>, clock: Clock },
    Shopee { spec: &'a ChatSpec, session: Box<shopee::Session>, clock: Clock },
    Posted { listen: &'a SocketAddr, path: &'a str, receiver: Arc<Receiver>, clock: Clock },
    Lines { spec: &'a ChatSpec, reader: Box<lines::Reader>, clock: Clock },
}

struct Youtube {
    api: link::youtube::Api,
    session: youtube::Session,
    quota: youtube::Quota,
}

impl<'a> Source<'a> {
    async fn open(spec: &'a ChatSpec, files: &Files) -> Result<Self, Ended> {
        let clock = Clock::default();
        let bad = |e: &dyn std::fmt::Display| Ended::lasting(e.to_string());
        Ok(match &spec.service {
            Service::Twitch { channels, .. } => {
                let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
                let mut digits = [0; 4];
                let _ = getrandom::fill(&mut digits);
                let digits = u32::from_be_bytes(digits) % 90_000 + 10_000;
                let session = twitch::irc::Session::new(spec.id.clone(), &channels, digits, None);
                let session = Box::new(session.map_err(|e| bad(&e))?);
                Self::Twitch { spec, session, clock }
            }
            Service::Irc { nick, account, password, channels, .. } => {
                let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
                let settings =
                    irc::Settings::new(spec.id.clone(), nick, account.as_deref(), &channels);
                let session = Box::new(irc::Session::new(settings.map_err(|e| bad(&e))?));
                let password = files.secret_if(password.as_ref()).await;
                let password = password.map_err(|e| bad(&e.reason))?;
                Self::Irc { spec, session, clock, password }
            }
            Service::Youtube { .. } => Self::Youtube { spec, state: None, clock },
            Service::Bridge { .. } => {
                let reader = Box::new(bridge::Reader::new(spec.id.clone()));
                Self::Bridge { spec, reader, clock }
            }
            Service::Facebook { video, .. } => {
                let session = facebook::Session::new(spec.id.clone(), video, None);
                let session = Box::new(session.map_err(|e| bad(&e))?);
                Self::Facebook { spec, session, clock }
            }
            Service::Shopee { live, .. } => {
                let session = Box::new(shopee::Session::new(spec.id.clone(), *live, None));
                Self::Shopee { spec, session, clock }
            }
            Service::Webhook { listen, path, token, platform } => {
                let token = files.secret_if(token.as_ref()).await.map_err(|e| bad(&e.reason))?;
                let reader = lines::Reader::new(spec.id.clone(), platform.clone());
                let receiver = Arc::new(Receiver::lines(reader, token));
                Self::Posted { listen, path, receiver, clock }
            }
            Service::Kick { listen, path, public_key } => {
                let key = files.public_key(public_key).await.map_err(|e| bad(&e.reason))?;
                let webhook = kick::Webhook::new(spec.id.clone(), None);
                let receiver = Arc::new(Receiver::kick(webhook, key));
                Self::Posted { listen, path, receiver, clock }
            }
            Service::Lines { platform, .. } => {
                let platform: Platform = platform.clone();
                let reader = Box::new(lines::Reader::new(spec.id.clone(), platform));
                Self::Lines { spec, reader, clock }
            }
        })
    }

    /// One connection.
    async fn serve(&mut self, files: &Files, reports: &Reports) -> Ended {
        match self {
            Self::Twitch { spec, session, clock } => {
                let Service::Twitch { server, transport, .. } = &spec.service else {
                    return Ended::lasting("no source of Twitch");
                };
                link::twitch::serve(server, *transport, None, session, clock, reports).await
            }
            Self::Irc { spec, session, clock, password } => {
                let Service::Irc { server, transport, ca, .. } = &spec.service else {
                    return Ended::lasting("no source of IRC");
                };
                let ca = match ca {
                    None => None,
                    Some(path) => match files.authorities(path).await {
                        Ok(ca) => Some(ca),
                        Err(e) => return Ended::passing(e.reason),
                    },
                };
                let network = link::irc::Network {
                    server,
                    transport: *transport,
                    ca: ca.as_ref(),
                    password: password.as_ref(),
                };
                let (_keep, mut says) = mpsc::channel(SAYS);
                link::irc::serve(&network, session, clock, &mut says, reports).await
            }
            Self::Youtube { spec, state, clock } => {
                if state.is_none() {
                    match youtube(spec, files).await {
                        Ok(opened) => *state = Some(Box::new(opened)),
                        Err(ended) => return ended,
                    }
                }
                let Some(Youtube { api, session, quota }) = state.as_deref_mut() else {
                    return Ended::lasting("no source of YouTube");
                };
                link::youtube::serve(api, session, quota, None, clock, reports).await
            }
            Self::Bridge { spec, reader, clock } => {
                let Service::Bridge { bridge, server, transport, path, secret } = &spec.service
                else {
                    return Ended::lasting("no bridge");
                };
                // Read for each connection: a token may have been renewed.
                let secret = match files.secret_if(secret.as_ref()).await {
                    Ok(secret) => secret,
                    Err(e) => return Ended::passing(e.reason),
                };
                let endpoint = link::bridge::Endpoint {
                    bridge: *bridge,
                    server,
                    transport: *transport,
                    path,
                    secret: secret.as_ref(),
                    ping: link::bridge::PING,
                };
                link::bridge::serve(&endpoint, reader, clock, reports).await
            }
            Self::Facebook { spec, session, clock } => match facebook(spec, files).await {
                Ok(api) => link::facebook::serve(&api, session, clock, reports).await,
                Err(ended) => ended,
            },
            Self::Shopee { spec, session, clock } => match shopee(spec, files).await {
                Ok(api) => link::shopee::serve(&api, session, clock, reports).await,
                Err(ended) => ended,
            },
            Self::Posted { listen, path, receiver, clock } => {
                match Listener::bind(**listen).await {
                    Ok(listener) => {
                        listener.serve(path, Arc::clone(receiver), clock, reports).await
                    }
                    Err(ended) => ended,
                }
            }
            Self::Lines { spec, reader, clock } => match &spec.service {
                Service::Lines { path, .. } if path.as_os_str() == "-" => {
                    link::lines::standard_input(reader, clock, reports).await
                }
                Service::Lines { path, .. } => {
                    link::lines::file(path, reader, clock, reports).await
                }
                _ => Ended::lasting("no source of lines"),
            },
        }
    }
}

/// Its token is read for each connection: it may have been renewed.
async fn facebook(spec: &ChatSpec, files: &Files) -> Result<link::facebook::Api, Ended> {
    let Service::Facebook { token, api, .. } = &spec.service else {
        return Err(Ended::lasting("no source of Facebook"));
    };
    let token = files.secret(token).await.map_err(|e| Ended::passing(e.reason))?;
    link::facebook::Api::new(api.clone(), token)
}

/// Its token is read for each connection: it lasts four hours.
async fn shopee(spec: &ChatSpec, files: &Files) -> Result<link::shopee::Api, Ended> {
    let Service::Shopee { partner, shop, key, token, api, .. } = &spec.service else {
        return Err(Ended::lasting("no source of Shopee"));
    };
    let access_token = files.secret(token).await.map_err(|e| Ended::passing(e.reason))?;
    let key = files.secret(key).await.map_err(|e| Ended::passing(e.reason))?;
    let credentials = shopee::Credentials { partner_id: *partner, shop_id: *shop, access_token };
    link::shopee::Api::new(api.clone(), credentials, key)
}

async fn youtube(spec: &ChatSpec, files: &Files) -> Result<Youtube, Ended> {
    let Service::Youtube { video, key, api, quota } = &spec.service else {
        return Err(Ended::lasting("no source of YouTube"));
    };
    let key = files.secret(key).await.map_err(|e| Ended::passing(e.reason))?;
    let api = link::youtube::Api::new(api.clone(), key)?;
    let chat = link::youtube::chat_of(&api, video).await?;
    let session = youtube::Session::new(spec.id.clone(), &chat, None);
    // A tenth is kept for writing.
    let quota = youtube::Quota::new(*quota, 0, *quota / 10, Timestamp::now());
    Ok(Youtube { api, session, quota })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chat::Update, chat::capability::Route};

    fn all(from: &mut mpsc::Receiver<(usize, FromSource)>) -> Vec<FromSource> {
        let mut all = Vec::new();
        while let Ok((_, one)) = from.try_recv() {
            all.push(one);
        }
        all
    }

    #[tokio::test]
    async fn a_silent_source_is_told_once_and_again_when_it_is_heard() {
        let (merge, mut from) = mpsc::channel(16);
        let told = Told { at: 0, merge };
        let mut recovery = Recovery::new(Route::ShopeeShop, Now::test(0));
        told.report(&mut recovery, Now::test(0), Report::Live, false).await;
        for ms in [9_999, 10_000, 11_000] {
            told.silence(&mut recovery, Now::test(ms)).await;
        }
        told.report(&mut recovery, Now::test(12_000), Report::Heard, false).await;
        let all = all(&mut from);
        let since = Now::test(0).wall;
        assert!(
            matches!(&all[..], [
                FromSource::Report(Report::Live),
                FromSource::Status(Status::Silent { since: told, overdue: true }),
                FromSource::Status(Status::Live),
                FromSource::Report(Report::Heard),
            ] if *told == since),
            "{all:?}"
        );
    }

    #[tokio::test]
    async fn an_absence_is_a_hole_only_where_nothing_is_read_afterwards() {
        for (route, resumes, wanted) in [
            (Route::TwitchAnonymous, false, Some(5)),
            (Route::Irc, false, Some(5)),
            (Route::Lines, true, None),
            (Route::YoutubeKey, false, None),
        ] {
            let (merge, mut from) = mpsc::channel(16);
            let told = Told { at: 0, merge };
            let mut recovery = Recovery::new(route, Now::test(0));
            told.report(&mut recovery, Now::test(0), Report::Live, resumes).await;
            told.report(&mut recovery, Now::test(1_000), Report::Heard, resumes).await;
            recovery.lost(Now::test(4_000), Cause::Closed, 0.0);
            recovery.connect(Now::test(5_000));
            told.report(&mut recovery, Now::test(6_000), Report::Live, resumes).await;
            let hole = all(&mut from).into_iter().find_map(|one| match one {
                FromSource::Report(Report::Update(Update::Hole { from, until })) => {
                    Some(until.duration_since(from).as_secs())
                }
                _ => None,
            });
            assert_eq!(hole, wanted, "{route:?}: from what was heard last");
        }
    }
}
