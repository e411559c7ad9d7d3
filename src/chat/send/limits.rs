//! What each platform allows.

use std::time::Duration;

use crate::chat::capability::Route;

/// How a length is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// In characters (code points).
    Characters(usize),
    /// In bytes of UTF-8.
    Bytes(usize),
}

impl Length {
    /// The length of a text.
    pub fn of(self, text: &str) -> usize {
        match self {
            Self::Characters(_) => text.chars().count(),
            Self::Bytes(_) => text.len(),
        }
    }

    /// The most allowed.
    pub fn most(self) -> usize {
        match self {
            Self::Characters(most) | Self::Bytes(most) => most,
        }
    }
}

/// So many lines in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Lines
    pub lines: u32,
    /// within this time.
    pub within: Duration,
}

/// What is done with a line that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Long {
    /// Refused.
    Refuse,
    /// Sent in at most so many parts.
    Split(usize),
}

/// A platform's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest line.
    pub length: Length,
    /// Paces; all are kept.
    pub paces: &'static [Pace],
    /// The same text within this time is dropped by the platform, so it waits here.
    pub same_within: Option<Duration>,
    /// What is done with a line that is too long.
    pub long: Long,
    /// A line that starts with one of these is a command.
    pub commands: &'static str,
}

const fn pace(lines: u32, seconds: u64) -> Pace {
    Pace { lines, within: Duration::from_secs(seconds) }
}

impl Limits {
    /// Twitch, without rights: 500 characters, 20 lines in 30 s (over it: muted for 30 min), the same text within 30 s is
    /// dropped. "Chat rate limits" in the developer documentation. One less in a second more, because the
    /// network bunches lines.
    pub const TWITCH: Self = Self {
        length: Length::Characters(500),
        paces: &[pace(19, 31)],
        same_within: Some(Duration::from_secs(31)),
        long: Long::Split(3),
        commands: "/.",
    };
    /// Twitch, as moderator or owner of the channel: 100 lines in 30 s.
    pub const TWITCH_MODERATOR: Self = Self { paces: &[pace(99, 31)], ..Self::TWITCH };
    /// YouTube: 200 characters. No pace is documented; each line costs 20 units of the day's 10,000, so a slow pace saves
    /// what reading needs.
    pub const YOUTUBE: Self = Self {
        length: Length::Characters(200),
        paces: &[pace(3, 10), pace(10, 120)],
        same_within: None,
        long: Long::Split(3),
        commands: "",
    };
    /// Kick: 500 characters. No pace is documented; this is Twitch's.
    pub const KICK: Self = Self {
        length: Length::Characters(500),
        paces: &[pace(19, 31)],
        same_within: None,
        long: Long::Split(3),
        commands: "/",
    };
    /// Any other platform: careful.
    pub const OTHER: Self = Self {
        length: Length::Characters(200),
        paces: &[pace(5, 10)],
        same_within: None,
        long: Long::Refuse,
        commands: "",
    };

    /// Those of a route. On IRC a line shares its length with the name of the channel.
    pub fn of(route: Route, channel: Option<&str>) -> Self {
        match route {
            Route::TwitchAnonymous | Route::TwitchToken => Self::TWITCH,
            Route::YoutubeKey | Route::YoutubeAccount => Self::YOUTUBE,
            Route::KickWebhook | Route::KickAccount => Self::KICK,
            Route::Irc => Self::irc(channel.unwrap_or_default()),
            _ => Self::OTHER,
        }
    }

    /// IRC: a line has 512 bytes with CR LF (RFC 1459, 2.3), and the server puts our full name before it: at most 31 for
    /// the nick, 11 for the user, 64 for the host and their marks. One line in 2 s after a burst of five is what
    /// servers allow (RFC 1459, 8.10).
    pub fn irc(channel: &str) -> Self {
        const LINE: usize = 512 - 2;
        const PREFIX: usize = 31 + 11 + 64 + 3;
        const IRC: &[Pace] = &[pace(5, 10)];
        let command = "PRIVMSG  :".len() + channel.len();
        Self {
            length: Length::Bytes(LINE.saturating_sub(PREFIX + command)),
            paces: IRC,
            same_within: None,
            long: Long::Split(5),
            commands: "",
        }
    }
}
