//! One source of chat: it is connected, and connected again after a wait that grows, until it has ended or somebody must
//! change something first.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::interval};

use super::writer;
use crate::{
    base::{Now, Secret},
    chat::{
        bridge, facebook, irc, kick, lines,
        recovery::{Cause, Recovery, State},
        send::Answer,
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
    if writer::is_apart(&spec.service) {
        // Reading takes no orders: the channel that it is given is closed.
        let (_, mut none) = mpsc::channel(1);
        tokio::select! {
            () = read(&spec, &files, &clock, &told, &mut none) => {}
            () = writer::serve(&spec, &files, &told, orders) => {}
        }
    } else {
        let mut orders = orders;
        read(&spec, &files, &clock, &told, &mut orders).await;
    }
}

/// Reads the source until it has ended. Orders are carried out by the connection, where there is one.
async fn read(spec: &ChatSpec, files: &Files, clock: &Clock, told: &Told, orders: &mut Orders) {
    let mut source = match Source::open(spec, files).await {
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
    Irc(Box<irc::Session>, Option<Secret>),
    /// Once its chat is found.
    Youtube(Option<Box<Youtube>>),
    Bridge(Box<bridge::Reader>),
    Facebook(Box<facebook::Session>),
    Shopee(Box<shopee::Session>),
    Posted(Arc<Receiver>),
    Lines(Box<lines::Reader>),
}

struct Youtube {
    api: link::youtube::Api,
    session: youtube::Session,
    quota: youtube::Quota,
}

impl<'a> Source<'a> {
    async fn open(spec: &'a ChatSpec, files: &Files) -> Result<Self, Ended> {
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
            Service::Irc { nick, account, password, channels, .. } => {
                let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
                let settings = irc::Settings::new(id, nick, account.as_deref(), &channels);
                let session = irc::Session::new(settings.map_err(|e| bad(&e))?);
                let password = files.secret_if(password.as_ref()).await;
                Session::Irc(Box::new(session), password.map_err(|e| bad(&e.reason))?)
            }
            Service::Youtube { .. } => Session::Youtube(None),
            Service::Bridge { .. } => Session::Bridge(Box::new(bridge::Reader::new(id))),
            Service::Facebook { video, .. } => {
                let session = facebook::Session::new(id, video, None);
                Session::Facebook(Box::new(session.map_err(|e| bad(&e))?))
            }
            Service::Shopee { live, .. } => {
                Session::Shopee(Box::new(shopee::Session::new(id, *live, None)))
            }
            Service::Webhook { token, platform, .. } => {
                let token = files.secret_if(token.as_ref()).await.map_err(|e| bad(&e.reason))?;
                let reader = lines::Reader::new(id, platform.clone());
                Session::Posted(Arc::new(Receiver::lines(reader, token)))
            }
            Service::Kick { public_key, .. } => {
                let key = files.public_key(public_key).await.map_err(|e| bad(&e.reason))?;
                let webhook = kick::Webhook::new(id, None);
                Session::Posted(Arc::new(Receiver::kick(webhook, key)))
            }
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
            (Session::Irc(session, password), Service::Irc { server, transport, ca, .. }) => {
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
            (Session::Youtube(found), Service::Youtube { video, key, api, quota }) => {
                if found.is_none() {
                    let key = files.secret(key).await.map_err(passing)?;
                    let api = link::youtube::Api::new(api.clone(), key)?;
                    let chat = link::youtube::chat_of(&api, video).await?;
                    let session = youtube::Session::new(self.spec.id.clone(), &chat, None);
                    // A tenth is kept for writing.
                    let quota = youtube::Quota::new(*quota, 0, *quota / 10, clock.now().wall);
                    *found = Some(Box::new(Youtube { api, session, quota }));
                }
                match found.as_deref_mut() {
                    Some(Youtube { api, session, quota }) => {
                        link::youtube::serve(api, session, quota, None, clock, reports).await
                    }
                    None => other_kind(),
                }
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
                Session::Posted(receiver),
                Service::Webhook { listen, path, .. } | Service::Kick { listen, path, .. },
            ) => {
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
