//! One source of chat: it is connected, and connected again after a wait that grows, until it has ended or somebody must
//! change something first.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::{sync::mpsc, time::sleep};

use crate::{
    base::Secret,
    chat::{
        Platform, Update, bridge, facebook, irc, kick, lines, shopee,
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

/// The first wait, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// A connection that held for so long begins with the first wait again.
const STABLE: Duration = Duration::from_mins(1);
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
    let (give, mut reports) = mpsc::channel(REPORTS);
    let mut wait = WAITS.0;
    let serve = async {
        let mut source = match Source::open(&spec, &files).await {
            Ok(source) => source,
            Err(ended) => return tell(&merge, at, Status::Failed { why: ended.why }).await,
        };
        loop {
            tell(&merge, at, Status::Connecting).await;
            let began = Instant::now();
            let ended = source.serve(&files, &Reports::new(give.clone())).await;
            if matches!(spec.service, Service::Lines { ref path, .. } if path.as_os_str() == "-") {
                return tell(&merge, at, Status::Ended).await;
            }
            if ended.lasting {
                return tell(&merge, at, Status::Failed { why: ended.why }).await;
            }
            if began.elapsed() >= STABLE {
                wait = WAITS.0;
            }
            let retry_in_ms = shaken(wait).as_millis() as u64;
            tell(&merge, at, Status::Waiting { why: ended.why, retry_in_ms }).await;
            sleep(Duration::from_millis(retry_in_ms)).await;
            wait = (wait * 2).min(WAITS.1);
        }
    };
    let forward = async {
        let mut gap = Gap::default();
        while let Some(report) = reports.recv().await {
            if let Some(hole) = gap.of(&report, spec.service.resumes()) {
                let _ = merge.send((at, FromSource::Report(Report::Update(hole)))).await;
            }
            if merge.send((at, FromSource::Report(report))).await.is_err() {
                return;
            }
        }
    };
    // The first to end is the service: whoever forwards waits for reports as long as there can be some.
    tokio::pin!(forward);
    tokio::select! {
        () = serve => {}
        () = &mut forward => return,
    }
    drop(give);
    forward.await;
}

async fn tell(merge: &Merge, at: usize, status: Status) {
    let _ = merge.send((at, FromSource::Status(status))).await;
}

/// Up to a quarter more, so that many who lost one server do not come back at once.
fn shaken(wait: Duration) -> Duration {
    let mut chance = [0; 1];
    let _ = getrandom::fill(&mut chance);
    wait + wait.mul_f64(f64::from(chance[0]) / 255.0 / 4.0)
}

/// Finds the time in which a source was away that cannot say what it missed.
#[derive(Debug, Default)]
struct Gap {
    heard: Option<Timestamp>,
    live: bool,
}

impl Gap {
    fn of(&mut self, report: &Report, resumes: bool) -> Option<Update> {
        let now = Timestamp::now();
        let before = match report {
            Report::Live => self.heard.filter(|_| std::mem::replace(&mut self.live, true)),
            _ => None,
        };
        if self.live {
            self.heard = Some(now);
        }
        before.filter(|_| !resumes).map(|from| Update::Hole { from, until: now })
    }
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

    #[test]
    fn only_a_second_live_after_a_time_away_makes_a_hole() {
        let mut gap = Gap::default();
        assert_eq!(gap.of(&Report::Live, false), None);
        assert_eq!(gap.of(&Report::Heard, false), None);
        assert!(
            matches!(gap.of(&Report::Live, false), Some(Update::Hole { from, until }) if from <= until)
        );
        let mut gap = Gap::default();
        assert_eq!(gap.of(&Report::Live, true), None);
        assert_eq!(gap.of(&Report::Live, true), None, "it reads what it missed");
    }
}
