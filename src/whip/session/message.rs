//! What goes into the machine of a session and what comes out of it. Plain values; it decides nothing.

use std::fmt;

use url::Url;

use crate::{
    base::Secret,
    whip::{Failure, IceServer, kin},
};

/// The line of a candidate: its index among the offer's m-lines, from 0.
pub type CandidateLine = u32;

/// How the request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// What the endpoint can do, before there is a session.
    Options,
    /// The offer.
    Post,
    /// Candidates.
    Patch,
    /// The end.
    Delete,
}

/// A request to be sent. Its `Debug` shows neither token nor path.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// To be given back with the reply. A new request takes the place of one still under way.
    pub id: u32,
    /// How.
    pub method: Method,
    /// Where to. Not followed further by the sender: redirects are the machine's.
    pub url: Url,
    /// Name and value, without `Authorization`.
    pub headers: Vec<(&'static str, String)>,
    /// For `Authorization: Bearer`. Without it no such header is sent.
    pub bearer: Option<Secret>,
    /// The body; empty for none.
    pub body: String,
    /// From now to the end of the reply's body, in milliseconds.
    pub timeout_ms: u64,
}

impl Request {
    /// The question that some servers answer with their STUN and TURN servers before there is a session
    /// (`Link` headers), to be sent 2 s at most before the offer is made.
    pub fn options(endpoint: Url, bearer: Option<Secret>) -> Self {
        let url = kin::bare(endpoint);
        let method = Method::Options;
        Self { id: 0, method, url, headers: vec![], bearer, body: String::new(), timeout_ms: 2000 }
    }

    /// The end of a session of that endpoint, in 1 s at most. The token goes along where it may.
    pub fn delete(endpoint: &Url, session: Url, token: Option<&Secret>) -> Self {
        let bearer = token.filter(|_| kin::may_see_token(endpoint, &session)).cloned();
        let (method, url) = (Method::Delete, session);
        Self { id: 0, method, url, headers: vec![], bearer, body: String::new(), timeout_ms: 1000 }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("method", &self.method)
            .field("to", &kin::shown(&self.url))
            .field("bearer", &self.bearer)
            .field("timeout_ms", &self.timeout_ms)
            .finish_non_exhaustive()
    }
}

/// How a reply's body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyEnd {
    /// It is all there.
    #[default]
    Whole,
    /// It was longer than the sender takes (64 KiB); the beginning is there.
    TooLong,
    /// Its time ran out; what came is there.
    Late,
    /// The connection ended before it did.
    Cut,
}

/// A reply, with the headers that matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// `Location`.
    pub location: Option<String>,
    /// `ETag`, as it came.
    pub etag: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// `Date`.
    pub date: Option<String>,
    /// Every `Link`, as it came.
    pub links: Vec<String>,
    /// The body, as text.
    pub body: String,
    /// How it ended.
    pub end: BodyEnd,
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// The name has no address.
    Dns,
    /// Nothing listens.
    Refused,
    /// No way there.
    Unreachable,
    /// The certificate is not trusted, and why.
    Untrusted(String),
    /// The other end does not speak TLS.
    NotTls,
    /// No connection came about in its time.
    NoConnection,
    /// The request's time ran out.
    Timeout,
    /// The connection ended before the reply was there.
    Cut,
    /// Something else, in the words of whoever failed.
    Other(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Begin, with this offer. It is polished first (see [`crate::whip::sdp::polish_offer`]).
    Start {
        /// The offer.
        offer: String,
    },
    /// A local candidate.
    Candidate {
        /// Its m-line.
        mline: CandidateLine,
        /// `candidate:…`, with or without `a=`. Empty: there are no more.
        candidate: String,
    },
    /// There are no more local candidates.
    GatheringDone,
    /// A request was answered.
    Response {
        /// Which.
        id: u32,
        /// With what.
        response: Response,
    },
    /// A request was not answered.
    TransportError {
        /// Which.
        id: u32,
        /// Why.
        error: Transport,
    },
    /// Time has passed.
    Timeout,
    /// End the session.
    Stop,
}

/// What to do, or what to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Send(Request),
    /// STUN and TURN servers that the other end names; comes before `Answer`, if at all.
    IceServers(Vec<IceServer>),
    /// The other end's answer, checked.
    Answer(String),
    /// The session stands. Follows `Answer`.
    Established {
        /// Its address; `None` when the other end gave none: no trickle and no DELETE then.
        session_url: Option<Url>,
    },
    /// There is no session. The last news; a DELETE may still follow.
    Failed(Failure),
    /// The session was ended. The last news; a DELETE that was not confirmed may still be repeated.
    Stopped {
        /// Whether the other end is known to have let go.
        clean: bool,
    },
}
