//! A source of YouTube Live: one long answer of the stream at a time, polling where the stream brings nothing.

mod account;

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use reqwest::{Client, Response, header};
use tokio::time::{interval, sleep};
use url::Url;

use super::{
    Clock, Ended, Report, Reports, TICK,
    api::{self as http, Bounds},
};
use crate::{
    base::Secret,
    chat::{
        request::Request,
        youtube::{Mode, Output, Quota, Session, api, session::Due},
    },
};

/// A page has up to 2,000 messages of 2 kB.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(15), bytes: 4 * 1024 * 1024 };
/// How long is waited where no quota is left before it is asked again.
const NO_QUOTA: Duration = Duration::from_secs(30);

/// Calls in a row without an answer after which the connection counts as lost.
const FAILURES: u32 = 3;

pub use account::{Account, own_channel, write};

/// The header of the key.
const KEY: header::HeaderName = header::HeaderName::from_static("x-goog-api-key");

/// A chat, as its reading and its writing share it.
#[derive(Debug)]
pub struct Chat {
    id: OnceLock<String>,
    quota: Mutex<Quota>,
}

impl Chat {
    /// A chat that is not found yet; both spend this quota.
    pub fn new(quota: Quota) -> Self {
        Self { id: OnceLock::new(), quota: Mutex::new(quota) }
    }

    /// Its identifier, once it is found.
    pub fn id(&self) -> Option<&str> {
        self.id.get().map(String::as_str)
    }

    /// Something of the quota. The lock is held for no longer than that.
    pub fn quota<T>(&self, of: impl FnOnce(&mut Quota) -> T) -> T {
        of(&mut self.quota.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How the API is reached.
#[derive(Debug)]
pub struct Api {
    client: Client,
    base: Url,
}

impl Api {
    /// `base` is [`spec::YOUTUBE`](crate::chat::spec::YOUTUBE), or a stand-in of it. The key goes in a header, so that no
    /// address holds it.
    pub fn new(base: Url, key: Secret) -> Result<Self, Ended> {
        let mut key = header::HeaderValue::from_str(key.expose())
            .map_err(|_| Ended::lasting("the API key holds characters that no key has"))?;
        key.set_sensitive(true);
        let client = http::client([(KEY, key)].into_iter().collect())?;
        Ok(Self { client, base })
    }

    async fn whole(&self, request: &Request) -> (u16, Vec<u8>) {
        http::whole(&self.client, &self.base, request, BOUNDS).await
    }
}

/// Finds the chat of a video.
///
/// # Errors
/// The video has none, or the API does not answer.
pub async fn find(api: &Api, chat: &Chat, video: &str, clock: &Clock) -> Result<String, Ended> {
    chat.quota(|quota| quota.charge(clock.now().wall, 1));
    let (status, body) = api.whole(&api::video(video)).await;
    match status {
        0 => Err(unanswered()),
        200 => {
            let id = api::chat_id(&body).ok_or_else(|| {
                Ended::passing(format!(
                    "video {video} has no live chat now: is the broadcast live?"
                ))
            })?;
            // It stays the same as long as the source is read.
            Ok(chat.id.get_or_init(|| id).clone())
        }
        400 | 401 | 403 => Err(Ended::lasting(format!(
            "YouTube's API refuses the key (status {status}): check the key and that the YouTube Data API is enabled"
        ))),
        status => Err(Ended::passing(format!("YouTube's API answered with status {status}"))),
    }
}

fn unanswered() -> Ended {
    Ended::passing("YouTube's API does not answer")
}

/// Serves the source until the chat has ended or cannot be read.
pub async fn serve(
    api: &Api,
    session: &mut Session,
    chat: &Chat,
    end: Option<jiff::Timestamp>,
    clock: &Clock,
    reports: &Reports,
) -> Ended {
    run(api, session, chat, end, clock, reports).await.unwrap_or_else(|ended| ended)
}

async fn run(
    api: &Api,
    session: &mut Session,
    chat: &Chat,
    end: Option<jiff::Timestamp>,
    clock: &Clock,
    reports: &Reports,
) -> Result<Ended, Ended> {
    let mut failed = 0;
    loop {
        if let Some(ended) = tell(session, reports).await? {
            return Ok(ended);
        }
        match chat.quota(|quota| session.due(clock.now(), quota, end)) {
            Due::Running => {}
            Due::At(at) => sleep(at.since(clock.now().mono)).await,
            Due::NoQuota(_) => {
                sleep(NO_QUOTA).await;
                continue;
            }
            Due::Never => return Ok(Ended::lasting("the chat has ended")),
        }
        let request = chat.quota(|quota| session.call(clock.now(), quota));
        if session.mode() == Mode::Poll {
            let (status, body) = api.whole(&request).await;
            chat.quota(|quota| session.answered(clock.now(), quota, status, &body));
            if status == 200 {
                reports.tell(Report::Live).await?;
            }
            lost(&mut failed, status)?;
            continue;
        }
        match http::begun(&api.client, &api.base, &request, BOUNDS).await {
            Some(response) if response.status().is_success() => {
                failed = 0;
                reports.tell(Report::Live).await?;
                follow(response, session, chat, clock, reports).await?;
            }
            Some(response) => {
                let status = response.status().as_u16();
                let body = http::rest(response, BOUNDS).await;
                chat.quota(|quota| session.answered(clock.now(), quota, status, &body));
                lost(&mut failed, status)?;
            }
            None => {
                chat.quota(|quota| session.answered(clock.now(), quota, 0, &[]));
                lost(&mut failed, 0)?;
            }
        }
    }
}

/// Counts calls that reach no API: after some the connection is lost, and the operator is told.
fn lost(failed: &mut u32, status: u16) -> Result<(), Ended> {
    *failed = if status == 0 || status >= 500 { *failed + 1 } else { 0 };
    match status {
        _ if *failed < FAILURES => Ok(()),
        0 => Err(unanswered()),
        status => Err(Ended::passing(format!("YouTube's API answered with status {status}"))),
    }
}

/// Reads one answer of the stream to its end.
async fn follow(
    mut response: Response,
    session: &mut Session,
    chat: &Chat,
    clock: &Clock,
    reports: &Reports,
) -> Result<(), Ended> {
    let mut tick = interval(TICK);
    loop {
        tokio::select! {
            part = response.chunk() => {
                let Ok(Some(part)) = part else {
                    session.closed();
                    return Ok(());
                };
                chat.quota(|quota| session.bytes(clock.now(), quota, &part));
                reports.tell(Report::Heard).await?;
            }
            _ = tick.tick() => session.tick(clock.now()),
        }
        let mut close = false;
        while let Some(output) = session.poll() {
            match output {
                Output::Close => close = true,
                Output::Ended => return Err(Ended::lasting("the chat has ended")),
                other => told(other, reports).await?,
            }
        }
        if close {
            return Ok(());
        }
    }
}

/// Hands on what the session says; why it is over, if it is.
async fn tell(session: &mut Session, reports: &Reports) -> Result<Option<Ended>, Ended> {
    while let Some(output) = session.poll() {
        match output {
            Output::Ended => return Ok(Some(Ended::lasting("the chat has ended"))),
            // Without a stream it is polled: that is no end.
            Output::Failed(fault) if fault.is_lasting() && session.is_over() => {
                return Ok(Some(Ended::lasting(format!("YouTube refuses to be read: {fault:?}"))));
            }
            other => told(other, reports).await?,
        }
    }
    Ok(None)
}

async fn told(output: Output, reports: &Reports) -> Result<(), Ended> {
    match output {
        Output::Update(update) => reports.tell(Report::Update(update)).await,
        Output::Unreadable(_) => reports.tell(Report::Unreadable).await,
        Output::Polling => {
            tracing::info!("YouTube's stream brought nothing several times: polling from now on");
            Ok(())
        }
        Output::Offline => {
            tracing::info!("YouTube says that the video stream is off");
            Ok(())
        }
        Output::Failed(fault) => {
            tracing::info!(?fault, "a call of YouTube's API failed");
            Ok(())
        }
        Output::Ended | Output::Close => Ok(()),
    }
}
