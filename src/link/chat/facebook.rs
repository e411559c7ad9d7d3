//! A source of Facebook Live: the event stream, and beside it the GET that finds what the stream left out. The token is in
//! the addresses; they are shown and logged nowhere.

use std::{pin::Pin, time::Duration};

use reqwest::{Client, Response, header::HeaderMap};
use tokio::time::sleep;
use url::Url;

use super::{
    Clock, Ended, Report, Reports,
    api::{self, Bounds, Http, impossible},
};
use crate::{
    base::{Moment, Secret},
    chat::{
        PlatformAction,
        facebook::{self, Fault, PERMISSION, STREAM_HOST, Session},
        recovery::back_off,
        request::Request,
        send::{Answer, Failure},
        sse,
    },
};

/// GETs in a row that may fail before the connection counts as lost.
const FAILURES: u32 = 3;
/// A stream that brings no byte for so long is opened anew. The GET reads on meanwhile.
const QUIET: Duration = Duration::from_secs(90);

/// How the API is reached.
#[derive(Debug)]
pub struct Api {
    client: Client,
    graph: Url,
    stream: Url,
    token: Secret,
}

impl Api {
    /// `base` is a stand-in of Facebook for both hosts.
    pub fn new(base: Option<Url>, token: Secret) -> Result<Self, Ended> {
        Self::over(api::client(HeaderMap::new())?, base, token)
    }

    fn over(client: Client, base: Option<Url>, token: Secret) -> Result<Self, Ended> {
        let at = |host: &str| Url::parse(&format!("https://{host}/"));
        let hosts = match base {
            Some(base) => Ok((base.clone(), base)),
            None => at("graph.facebook.com").and_then(|graph| Ok((graph, at(STREAM_HOST)?))),
        };
        let (graph, stream) = hosts.map_err(|_| Ended::lasting("no address of Facebook"))?;
        Ok(Self { client, graph, stream, token })
    }

    fn with_token(&self, request: Request) -> Request {
        request.with("access_token", self.token.expose())
    }
}

/// Carries out an action and says what came of it: a page can delete comments, with [`PERMISSION`]. `base` is a stand-in
/// of Facebook.
pub async fn write(
    http: &Http,
    base: Option<Url>,
    token: Secret,
    action: &PlatformAction,
) -> Answer {
    let PlatformAction::Delete(id) = action else { return Answer::Failed(Failure::NotAllowed) };
    let api = match Api::over(http.client(), base, token) {
        Ok(api) => api,
        Err(ended) => return Answer::Failed(Failure::other(&ended.why)),
    };
    let request = match facebook::delete(id) {
        Ok(request) => api.with_token(request),
        Err(why) => return impossible(why),
    };
    let response = http.send(&api.graph, &request, None).await;
    let answer = facebook::answer(&response);
    if matches!(answer, Answer::Dropped { .. }) {
        tracing::warn!("Facebook deletes no comment: the page's token needs {PERMISSION}");
    }
    answer
}

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The event stream as it stands.
enum Stream {
    /// Not before this time.
    Waiting(Moment),
    Opening(Later<Option<Response>>),
    Open(Response),
}

enum Came {
    Answer(u16, Vec<u8>),
    Opened(Option<Response>),
    Part(Option<Vec<u8>>),
    Time,
}

/// Serves the source until it cannot be read.
pub async fn serve(api: &Api, session: &mut Session, clock: &Clock, reports: &Reports) -> Ended {
    let ended = run(api, session, clock, reports).await.unwrap_or_else(|ended| ended);
    session.streaming(false);
    ended
}

async fn run(
    api: &Api,
    session: &mut Session,
    clock: &Clock,
    reports: &Reports,
) -> Result<Ended, Ended> {
    let mut stream = Stream::Waiting(clock.now().mono);
    let mut events = sse::Reader::default();
    let mut get: Option<Later<(u16, Vec<u8>)>> = None;
    let (mut failed_gets, mut failed_streams, mut heard) = (0, 0, clock.now().mono);
    loop {
        let now = clock.now().mono;
        if let (None, Some(due)) = (&get, session.due(now))
            && due <= now
        {
            let request = api.with_token(session.reconcile(now));
            let (client, base) = (api.client.clone(), api.graph.clone());
            get =
                Some(Box::pin(
                    async move { api::whole(&client, &base, &request, Bounds::PAGE).await },
                ));
        }
        if let Stream::Waiting(until) = stream
            && until <= now
        {
            let request = api.with_token(session.stream());
            let (client, base) = (api.client.clone(), api.stream.clone());
            let opening = async move { api::begun(&client, &base, &request, Bounds::PAGE).await };
            stream = Stream::Opening(Box::pin(opening));
        }
        let wake = match (&get, session.due(now)) {
            (None, Some(due)) => due.since(now).min(super::TICK),
            _ => super::TICK,
        };
        let came = tokio::select! {
            (status, body) = maybe(get.as_mut()) => Came::Answer(status, body),
            came = next(&mut stream) => came,
            () = sleep(wake) => Came::Time,
        };
        let now = clock.now();
        let mut lost = false;
        match came {
            Came::Answer(status, body) => {
                get = None;
                match session.answered(now, status, &body) {
                    Ok(()) => {
                        failed_gets = 0;
                        reports.tell(Report::Live).await?;
                    }
                    Err(fault) if fault.is_lasting() || fault == Fault::RateLimited => {
                        return Err(ended(fault));
                    }
                    Err(fault) => {
                        failed_gets += 1;
                        if failed_gets >= FAILURES {
                            return Err(ended(fault));
                        }
                    }
                }
            }
            Came::Opened(Some(response)) if response.status().is_success() => {
                (stream, heard) = (Stream::Open(response), now.mono);
                session.streaming(true);
                reports.tell(Report::Live).await?;
            }
            Came::Opened(_) | Came::Part(None) => lost = true,
            Came::Part(Some(part)) => {
                (heard, failed_streams) = (now.mono, 0);
                reports.tell(Report::Heard).await?;
                let (mut unreadable, mut fault) = (0_usize, None);
                events.push(&part, |piece| match piece {
                    sse::Piece::Event(event) => match session.event(now, &event) {
                        Ok(()) => {}
                        Err(Fault::Unreadable) => unreadable += 1,
                        Err(other) => fault = Some(other),
                    },
                    sse::Piece::TooLong => unreadable += 1,
                });
                for _ in 0..unreadable {
                    reports.tell(Report::Unreadable).await?;
                }
                // Whether it lasts, the GET shows: it has the same token.
                lost = fault.is_some();
            }
            Came::Time => {
                lost = matches!(stream, Stream::Open(_)) && now.mono.since(heard) >= QUIET;
            }
        }
        while let Some(update) = session.poll() {
            reports.tell(Report::Update(update)).await?;
        }
        if lost {
            tracing::info!("Facebook's event stream is lost: the GET reads on until it is back");
            session.streaming(false);
            events.end();
            let wait = back_off(failed_streams, 1.0).max(events.retry().unwrap_or_default());
            failed_streams += 1;
            stream = Stream::Waiting(now.mono + wait);
        }
    }
}

/// What the stream does next.
async fn next(stream: &mut Stream) -> Came {
    match stream {
        // The caller's own wait ends before long.
        Stream::Waiting(_) => std::future::pending().await,
        Stream::Opening(opening) => Came::Opened(opening.await),
        Stream::Open(response) => {
            let part = response.chunk().await.ok().flatten();
            Came::Part(part.map(|part| part.to_vec()))
        }
    }
}

async fn maybe<T>(running: Option<&mut Later<T>>) -> T {
    match running {
        Some(running) => running.await,
        None => std::future::pending().await,
    }
}

fn ended(fault: Fault) -> Ended {
    let todo = match fault {
        Fault::Token => ": get a new token of the page",
        Fault::Permission => ": the page's app needs pages_read_engagement, reviewed by Facebook",
        Fault::NotFound => ": check video, the live video's number",
        _ => "",
    };
    let why = match fault {
        Fault::Status(0) => "Facebook does not answer".to_owned(),
        fault => format!("Facebook: {fault}{todo}"),
    };
    Ended { why, lasting: fault.is_lasting() }
}
