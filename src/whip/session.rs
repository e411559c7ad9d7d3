//! The session as a state machine: inputs and time go in by [`Session::handle`], requests and news come out
//! of [`Session::poll`]. It holds the token, and alone decides which request may carry it.

use std::{collections::VecDeque, fmt, time::Duration};

use url::Url;

use super::{Failure, Kind, Role, kin, sdp, wording};
use crate::base::{Moment, Secret};

/// For the POST with all its redirects, in milliseconds.
const POST_MS: u64 = 10_000;
/// For a trickle PATCH.
const PATCH_MS: u64 = 3_000;
/// For the DELETE, and for a POST under way when the session is stopped.
const DELETE_MS: u64 = 1_000;
/// The link keeps a request's time itself; the machine ends it this much later if the link does not.
const GRACE: Duration = Duration::from_millis(250);
const MAX_REDIRECTS: usize = 5;
/// More candidates than any machine has; the rest is dropped.
const MAX_CANDIDATES: usize = 64;

/// The line of a candidate: its index among the offer's m-lines, from 0.
pub type CandidateLine = u32;

/// How the request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
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
    /// Begin, with this offer. It is polished first (see [`sdp::polish_offer`]).
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
    /// The other end's answer, checked.
    Answer(String),
    /// The session stands. Follows `Answer`.
    Established {
        /// Its address; `None` when the other end gave none: no trickle and no DELETE then.
        session_url: Option<Url>,
    },
    /// There is no session. The last news; a DELETE may still follow.
    Failed(Failure),
    /// The session was ended. The last news.
    Stopped {
        /// Whether the other end is known to have let go.
        clean: bool,
    },
}

enum State {
    New,
    Posting {
        id: u32,
        url: Url,
        seen: Vec<Url>,
        deadline: Moment,
        stopping: bool,
    },
    Up {
        patch: Option<(u32, Moment)>,
    },
    /// `told`: the last news has been given.
    Deleting {
        id: u32,
        deadline: Moment,
        told: bool,
    },
    Over,
}

/// One session, from offer to end.
pub struct Session {
    role: Role,
    endpoint: Url,
    token: Option<Secret>,
    state: State,
    offer: String,
    /// The session's address.
    place: Option<Url>,
    etag: Option<String>,
    /// Known from the offer, held back, or sent: never sent again.
    known: Vec<String>,
    held: Vec<String>,
    gathered: bool,
    /// `false` once the other end does not want any more of it.
    trickling: bool,
    last_id: u32,
    outputs: VecDeque<Output>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .field("endpoint", &kin::shown(&self.endpoint))
            .field("token", &self.token)
            .field("over", &self.is_over())
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session that has not begun.
    pub fn new(role: Role, endpoint: Url, token: Option<Secret>) -> Self {
        Self {
            role,
            endpoint: kin::bare(endpoint),
            token,
            state: State::New,
            offer: String::new(),
            place: None,
            etag: None,
            known: Vec::new(),
            held: Vec::new(),
            gathered: false,
            trickling: true,
            last_id: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Takes an input. Drain [`Session::poll`] afterwards.
    pub fn handle(&mut self, now: Moment, input: Input) {
        match input {
            Input::Start { offer } => self.start(now, &offer),
            Input::Candidate { mline, candidate } => self.candidate(now, mline, &candidate),
            Input::GatheringDone => {
                self.gathered = true;
                self.trickle(now);
            }
            Input::Response { id, response } => self.response(now, id, response),
            Input::TransportError { id, error } => self.transport(now, id, &error),
            Input::Timeout => self.timeout(now),
            Input::Stop => self.stop(now),
        }
    }

    /// What comes out, oldest first.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn next_timeout(&self) -> Option<Moment> {
        match &self.state {
            State::Posting { deadline, .. } | State::Deleting { deadline, .. } => Some(*deadline),
            State::Up { patch } => patch.map(|(_, deadline)| deadline),
            State::New | State::Over => None,
        }
    }

    /// Whether it has ended: nothing will come out any more once `poll` is drained.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn start(&mut self, now: Moment, offer: &str) {
        if !matches!(self.state, State::New) {
            return;
        }
        if !matches!(self.endpoint.scheme(), "http" | "https") || !self.endpoint.has_host() {
            return self.fail(wording::failure(
                format!("'url' is no {} address: it begins with https://", self.role.endpoint()),
                Kind::Lasting,
            ));
        }
        if self.token.as_ref().is_some_and(|t| !sendable(t.expose())) {
            return self.fail(wording::failure(
                "the token cannot be sent: it is empty or holds a space, a line break or a \
                 character beyond ASCII; check the secret that 'token' names",
                Kind::Lasting,
            ));
        }
        match sdp::polish(offer, self.role) {
            Ok(offer) => self.offer = offer,
            Err(why) => {
                return self.fail(wording::failure(
                    format!("hawker's own offer {why}: please report this"),
                    Kind::Lasting,
                ));
            }
        }
        self.known = sdp::candidates(&self.offer).into_iter().map(str::to_owned).collect();
        // Those that came before the offer did.
        let known = &self.known;
        self.held.retain(|c| !known.contains(c));
        self.known.extend(self.held.iter().cloned());
        self.post(now, self.endpoint.clone(), vec![], now + Duration::from_millis(POST_MS));
    }

    fn post(&mut self, now: Moment, url: Url, mut seen: Vec<Url>, deadline: Moment) {
        let headers = vec![
            ("content-type", "application/sdp".to_owned()),
            ("accept", "application/sdp, application/problem+json, text/plain;q=0.5".to_owned()),
        ];
        let left = deadline.since(now).as_millis() as u64;
        let id = self.send(Method::Post, url.clone(), headers, self.offer.clone(), left.max(1));
        seen.push(url.clone());
        let deadline = deadline + if seen.len() == 1 { GRACE } else { Duration::ZERO };
        self.state = State::Posting { id, url, seen, deadline, stopping: false };
    }

    fn send(
        &mut self,
        method: Method,
        url: Url,
        headers: Vec<(&'static str, String)>,
        body: String,
        timeout_ms: u64,
    ) -> u32 {
        self.last_id += 1;
        let id = self.last_id;
        let bearer = self.token.clone().filter(|_| kin::may_see_token(&self.endpoint, &url));
        let request = Request { id, method, url, headers, bearer, body, timeout_ms };
        self.outputs.push_back(Output::Send(request));
        id
    }

    fn fail(&mut self, failure: Failure) {
        self.outputs.push_back(Output::Failed(failure));
        self.state = State::Over;
    }

    fn stopped(&mut self, clean: bool) {
        self.outputs.push_back(Output::Stopped { clean });
        self.state = State::Over;
    }

    fn candidate(&mut self, now: Moment, mline: CandidateLine, candidate: &str) {
        let candidate = candidate.trim();
        let candidate = candidate.strip_prefix("a=").unwrap_or(candidate);
        if candidate.is_empty() {
            self.gathered = true;
            return self.trickle(now);
        }
        // One transport carries all: the other lines' candidates are the same, or never used.
        if !self.offer.is_empty() && mline != sdp::bundle_line(&self.offer) {
            return;
        }
        let ours = candidate.starts_with("candidate:") && !candidate.contains(['\r', '\n']);
        if !ours || self.known.len() >= MAX_CANDIDATES || self.known.iter().any(|c| c == candidate)
        {
            return;
        }
        self.known.push(candidate.to_owned());
        self.held.push(candidate.to_owned());
        self.trickle(now);
    }

    /// Sends what is held, unless a PATCH is under way: what comes meanwhile goes in the next one.
    fn trickle(&mut self, now: Moment) {
        let State::Up { patch: None } = self.state else { return };
        let Some(url) = self.place.clone().filter(|_| self.trickling) else { return };
        if self.held.is_empty() && !self.gathered {
            return;
        }
        let held = std::mem::take(&mut self.held);
        let Some(body) = sdp::fragment(&self.offer, &held, self.gathered) else { return };
        // The end has been told: nothing more may follow it.
        self.trickling = !self.gathered;
        let mut headers = vec![("content-type", "application/trickle-ice-sdpfrag".to_owned())];
        if let Some(etag) = self.etag.clone() {
            headers.push(("if-match", etag));
        }
        let id = self.send(Method::Patch, url, headers, body, PATCH_MS);
        let deadline = now + Duration::from_millis(PATCH_MS) + GRACE;
        self.state = State::Up { patch: Some((id, deadline)) };
    }

    fn response(&mut self, now: Moment, id: u32, response: Response) {
        match &mut self.state {
            State::Posting { id: ours, url, seen, deadline, stopping } if *ours == id => {
                let (url, seen) = (url.clone(), std::mem::take(seen));
                let (deadline, stopping) = (*deadline, *stopping);
                match response.status {
                    200..=299 => self.posted(now, &url, &response, stopping),
                    _ if stopping => self.stopped(true),
                    307 | 308 => self.redirected(now, &url, &response, seen, deadline),
                    _ => {
                        let token = self.token.as_ref();
                        self.fail(wording::status(self.role, &url, &response, token));
                    }
                }
            }
            State::Up { patch } if patch.is_some_and(|(ours, _)| ours == id) => {
                *patch = None;
                if !(200..300).contains(&response.status) {
                    // It does not want it, or not so. The session goes on with what it has.
                    self.trickling = false;
                }
                self.trickle(now);
            }
            State::Deleting { id: ours, told, .. } if *ours == id => {
                let clean = matches!(response.status, 200..=299 | 404 | 405 | 410);
                if *told { self.state = State::Over } else { self.stopped(clean) }
            }
            _ => {}
        }
    }

    fn posted(&mut self, now: Moment, url: &Url, response: &Response, stopping: bool) {
        self.place =
            response.location.as_deref().and_then(|location| kin::session_url(url, location));
        self.etag = response
            .etag
            .clone()
            .filter(|etag| !etag.is_empty() && etag.bytes().all(|b| (0x20..0x7f).contains(&b)));
        if stopping {
            return self.delete(now, false);
        }
        let bad = match sdp::check_answer(&self.offer, &response.body) {
            Ok(()) if response.end == BodyEnd::Whole => None,
            Ok(()) => Some(String::new()),
            Err(why) => Some(why.0),
        };
        if let Some(why) = bad {
            let failure = wording::bad_answer(self.role, url, response, &why);
            if self.place.is_none() {
                return self.fail(failure);
            }
            // It thinks there is a session: let it go.
            self.outputs.push_back(Output::Failed(failure));
            return self.delete(now, true);
        }
        self.outputs.push_back(Output::Answer(response.body.clone()));
        self.outputs.push_back(Output::Established { session_url: self.place.clone() });
        self.state = State::Up { patch: None };
        self.trickle(now);
    }

    fn redirected(
        &mut self,
        now: Moment,
        from: &Url,
        response: &Response,
        seen: Vec<Url>,
        deadline: Moment,
    ) {
        let (peer, at) = (self.role.peer(), kin::shown(from));
        let target = response.location.as_deref().and_then(|to| kin::resolve(from, to));
        let refusal = match &target {
            None => format!(
                "{peer} at {at} redirects ({}) without saying where to: set 'url' to its final \
                 address",
                response.status
            ),
            Some(to) if kin::downgraded(from, to) => format!(
                "{at} redirects to {} without encryption, which is never followed: ask who runs it \
                 for an https address",
                kin::shown(to)
            ),
            Some(to) if seen.contains(to) => {
                format!("{peer} at {at} redirects in a circle: set 'url' to its final address")
            }
            Some(_) if seen.len() > MAX_REDIRECTS => format!(
                "{peer} redirects more than {MAX_REDIRECTS} times, last at {at}: set 'url' to its \
                 final address"
            ),
            Some(to) if self.token.is_some() && !kin::may_see_token(&self.endpoint, to) => {
                let to = kin::shown(to);
                format!(
                    "{} redirects to {to}, another party's host, and the token was not sent there: \
                     if {to} may have it, set this output's 'url' to its address there",
                    kin::shown(&self.endpoint)
                )
            }
            Some(to) => return self.post(now, to.clone(), seen, deadline),
        };
        self.fail(wording::failure(refusal, Kind::Lasting));
    }

    fn transport(&mut self, now: Moment, id: u32, error: &Transport) {
        match &mut self.state {
            State::Posting { id: ours, url, stopping, .. } if *ours == id => {
                if *stopping {
                    // Where nothing was reached there is nothing to let go.
                    let clean = !matches!(error, Transport::Timeout | Transport::Cut);
                    return self.stopped(clean);
                }
                let failure = wording::transport(self.role, url, error, POST_MS);
                self.fail(failure);
            }
            State::Up { patch } if patch.is_some_and(|(ours, _)| ours == id) => {
                *patch = None;
                self.trickling = false;
                self.trickle(now);
            }
            State::Deleting { id: ours, told, .. } if *ours == id => {
                if *told {
                    self.state = State::Over;
                } else {
                    self.stopped(false);
                }
            }
            _ => {}
        }
    }

    fn timeout(&mut self, now: Moment) {
        if self.next_timeout().is_none_or(|at| now < at) {
            return;
        }
        let id = match &self.state {
            State::Posting { id, .. }
            | State::Deleting { id, .. }
            | State::Up { patch: Some((id, _)) } => *id,
            _ => return,
        };
        self.transport(now, id, &Transport::Timeout);
    }

    fn stop(&mut self, now: Moment) {
        match &mut self.state {
            State::New => self.stopped(true),
            State::Posting { stopping, deadline, .. } => {
                // Its answer brings the address to DELETE: worth a short wait.
                if !*stopping {
                    *stopping = true;
                    *deadline = (*deadline).min(now + Duration::from_millis(DELETE_MS));
                }
            }
            State::Up { .. } => self.delete(now, false),
            State::Deleting { .. } | State::Over => {}
        }
    }

    fn delete(&mut self, now: Moment, told: bool) {
        let Some(url) = self.place.clone() else { return self.stopped(false) };
        // No If-Match here: the end holds whatever the ICE session has become.
        let id = self.send(Method::Delete, url, vec![], String::new(), DELETE_MS);
        let deadline = now + Duration::from_millis(DELETE_MS) + GRACE;
        self.state = State::Deleting { id, deadline, told };
    }
}

fn sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
