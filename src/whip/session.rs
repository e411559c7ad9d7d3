//! The session as a state machine: inputs and time go in by [`Session::handle`], requests and news come out
//! of [`Session::poll`]. It holds the token, and alone decides which request may carry it.

mod message;

use std::{collections::VecDeque, fmt, time::Duration};

use url::Url;

pub use message::{BodyEnd, CandidateLine, Input, Method, Output, Request, Response, Transport};

use super::{Failure, Kind, Role, ice, kin, sdp, wording};
use crate::base::{Moment, Secret};

/// For the POST with all its redirects, in milliseconds.
const POST_MS: u64 = 10_000;
/// For a trickle PATCH.
const PATCH_MS: u64 = 3_000;
/// For the DELETE, and for a POST under way when the session is stopped.
const DELETE_MS: u64 = 1_000;
/// Between a DELETE that was not confirmed and the next one, in milliseconds; the last holds for all that follow.
const AGAIN_MS: [u64; 4] = [1_000, 2_000, 4_000, 8_000];
/// So long is an end repeated that is not confirmed, in milliseconds.
const LEAVING_MS: u64 = 30_000;
/// So long an offer waits for its candidates where they cannot follow it, in milliseconds.
const GATHER_MS: u64 = 1_000;
/// The link keeps a request's time itself; the machine ends it this much later if the link does not.
const GRACE: Duration = Duration::from_millis(250);
const MAX_REDIRECTS: usize = 5;
/// More candidates than any machine has; the rest is dropped.
const MAX_CANDIDATES: usize = 64;

enum State {
    New,
    /// The offer waits for its candidates.
    Gathering {
        deadline: Moment,
    },
    Posting {
        id: u32,
        url: Url,
        seen: Vec<Url>,
        deadline: Moment,
        stopping: Option<Stopping>,
    },
    Up {
        patch: Option<(u32, Moment)>,
    },
    Deleting(Leaving),
    Over,
}

/// A session that is to end before its offer was answered: the answer brings the address to DELETE.
#[derive(Clone, Copy)]
struct Stopping {
    /// Until when the last news waits for it.
    news_by: Moment,
    /// The last news has been given.
    told: bool,
}

/// A session that is being let go.
struct Leaving {
    /// The DELETE under way; `None` between two.
    id: Option<u32>,
    /// When it is overdue, or the next one due.
    deadline: Moment,
    /// The last news has been given.
    told: bool,
    /// How many were not confirmed.
    tries: usize,
    /// After this it is left to the other end.
    until: Moment,
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
    /// Hosts beyond the endpoint's own family that may see the token.
    trusted: Vec<String>,
    /// Known from the offer, held back, or sent: never sent again.
    known: Vec<String>,
    held: Vec<String>,
    /// In the PATCH under way.
    sent: Vec<String>,
    /// A PATCH was refused for its ETag, and sent again with the new one.
    resent: bool,
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
            trusted: Vec::new(),
            known: Vec::new(),
            held: Vec::new(),
            sent: Vec::new(),
            resent: false,
            gathered: false,
            trickling: true,
            last_id: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The same, but a redirect may carry the token to these hosts too.
    #[must_use]
    pub fn trusting(mut self, hosts: Vec<String>) -> Self {
        self.trusted = hosts;
        self
    }

    /// The same, but for an endpoint that takes no PATCH: candidates go into the offer, which waits for them, 1 s at
    /// most.
    #[must_use]
    pub fn without_trickle(mut self) -> Self {
        self.trickling = false;
        self
    }

    /// Where it begins.
    pub const fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// What it shows there.
    pub const fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// Takes an input. Drain [`Session::poll`] afterwards.
    pub fn handle(&mut self, now: Moment, input: Input) {
        match input {
            Input::Start { offer } => self.start(now, &offer),
            Input::Candidate { mline, candidate } => self.candidate(now, mline, &candidate),
            Input::GatheringDone => self.gathering_done(now),
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
            State::Posting { stopping: Some(Stopping { news_by, told: false }), .. } => {
                Some(*news_by)
            }
            State::Gathering { deadline }
            | State::Posting { deadline, .. }
            | State::Deleting(Leaving { deadline, .. }) => Some(*deadline),
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
                format!("'to' is no {} address: it begins with https://", self.role.endpoint()),
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
        if self.trickling || self.gathered {
            return self.first_post(now);
        }
        self.state = State::Gathering { deadline: now + Duration::from_millis(GATHER_MS) };
    }

    fn first_post(&mut self, now: Moment) {
        if !self.trickling {
            let held = std::mem::take(&mut self.held);
            self.offer = sdp::with_candidates(&self.offer, &held, self.gathered);
        }
        self.post(now, self.endpoint.clone(), vec![], now + Duration::from_millis(POST_MS));
    }

    fn gathering_done(&mut self, now: Moment) {
        self.gathered = true;
        if matches!(self.state, State::Gathering { .. }) {
            return self.first_post(now);
        }
        self.trickle(now);
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
        self.state = State::Posting { id, url, seen, deadline, stopping: None };
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
        let bearer = self.token.clone().filter(|_| self.may_see_token(&url));
        let request = Request { id, method, url, headers, bearer, body, timeout_ms };
        self.outputs.push_back(Output::Send(request));
        id
    }

    fn may_see_token(&self, url: &Url) -> bool {
        let named = || {
            let host = url.host_str().unwrap_or_default();
            self.trusted.iter().any(|trusted| trusted.eq_ignore_ascii_case(host))
        };
        kin::may_see_token(&self.endpoint, url)
            || (!kin::downgraded(&self.endpoint, url) && named())
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
            return self.gathering_done(now);
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
        self.sent = held;
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
                match (response.status, stopping) {
                    (200..=299, _) => self.posted(now, &url, &response, stopping),
                    (_, Some(Stopping { told: true, .. })) => self.state = State::Over,
                    (_, Some(_)) => self.stopped(true),
                    (307 | 308, None) => self.redirected(now, &url, &response, seen, deadline),
                    (_, None) => {
                        let token = self.token.as_ref();
                        self.fail(wording::status(self.role, &url, &response, token));
                    }
                }
            }
            State::Up { patch } if patch.is_some_and(|(ours, _)| ours == id) => {
                *patch = None;
                self.patched(now, &response);
            }
            State::Deleting(leaving) if leaving.id == Some(id) => match response.status {
                200..=299 | 404 | 405 | 410 => self.left(true),
                408 | 425 | 429 | 500..=599 => self.unconfirmed(now),
                // It understood, and does not want to: asking again is no use.
                _ => self.left(false),
            },
            _ => {}
        }
    }

    fn patched(&mut self, now: Moment, response: &Response) {
        let sent = std::mem::take(&mut self.sent);
        let etag = sendable_etag(response.etag.as_ref());
        match response.status {
            200..=299 => self.etag = etag.or_else(|| self.etag.take()),
            // The session has become another meanwhile; under its new name it may take them, once.
            412 if !self.resent && etag.is_some() && etag != self.etag => {
                self.etag = etag;
                self.resent = true;
                self.trickling = true;
                self.held.splice(0..0, sent);
            }
            // It does not want it, or not so. The session goes on with what it has.
            _ => self.trickling = false,
        }
        self.trickle(now);
    }

    fn posted(&mut self, now: Moment, url: &Url, response: &Response, stopping: Option<Stopping>) {
        self.place =
            response.location.as_deref().and_then(|location| kin::session_url(url, location));
        self.etag = sendable_etag(response.etag.as_ref());
        if let Some(Stopping { told, .. }) = stopping {
            return self.delete(now, told);
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
        let servers = ice::ice_servers(&response.links);
        if !servers.is_empty() {
            self.outputs.push_back(Output::IceServers(servers));
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
                "{peer} at {at} redirects ({}) without saying where to: set 'to' to its final \
                 address",
                response.status
            ),
            Some(to) if kin::downgraded(from, to) => format!(
                "{at} redirects to {} without encryption, which is never followed: ask who runs it \
                 for an https address",
                kin::shown(to)
            ),
            Some(to) if seen.contains(to) => {
                format!("{peer} at {at} redirects in a circle: set 'to' to its final address")
            }
            Some(_) if seen.len() > MAX_REDIRECTS => format!(
                "{peer} redirects more than {MAX_REDIRECTS} times, last at {at}: set 'to' to its \
                 final address"
            ),
            Some(to) if self.token.is_some() && !self.may_see_token(to) => {
                let (place, host) = (kin::shown(to), to.host_str().unwrap_or_default());
                format!(
                    "{} redirects to {place}, another party's host, and the token was not sent there: \
                     if it may have it, write token-may-go-to = [\"{host}\"] at this output",
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
                if let Some(Stopping { told, .. }) = *stopping {
                    // Where nothing was reached there is nothing to let go.
                    let clean = !matches!(error, Transport::Timeout | Transport::Cut);
                    return if told { self.state = State::Over } else { self.stopped(clean) };
                }
                let failure = wording::transport(self.role, url, error, POST_MS);
                self.fail(failure);
            }
            State::Up { patch } if patch.is_some_and(|(ours, _)| ours == id) => {
                *patch = None;
                self.trickling = false;
                self.sent.clear();
            }
            State::Deleting(leaving) if leaving.id == Some(id) => self.unconfirmed(now),
            _ => {}
        }
    }

    fn timeout(&mut self, now: Moment) {
        if self.next_timeout().is_none_or(|at| now < at) {
            return;
        }
        let id = match &mut self.state {
            State::Gathering { .. } => return self.first_post(now),
            State::Posting { stopping: Some(stopping @ Stopping { told: false, .. }), .. } => {
                // Nobody waits for the answer any more; when it comes, its session is let go.
                stopping.told = true;
                return self.outputs.push_back(Output::Stopped { clean: false });
            }
            State::Deleting(Leaving { id: None, .. }) => return self.send_delete(now),
            State::Deleting(Leaving { id: Some(id), .. })
            | State::Posting { id, .. }
            | State::Up { patch: Some((id, _)) } => *id,
            _ => return,
        };
        self.transport(now, id, &Transport::Timeout);
    }

    fn stop(&mut self, now: Moment) {
        match &mut self.state {
            State::New | State::Gathering { .. } => self.stopped(true),
            State::Posting { stopping, deadline, .. } => {
                // Its answer brings the address to DELETE: worth a short wait.
                let news_by = (*deadline).min(now + Duration::from_millis(DELETE_MS));
                stopping.get_or_insert(Stopping { news_by, told: false });
            }
            State::Up { .. } => self.delete(now, false),
            State::Deleting(_) | State::Over => {}
        }
    }

    fn delete(&mut self, now: Moment, told: bool) {
        let until = now + Duration::from_millis(LEAVING_MS);
        self.state = State::Deleting(Leaving { id: None, deadline: now, told, tries: 0, until });
        self.send_delete(now);
    }

    fn send_delete(&mut self, now: Moment) {
        let Some(url) = self.place.clone() else { return self.left(false) };
        // No If-Match here: the end holds whatever the ICE session has become.
        let sent = self.send(Method::Delete, url, vec![], String::new(), DELETE_MS);
        if let State::Deleting(Leaving { id, deadline, .. }) = &mut self.state {
            *id = Some(sent);
            *deadline = now + Duration::from_millis(DELETE_MS) + GRACE;
        }
    }

    /// A DELETE went unheard: nobody is kept waiting, but as long as it may hold the stream's name the other end is
    /// asked again.
    fn unconfirmed(&mut self, now: Moment) {
        let State::Deleting(leaving) = &mut self.state else { return };
        if !std::mem::replace(&mut leaving.told, true) {
            self.outputs.push_back(Output::Stopped { clean: false });
        }
        let wait = AGAIN_MS[leaving.tries.min(AGAIN_MS.len() - 1)];
        leaving.tries += 1;
        leaving.id = None;
        leaving.deadline = now + Duration::from_millis(wait);
        if leaving.deadline > leaving.until {
            self.state = State::Over;
        }
    }

    fn left(&mut self, clean: bool) {
        let told = matches!(self.state, State::Deleting(Leaving { told: true, .. }));
        if told { self.state = State::Over } else { self.stopped(clean) }
    }
}

fn sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic())
}

fn sendable_etag(etag: Option<&String>) -> Option<String> {
    etag.filter(|e| !e.is_empty() && e.bytes().all(|b| (0x20..0x7f).contains(&b))).cloned()
}

#[cfg(test)]
mod tests;
