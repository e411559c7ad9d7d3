//! One source of chat: it is connected, and connected again after a wait that grows, until it has ended or somebody must
//! change something first.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::interval,
};

use super::writer;
use crate::{
    base::{Now, SecretRef},
    chat::{
        UserId, bridge, facebook, irc, kick, lines,
        recovery::{Cause, Recovery, State},
        send::{Answer, Failure},
        shopee,
        spec::{ChatSpec, Service},
        told::Status,
        twitch, youtube,
    },
    engine::files::{Files, Unread},
    link::chat::{
        self as link, Clock, Ended, Order, Orders, Report, Reports,
        webhook::{Listener, Receiver},
    },
    show::FailureKind,
};

/// How often a source is judged for silence.
const TICK: Duration = Duration::from_secs(1);
/// An order that finds no connection is tried again after this.
const PUT_OFF: Duration = Duration::from_secs(1);
/// Reports of one source that wait to be merged.
const REPORTS: usize = 256;

/// What a source's task tells the merge.
#[derive(Debug)]
pub(super) enum FromSource {
    /// How it is doing.
    Status(Status),
    /// What its connection reports.
    Report(Report),
}

type Merge = mpsc::Sender<(usize, FromSource)>;

/// Serves the source until it has ended: reads it, and carries out `orders`.
pub(super) async fn supervise(
    at: usize,
    spec: ChatSpec,
    files: Files,
    merge: Merge,
    orders: Orders,
) {
    let clock = Clock::default();
    let told = Told::new(at, merge);
    let youtube = shared_chat(&spec, &clock);
    if writer::is_apart(&spec.service) {
        // Reading takes no orders: the channel that it is given is closed.
        let (_, mut none) = mpsc::channel(1);
        let (over, ended) = oneshot::channel::<()>();
        let reading = async {
            read(&spec, &files, &clock, &told, &mut none, youtube.clone()).await;
            drop(over);
        };
        let chat = youtube.as_deref();
        tokio::join!(reading, writer::serve(&spec, &files, chat, &told, orders, ended));
    } else {
        let mut orders = orders;
        read(&spec, &files, &clock, &told, &mut orders, youtube).await;
        // Nothing is carried out any more.
        orders.close();
        while let Some(order) = orders.recv().await {
            told.answer(&order, Answer::Failed(Failure::Network)).await;
        }
    }
}

/// What reading and writing of a chat of YouTube share.
fn shared_chat(spec: &ChatSpec, clock: &Clock) -> Option<Arc<link::youtube::Chat>> {
    let Service::Youtube { quota, account, .. } = &spec.service else { return None };
    // A tenth is kept for writing, where somebody writes.
    let reserve = if account.is_some() { *quota / 10 } else { 0 };
    let quota = youtube::Quota::new(*quota, 0, reserve, clock.now().wall);
    Some(Arc::new(link::youtube::Chat::new(quota)))
}

/// Reads the source until it has ended. Orders are carried out by the connection, where there is one.
async fn read(
    spec: &ChatSpec,
    files: &Files,
    clock: &Clock,
    told: &Told,
    orders: &mut Orders,
    youtube: Option<Arc<link::youtube::Chat>>,
) {
    let mut source = match Source::open(spec, youtube) {
        Ok(source) => source,
        Err(ended) => return told.status(Status::Failed { why: ended.why }).await,
    };
    let mut recovery = Recovery::new(spec.service.route(), clock.now());
    // Lines of a file are read again from the beginning. The session of IRC reports the holes that the network's history
    // leaves.
    let resumes = matches!(spec.service, Service::Lines { .. } | Service::Irc { .. });
    loop {
        told.status(Status::Connecting).await;
        let (give, mut reports) = mpsc::channel(REPORTS);
        let reported = Reports::new(give);
        let ended = {
            let serving = source.serve(files, clock, &reported, orders);
            tokio::pin!(serving);
            let mut tick = interval(TICK);
            loop {
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
            }
        };
        while let Ok(report) = reports.try_recv() {
            told.report(&mut recovery, clock.now(), report, resumes).await;
        }
        if spec.service.is_standard_input() {
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
        told.put_off(orders, wait).await;
        recovery.connect(clock.now());
    }
}

/// Where a source's news goes.
pub(super) struct Told {
    at: usize,
    merge: Merge,
}

impl Told {
    /// Of the source with this number.
    pub(super) fn new(at: usize, merge: Merge) -> Self {
        Self { at, merge }
    }

    async fn status(&self, status: Status) {
        let _ = self.merge.send((self.at, FromSource::Status(status))).await;
    }

    /// Waits, and answers meanwhile that orders have to wait, too.
    async fn put_off(&self, orders: &mut Orders, wait: Duration) {
        let until = tokio::time::Instant::now() + wait;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                Some(order) = orders.recv() => self.answer(&order, Answer::Later(PUT_OFF)).await,
            }
        }
    }

    /// Answers an order.
    pub(super) async fn answer(&self, order: &Order, answer: Answer) {
        let answered = Report::Answered { order: order.number, answer };
        let _ = self.merge.send((self.at, FromSource::Report(answered))).await;
    }

    /// Passes a report on, after the hole that it ends.
    async fn report(&self, recovery: &mut Recovery, now: Now, report: Report, resumes: bool) {
        let was_silent = matches!(recovery.state(), State::Silent { .. });
        if report == Report::Live {
            if let Some(hole) = recovery.live(now, resumes) {
                let hole = FromSource::Report(Report::Update(hole));
                let _ = self.merge.send((self.at, hole)).await;
            }
        } else if !matches!(report, Report::Answered { .. }) {
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
struct Source<'a> {
    spec: &'a ChatSpec,
    session: Session,
}

/// What a source knows from one connection to the next.
enum Session {
    Twitch(Box<twitch::irc::Session>),
    TwitchAccount(Box<twitch::eventsub::Session>),
    Irc(Box<irc::Session>),
    Youtube(Box<Youtube>),
    Bridge(Box<bridge::Reader>),
    Facebook(Box<facebook::Session>),
    Shopee(Box<shopee::Session>),
    /// Once its token or key is read.
    Posted(Option<Arc<Receiver>>),
    Lines(Box<lines::Reader>),
}

struct Youtube {
    chat: Arc<link::youtube::Chat>,
    /// Once the chat is found.
    found: Option<(link::youtube::Api, youtube::Session)>,
}

impl<'a> Source<'a> {
    fn open(spec: &'a ChatSpec, youtube: Option<Arc<link::youtube::Chat>>) -> Result<Self, Ended> {
        let bad = |e: &dyn std::fmt::Display| Ended::lasting(e.to_string());
        let id = spec.id.clone();
        let session = match &spec.service {
            Service::Twitch { account: Some(_), .. } => {
                Session::TwitchAccount(Box::new(twitch::eventsub::Session::new(id)))
            }
            Service::Twitch { channels, .. } => {
                let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
                let mut digits = [0; 4];
                let _ = getrandom::fill(&mut digits);
                let digits = u32::from_be_bytes(digits) % 90_000 + 10_000;
                let session = twitch::irc::Session::new(id, &channels, digits, None);
                Session::Twitch(Box::new(session.map_err(|e| bad(&e))?))
            }
            Service::Irc { nick, account, channels, .. } => {
                let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
                let settings = irc::Settings::new(id, nick, account.as_deref(), &channels);
                let session = irc::Session::new(settings.map_err(|e| bad(&e))?);
                Session::Irc(Box::new(session))
            }
            Service::Youtube { .. } => {
                let chat = youtube.ok_or_else(other_kind)?;
                Session::Youtube(Box::new(Youtube { chat, found: None }))
            }
            Service::Bridge { .. } => Session::Bridge(Box::new(bridge::Reader::new(id))),
            Service::Facebook { video, .. } => {
                let session = facebook::Session::new(id, video, None);
                Session::Facebook(Box::new(session.map_err(|e| bad(&e))?))
            }
            Service::Shopee { live, .. } => {
                Session::Shopee(Box::new(shopee::Session::new(id, *live, None)))
            }
            Service::Webhook { .. } | Service::Kick { .. } => Session::Posted(None),
            Service::Lines { platform, .. } => {
                Session::Lines(Box::new(lines::Reader::new(id, platform.clone())))
            }
        };
        Ok(Self { spec, session })
    }

    /// One connection.
    async fn serve(
        &mut self,
        files: &Files,
        clock: &Clock,
        reports: &Reports,
        orders: &mut Orders,
    ) -> Ended {
        self.connection(files, clock, reports, orders).await.unwrap_or_else(|ended| ended)
    }

    async fn connection(
        &mut self,
        files: &Files,
        clock: &Clock,
        reports: &Reports,
        orders: &mut Orders,
    ) -> Result<Ended, Ended> {
        let passing = |e: Unread| Ended::passing(e.reason);
        Ok(match (&mut self.session, &self.spec.service) {
            (Session::Twitch(session), Service::Twitch { server, transport, .. }) => {
                link::twitch::irc::serve(server, *transport, None, session, clock, reports).await
            }
            (
                Session::TwitchAccount(session),
                Service::Twitch { channels, account: Some(account), .. },
            ) => {
                // Read for each connection: it lasts some hours, and may have been renewed.
                let token = files.secret(&account.token).await.map_err(passing)?;
                let api = link::twitch::Api::open(account, &token, channels).await?;
                let at = account.eventsub.as_ref();
                link::twitch::eventsub::serve(&api, at, session, clock, reports).await
            }
            (Session::Irc(session), Service::Irc { server, transport, password, ca, .. }) => {
                // Read for each connection: it may have been changed.
                let password = match password {
                    None => None,
                    Some(named) => {
                        let read = files.secret(named).await;
                        Some(read.map_err(|e| secret_unread(named, e))?)
                    }
                };
                let ca = match ca {
                    None => None,
                    Some(path) => Some(files.authorities(path).await.map_err(passing)?),
                };
                let network = link::irc::Network {
                    server,
                    transport: *transport,
                    ca: ca.as_ref(),
                    password: password.as_ref(),
                };
                link::irc::serve(&network, session, clock, reports, orders).await
            }
            (Session::Youtube(youtube), Service::Youtube { video, key, account, api, .. }) => {
                let Youtube { chat, found } = &mut **youtube;
                let (api, session) = if let Some(found) = found {
                    found
                } else {
                    let key = files.secret(key).await.map_err(passing)?;
                    let base = api.clone();
                    let api = link::youtube::Api::new(base.clone(), key)?;
                    let id = link::youtube::find(&api, chat, video, clock).await?;
                    let own = match account {
                        Some(account) => writer::own_channel(files, chat, base, account).await,
                        None => None,
                    };
                    let session = youtube::Session::new(self.spec.id.clone(), &id, own);
                    found.insert((api, session))
                };
                link::youtube::serve(api, session, chat, None, clock, reports).await
            }
            (
                Session::Bridge(reader),
                Service::Bridge { bridge, server, transport, path, secret },
            ) => {
                // Read for each connection: a token may have been renewed.
                let secret = files.secret_if(secret.as_ref()).await.map_err(passing)?;
                let endpoint = link::bridge::Endpoint {
                    bridge: *bridge,
                    server,
                    transport: *transport,
                    path,
                    secret: secret.as_ref(),
                    ping: link::bridge::PING,
                };
                link::bridge::serve(&endpoint, reader, clock, reports, orders).await
            }
            (Session::Facebook(session), Service::Facebook { token, api, .. }) => {
                // Read for each connection: it may have been renewed.
                let token = files.secret(token).await.map_err(passing)?;
                let api = link::facebook::Api::new(api.clone(), token)?;
                link::facebook::serve(&api, session, clock, reports).await
            }
            (Session::Shopee(session), Service::Shopee { partner, shop, key, token, api, .. }) => {
                // Read for each connection: it lasts four hours.
                let access_token = files.secret(token).await.map_err(passing)?;
                let key = files.secret(key).await.map_err(passing)?;
                let credentials =
                    shopee::Credentials { partner_id: *partner, shop_id: *shop, access_token };
                let api = link::shopee::Api::new(api.clone(), credentials, key)?;
                link::shopee::serve(&api, session, clock, reports).await
            }
            (
                Session::Posted(found),
                Service::Webhook { listen, path, .. } | Service::Kick { listen, path, .. },
            ) => {
                let receiver = match found {
                    Some(receiver) => receiver,
                    None => found.insert(Arc::new(receiver(self.spec, files).await?)),
                };
                let listener = Listener::bind(*listen).await?;
                listener.serve(path, Arc::clone(receiver), clock, reports).await
            }
            (Session::Lines(reader), service) if service.is_standard_input() => {
                link::lines::standard_input(reader, clock, reports).await
            }
            (Session::Lines(reader), Service::Lines { path, .. }) => {
                link::lines::file(path, reader, clock, reports).await
            }
            _ => other_kind(),
        })
    }
}

/// Who takes what is posted to a source.
async fn receiver(spec: &ChatSpec, files: &Files) -> Result<Receiver, Ended> {
    let id = spec.id.clone();
    match &spec.service {
        Service::Webhook { token, platform, .. } => {
            let token = match token {
                None => None,
                Some(named) => {
                    let read = files.secret(named).await;
                    Some(read.map_err(|e| secret_unread(named, e))?)
                }
            };
            Ok(Receiver::lines(lines::Reader::new(id, platform.clone()), token))
        }
        Service::Kick { public_key, account, .. } => {
            let key = files.public_key(public_key).await.map_err(|Unread { reason, kind }| {
                // One that hangs is named already.
                Ended::passing(match kind {
                    FailureKind::Passing => reason,
                    _ => format!("the key file {}: {reason}", public_key.display()),
                })
            })?;
            // The broadcaster, who writes as a rule: the API names no other without one more scope.
            let own = account.as_ref().map(|of| UserId::new(&of.channel.to_string()));
            Ok(Receiver::kick(kick::Webhook::new(id, own), key))
        }
        _ => Err(other_kind()),
    }
}

/// A file may be written, mounted or corrected while the show runs, and the reason says which it waits for; the
/// environment of a process stays as it is.
fn secret_unread(named: &SecretRef, unread: Unread) -> Ended {
    let lasting = unread.kind == FailureKind::Lasting && matches!(named, SecretRef::Env(_));
    Ended { why: unread.reason, lasting }
}

/// A session is made by its service: it is never met.
fn other_kind() -> Ended {
    Ended::lasting("the session of another kind of source")
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
