//! Drives WHIP and WHEP sessions over HTTP: one task each, which does what the machine in `crate::whip` says.
//! It judges no reply and words no failure itself.

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use url::Url;

use super::{LinkError, http::Http, standing::Standing};
use crate::{
    base::{Moment, Secret},
    whip::{
        Failure, IceServer, Input, Kind, Method, Output, Request, Response, Role, Session,
        Transport, ice_servers,
    },
};

/// Candidates that may wait to be taken.
const CANDIDATES: usize = 64;
/// More events than a session can have.
const EVENTS: usize = 8;

/// How to reach ingests.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    /// A PEM file of authorities to trust besides the machine's own.
    pub ca: Option<PathBuf>,
    /// For name, TCP and TLS together.
    pub connect_timeout: Duration,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self { ca: None, connect_timeout: Duration::from_secs(5) }
    }
}

/// The way to ingests. Cheap to clone; clones share their open connections.
#[derive(Debug, Clone)]
pub struct Link {
    http: Http,
    standing: Standing,
}

impl Link {
    /// Reads the file of authorities; opens no connection. The machine's own authorities are read (up to
    /// 0.5 s) by the first request that needs them, or ahead by [`Link::warm`].
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn new(options: &LinkOptions) -> Result<Self, LinkError> {
        Ok(Self { http: Http::new(options)?, standing: Standing::default() })
    }

    /// Keeps the open sessions of this link and its clones in a file of that folder, so that a later run can end what
    /// this one leaves open when it is killed. It blocks.
    ///
    /// # Errors
    /// The folder or the file cannot be made.
    pub fn keep_sessions(&self, folder: &Path) -> std::io::Result<()> {
        self.standing.keep(folder)
    }

    /// Shares the sessions of another link, whose trust is another.
    #[must_use]
    pub fn beside(mut self, other: &Self) -> Self {
        self.standing = other.standing.clone();
        self
    }

    /// Opens a connection ahead, so that the next session's POST starts on a warm one. Best effort,
    /// 3 s at most; the token is not sent. The status that was answered, if any was: it may be any.
    pub async fn warm(&self, url: &Url) -> Option<u16> {
        self.http.warm(url).await
    }

    /// The STUN and TURN servers that an endpoint names when it is asked (`OPTIONS`) before there is a session.
    /// None when it is silent for 2 s, or does not know the question.
    pub async fn ice_servers(&self, endpoint: Url, token: Option<Secret>) -> Vec<IceServer> {
        match self.http.send(Request::options(endpoint, token)).await {
            Ok(reply) if (200..300).contains(&reply.status) => ice_servers(&reply.links),
            _ => Vec::new(),
        }
    }
}

/// News of a session. The last one is `Failed` or `Stopped`; then the channel closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhipEvent {
    /// STUN and TURN servers that the other end names; comes before `Answer`, if at all.
    IceServers(Vec<IceServer>),
    /// The other end's answer, checked.
    Answer(String),
    /// The session stands. Follows `Answer` at once.
    Established,
    /// There is no session.
    Failed {
        /// What, why, and what to do next; one line, safe to draw.
        sentence: String,
        /// Whether to try again.
        kind: Kind,
        /// Not before this has passed, asks the other end.
        retry_after: Option<Duration>,
    },
    /// The session was ended: DELETE was answered, or its deadline passed. One that was not confirmed is repeated,
    /// for half a minute at most; nobody waits for that.
    Stopped,
}

/// A session under way. Dropping it stops the session as [`Conversation::stop`] does, unseen.
#[derive(Debug)]
pub struct Conversation {
    /// For local candidates: the m-line's index and `candidate:…`; an empty text says there are no
    /// more. Bounded: `try_send` from a thread that must not wait.
    pub candidates: mpsc::Sender<(u32, String)>,
    /// The news.
    pub events: mpsc::Receiver<WhipEvent>,
    stop: watch::Sender<bool>,
}

impl Conversation {
    /// Ends the session: DELETE with 1 s to be answered. While the POST is still under way its answer
    /// is waited for, 1 s at most, so that there is something to DELETE. `Stopped` follows.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// Opens a session: POSTs the offer (polished first, see `whip::sdp`) and goes on from there in a task of
/// its own. Must be called within a tokio runtime.
pub fn open(
    link: &Link,
    endpoint: Url,
    token: Option<Secret>,
    offer: String,
    role: Role,
) -> Conversation {
    begin(link, Session::new(role, endpoint, token), offer)
}

/// The same, for a session with settings of its own. Must be called within a tokio runtime.
pub fn begin(link: &Link, session: Session, offer: String) -> Conversation {
    let (candidates, local) = mpsc::channel(CANDIDATES);
    let (news, events) = mpsc::channel(EVENTS);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(converse(link.clone(), session, offer, local, news, stopped));
    Conversation { candidates, events, stop }
}

type Flight = Pin<Box<dyn Future<Output = Input> + Send>>;

async fn converse(
    link: Link,
    mut session: Session,
    offer: String,
    mut local: mpsc::Receiver<(u32, String)>,
    news: mpsc::Sender<WhipEvent>,
    mut stopped: watch::Receiver<bool>,
) {
    let began = Instant::now();
    let now = || Moment::default() + began.elapsed();
    let mut news = Some(news);
    let endpoint = session.endpoint().clone();
    let token = session.token().cloned();
    let mut place = Place { standing: link.standing.clone(), at: None, left: None };
    let mut flight: Option<Flight> = None;
    let (mut stopping, mut gathering) = (false, true);
    session.handle(now(), Input::Start { offer });
    loop {
        while let Some(output) = session.poll() {
            match output {
                Output::Send(request) if request.method == Method::Delete => {
                    place.leave();
                    flight = Some(if link.standing.holds(&request.url) {
                        // A successor stands at this very address: there is nothing to end.
                        Box::pin(async move { superseded(request.id) })
                    } else {
                        let leaving = link.standing.leaving(&endpoint);
                        let asked = fly(link.http.clone(), request);
                        Box::pin(async move {
                            let answer = asked.await;
                            drop(leaving);
                            answer
                        })
                    });
                }
                Output::Send(request) if request.method == Method::Post => {
                    let (link, endpoint, token) = (link.clone(), endpoint.clone(), token.clone());
                    flight = Some(Box::pin(async move {
                        link.standing.clear_way(&link.http, &endpoint, token.as_ref()).await;
                        fly(link.http, request).await
                    }));
                }
                // What was under way is of no more use: its connection is given up with it.
                Output::Send(request) => flight = Some(fly(link.http.clone(), request)),
                output => {
                    if let Output::Established { session_url: Some(url) } = &output {
                        place.join(&endpoint, url.clone());
                    }
                    let last = matches!(output, Output::Failed(_) | Output::Stopped { .. });
                    if let (Some(news), Some(event)) = (&news, told(output)) {
                        // The channel holds all a session can say; only a reader that is gone loses it.
                        let _ = news.try_send(event);
                    }
                    if last {
                        news = None;
                    }
                }
            }
        }
        if session.is_over() {
            place.end();
            return;
        }
        let due = session.next_timeout().map(|at| began + Duration::from_nanos(at.0));
        let input = tokio::select! {
            biased;
            // An error means that the conversation was dropped.
            _ = stopped.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                Input::Stop
            }
            input = landed(&mut flight) => {
                flight = None;
                input
            }
            candidate = local.recv(), if gathering => match candidate {
                None => {
                    gathering = false;
                    continue;
                }
                Some((mline, candidate)) => Input::Candidate { mline, candidate },
            },
            () = tokio::time::sleep_until(due.unwrap_or(began)), if due.is_some() => Input::Timeout,
        };
        session.handle(now(), input);
    }
}

/// Where this session stands, as long as it does.
struct Place {
    standing: Standing,
    at: Option<Url>,
    /// Where it stood; its end is asked for.
    left: Option<Url>,
}

impl Place {
    fn join(&mut self, endpoint: &Url, url: Url) {
        self.leave();
        self.standing.join(endpoint, &url);
        self.at = Some(url);
    }

    fn leave(&mut self) {
        if let Some(url) = self.at.take() {
            self.standing.leave(&url);
            self.left = Some(url);
        }
    }

    /// The session has ended.
    fn end(&mut self) {
        self.leave();
        if let Some(url) = self.left.take() {
            self.standing.ended(&url);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // One that is dropped before its end was confirmed stays in the file: the next run asks again.
        self.leave();
    }
}

fn superseded(id: u32) -> Input {
    Input::Response { id, response: Response { status: 410, ..Response::default() } }
}

fn fly(http: Http, request: Request) -> Flight {
    let id = request.id;
    Box::pin(async move {
        let reply: Result<Response, Transport> = http.send(request).await;
        match reply {
            Ok(response) => Input::Response { id, response },
            Err(error) => Input::TransportError { id, error },
        }
    })
}

async fn landed(flight: &mut Option<Flight>) -> Input {
    match flight {
        Some(flight) => flight.await,
        None => std::future::pending().await,
    }
}

fn told(output: Output) -> Option<WhipEvent> {
    match output {
        Output::Send(_) => None,
        Output::IceServers(servers) => Some(WhipEvent::IceServers(servers)),
        Output::Answer(answer) => Some(WhipEvent::Answer(answer)),
        Output::Established { session_url } => {
            if session_url.is_none() {
                tracing::warn!(
                    "the ingest gave its session no address: it cannot be told of candidates or \
                     of the end, and may hold the stream's name for a while"
                );
            }
            Some(WhipEvent::Established)
        }
        Output::Failed(Failure { sentence, kind, retry_after }) => {
            Some(WhipEvent::Failed { sentence, kind, retry_after })
        }
        Output::Stopped { clean } => {
            if !clean {
                tracing::warn!("the ingest has not confirmed the end yet: hawker goes on asking");
            }
            Some(WhipEvent::Stopped)
        }
    }
}
