//! Twitch: the anonymous IRC connection, EventSub over WebSocket, and requests to Helix; all without I/O.

pub mod event;
pub mod eventsub;
pub mod helix;
pub mod irc;
pub mod line;

use super::Badge;

/// One of a source's connections. While a server asks for a reconnect there are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What a badge of Twitch says of its bearer; `None` for decorations.
fn badge(set: &str) -> Option<Badge> {
    match set {
        "broadcaster" => Some(Badge::Owner),
        "moderator" | "lead_moderator" => Some(Badge::Moderator),
        "subscriber" | "founder" => Some(Badge::Member),
        "vip" => Some(Badge::Vip),
        "partner" | "ambassador" | "staff" | "admin" | "global_mod" => Some(Badge::Verified),
        "bot-badge" => Some(Badge::Bot),
        _ => None,
    }
}

/// The text of an action (`/me`), or `None` for an ordinary line.
fn action(raw: &str) -> Option<&str> {
    let inner = raw.strip_prefix("\u{1}ACTION ")?;
    Some(inner.strip_suffix('\u{1}').unwrap_or(inner))
}
