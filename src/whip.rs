//! Floor 2: a WHIP or WHEP session without I/O (RFC 9725): a state machine that is told what happened and says
//! what to send; and what the way to an ingest is worth. It opens no socket and reads no clock; `link` does
//! both for it.

mod ice;
mod kin;
pub mod probe;
pub mod sdp;
mod session;
pub mod stun;
mod wording;

use std::time::Duration;

pub use ice::{IceKind, IceServer, IceServerError, MAX_SERVERS, ice_servers};
pub use kin::{is_loopback, is_private, shown};
pub use session::{
    BodyEnd, CandidateLine, Input, Method, Output, Request, Response, Session, Transport,
};

/// Which way the media goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// We publish.
    Whip,
    /// We watch.
    Whep,
}

impl Role {
    /// What the other end is called in a sentence.
    const fn peer(self) -> &'static str {
        match self {
            Self::Whip => "the ingest",
            Self::Whep => "the server",
        }
    }

    /// What its endpoint is called.
    const fn endpoint(self) -> &'static str {
        match self {
            Self::Whip => "WHIP endpoint",
            Self::Whep => "WHEP endpoint",
        }
    }
}

/// How an endpoint differs from what the RFC lets a client expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// It takes candidates after the answer (PATCH).
    pub trickle: bool,
    /// It names its STUN and TURN servers when it is asked before the offer (OPTIONS).
    pub options_first: bool,
}

impl Default for Quirks {
    fn default() -> Self {
        Self { trickle: true, options_first: false }
    }
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It may work the next time.
    Passing,
    /// It will not work until somebody changes something.
    Lasting,
    /// Another stream is on under this name: it works once that has ended.
    Busy,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What, why, and what to do next; one line, safe to draw, without secrets.
    pub sentence: String,
    /// Whether to try again.
    pub kind: Kind,
    /// The other end asks to be left alone for at least this long (at most a day).
    pub retry_after: Option<Duration>,
}
