//! A source of YouTube Live: one long answer of the stream at a time, polling where the stream brings nothing.

use std::time::Duration;

use reqwest::{Client, header};
use tokio::time::{interval, sleep, timeout};
use url::Url;

use super::{CONNECT, Clock, Ended, Report, Reports, TICK};
use crate::{
    base::Secret,
    chat::{
        request::{Method, Request},
        youtube::{Mode, Output, Quota, Session, api, session::Due},
    },
};

/// Longest answer that is read whole, in bytes: 2,000 messages of 2 kB.
const MOST_ANSWER: usize = 4 * 1024 * 1024;
/// Longest time for an answer that is read whole.
const ANSWER: Duration = Duration::from_secs(15);
/// How long is waited where no quota is left before it is asked again.
const NO_QUOTA: Duration = Duration::from_secs(30);

/// How the API is reached.
#[derive(Debug)]
pub struct Api {
    client: Client,
    base: Url,
    key: Secret,
}

impl Api {
    /// `base` is [`spec::YOUTUBE`](crate::chat::spec::YOUTUBE), or a stand-in of it. The key goes in a header, so that no address holds it.
    pub fn new(base: Url, key: Secret) -> Result<Self, Ended> {
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|_| Ended::lasting("TLS does not start on this machine"))?;
        Ok(Self { client, base, key })
    }

    fn request(&self, request: &Request) -> Result<reqwest::RequestBuilder, Ended> {
        let mut url = self.base.join(&request.path).map_err(|e| Ended::lasting(e.to_string()))?;
        url.query_pairs_mut().extend_pairs(request.query.iter().map(|(k, v)| (*k, v.as_str())));
        let builder = match request.method {
            Method::Get => self.client.get(url),
            Method::Post => self.client.post(url),
            Method::Delete => self.client.delete(url),
        };
        let mut key = header::HeaderValue::from_str(self.key.expose())
            .map_err(|_| Ended::lasting("the API key holds characters that no key has"))?;
        key.set_sensitive(true);
        Ok(builder.header("x-goog-api-key", key))
    }

    /// Status and body; status 0 where there was no answer.
    async fn whole(&self, request: &Request) -> Result<(u16, Vec<u8>), Ended> {
        let sent = timeout(ANSWER, self.request(request)?.send()).await;
        let Ok(Ok(response)) = sent else { return Ok((0, Vec::new())) };
        let status = response.status().as_u16();
        Ok((status, bounded(response).await))
    }
}

async fn bounded(mut response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Ok(Some(part))) = timeout(ANSWER, response.chunk()).await {
        body.extend_from_slice(&part);
        if body.len() > MOST_ANSWER {
            body.truncate(MOST_ANSWER);
            break;
        }
    }
    body
}

/// The chat of a video.
///
/// # Errors
/// The video has none, or the API does not answer.
pub async fn chat_of(api: &Api, video: &str) -> Result<String, Ended> {
    let (status, body) = api.whole(&api::video(video)).await?;
    match status {
        0 => Err(Ended::passing("YouTube's API does not answer")),
        200 => api::chat_id(&body).ok_or_else(|| {
            Ended::passing(format!("video {video} has no live chat now: is the broadcast live?"))
        }),
        400 | 401 | 403 => Err(Ended::lasting(format!(
            "YouTube's API refuses the key (status {status}): check the key and that the YouTube Data API is enabled"
        ))),
        status => Err(Ended::passing(format!("YouTube's API answered with status {status}"))),
    }
}

/// Serves the source until the chat has ended or cannot be read.
pub async fn serve(
    api: &Api,
    session: &mut Session,
    quota: &mut Quota,
    end: Option<jiff::Timestamp>,
    clock: &Clock,
    reports: &Reports,
) -> Ended {
    run(api, session, quota, end, clock, reports).await.unwrap_or_else(|ended| ended)
}

async fn run(
    api: &Api,
    session: &mut Session,
    quota: &mut Quota,
    end: Option<jiff::Timestamp>,
    clock: &Clock,
    reports: &Reports,
) -> Result<Ended, Ended> {
    loop {
        if let Some(ended) = tell(session, reports).await? {
            return Ok(ended);
        }
        match session.due(clock.now(), quota, end) {
            Due::Running => {}
            Due::At(at) => sleep(at.since(clock.now().mono)).await,
            Due::NoQuota(_) => {
                sleep(NO_QUOTA).await;
                continue;
            }
            Due::Never => return Ok(Ended::lasting("the chat has ended")),
        }
        let request = session.call(clock.now(), quota);
        if session.mode() == Mode::Poll {
            let (status, body) = api.whole(&request).await?;
            session.answered(clock.now(), quota, status, &body);
            if status == 200 {
                reports.tell(Report::Live).await?;
            }
            continue;
        }
        let sent = timeout(ANSWER, api.request(&request)?.send()).await;
        match sent {
            Ok(Ok(response)) if response.status().is_success() => {
                reports.tell(Report::Live).await?;
                follow(response, session, quota, clock, reports).await?;
            }
            Ok(Ok(response)) => {
                let status = response.status().as_u16();
                let body = bounded(response).await;
                session.answered(clock.now(), quota, status, &body);
            }
            _ => session.answered(clock.now(), quota, 0, &[]),
        }
    }
}

/// Reads one answer of the stream to its end.
async fn follow(
    mut response: reqwest::Response,
    session: &mut Session,
    quota: &mut Quota,
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
                session.bytes(clock.now(), quota, &part);
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
            Output::Failed(fault) if fault.is_lasting() => {
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
