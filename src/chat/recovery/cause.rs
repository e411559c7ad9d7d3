//! Why a connection was lost, in one set of words for all platforms.

use jiff::Timestamp;

use crate::chat::{facebook, irc, shopee, twitch, youtube::item};

/// A reason that another try cannot change; the operator must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// The token, the password or the account is refused, or lacks a permission.
    Unauthorized,
    /// There is no such channel, video or session, or it cannot be entered.
    NoChannel,
    /// The chat has ended or is switched off.
    Ended,
    /// Banned or removed by its operators.
    Banned,
    /// A setting is wrong: no free nickname, a login without TLS or without SASL.
    Misconfigured,
}

/// Why a connection was lost or not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was closed by the other side, or broke.
    Closed,
    /// It could not be made: name, route, TLS.
    Unreachable,
    /// Nothing came for too long.
    Silent,
    /// It stood, but the other side did not let us in, in time.
    NotWelcomed,
    /// Asked too often.
    RateLimited,
    /// A status of HTTP.
    Status(u16),
    /// What came cannot be read.
    Unreadable,
    /// Not before this time (a quota).
    NotBefore(Timestamp),
    /// Another try would end in the same way.
    Lasting(Lasting),
}

impl From<&irc::Ended> for Cause {
    fn from(ended: &irc::Ended) -> Self {
        use irc::{Ended, Rejection};
        match ended {
            Ended::Rejected(Rejection::LoginRefused | Rejection::PasswordRefused) => {
                Self::Lasting(Lasting::Unauthorized)
            }
            Ended::Rejected(Rejection::Banned) | Ended::Kicked(_) | Ended::NoChannel(474) => {
                Self::Lasting(Lasting::Banned)
            }
            Ended::Rejected(_) => Self::Lasting(Lasting::Misconfigured),
            Ended::NoChannel(_) => Self::Lasting(Lasting::NoChannel),
            Ended::NotWelcomed | Ended::NotJoined => Self::NotWelcomed,
            Ended::Server(_) => Self::Closed,
            Ended::Silent => Self::Silent,
        }
    }
}

impl From<twitch::irc::Lost> for Cause {
    fn from(lost: twitch::irc::Lost) -> Self {
        use twitch::irc::Lost;
        match lost {
            Lost::Closed => Self::Closed,
            Lost::Silent => Self::Silent,
            Lost::NotJoined => Self::NotWelcomed,
            Lost::NoChannel => Self::Lasting(Lasting::NoChannel),
        }
    }
}

impl From<&twitch::eventsub::Lost> for Cause {
    fn from(lost: &twitch::eventsub::Lost) -> Self {
        use twitch::eventsub::Lost;
        match lost {
            Lost::Closed(_) => Self::Closed,
            Lost::NotWelcomed => Self::NotWelcomed,
            Lost::Silent => Self::Silent,
            Lost::Unauthorized(_) => Self::Lasting(Lasting::Unauthorized),
            lost @ Lost::NotSubscribed(_) if lost.is_lasting() => Self::Lasting(Lasting::NoChannel),
            Lost::NotSubscribed(status) => Self::Status(*status),
        }
    }
}

impl From<item::Fault> for Cause {
    fn from(fault: item::Fault) -> Self {
        use item::Fault;
        match fault {
            // The session waits for the reset itself: `Due::NoQuota` has its time.
            Fault::QuotaExceeded | Fault::RateLimited => Self::RateLimited,
            Fault::ChatEnded | Fault::ChatDisabled => Self::Lasting(Lasting::Ended),
            Fault::Forbidden => Self::Lasting(Lasting::Unauthorized),
            Fault::NotFound => Self::Lasting(Lasting::NoChannel),
            Fault::BadToken => Self::Closed,
            Fault::Status(0) => Self::Unreachable,
            Fault::Status(status) => Self::Status(status),
            Fault::Unreadable => Self::Unreadable,
        }
    }
}

impl From<facebook::Fault> for Cause {
    fn from(fault: facebook::Fault) -> Self {
        use facebook::Fault;
        match fault {
            Fault::Token | Fault::Permission => Self::Lasting(Lasting::Unauthorized),
            Fault::NotFound => Self::Lasting(Lasting::NoChannel),
            Fault::RateLimited => Self::RateLimited,
            Fault::Status(0) => Self::Unreachable,
            Fault::Status(status) => Self::Status(status),
            Fault::Unreadable => Self::Unreadable,
        }
    }
}

impl From<shopee::Fault> for Cause {
    fn from(fault: shopee::Fault) -> Self {
        use shopee::Fault;
        match fault {
            Fault::Refused => Self::Lasting(Lasting::Unauthorized),
            Fault::NoSession => Self::Lasting(Lasting::NoChannel),
            Fault::RateLimited => Self::RateLimited,
            Fault::Status(0) => Self::Unreachable,
            Fault::Status(status) => Self::Status(status),
            Fault::Unreadable => Self::Unreadable,
        }
    }
}
