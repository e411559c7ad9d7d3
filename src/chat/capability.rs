//! What each kind of source can do: one table, from which the screen, the documentation and the recovery are fed.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// The kind of a source, as `kind` in the show file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Twitch.
    Twitch,
    /// YouTube Live.
    Youtube,
    /// Kick.
    Kick,
    /// Facebook Live.
    Facebook,
    /// Shopee Live.
    Shopee,
    /// An IRC network.
    Irc,
    /// A program of others that reads many sites.
    Bridge,
    /// hawker's own lines from standard input, a file or a WebSocket.
    Lines,
    /// hawker's own lines by HTTP.
    Webhook,
}

impl SourceKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Twitch,
        Self::Youtube,
        Self::Kick,
        Self::Facebook,
        Self::Shopee,
        Self::Irc,
        Self::Bridge,
        Self::Lines,
        Self::Webhook,
    ];

    /// Its name in the show file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Twitch => "twitch",
            Self::Youtube => "youtube",
            Self::Kick => "kick",
            Self::Facebook => "facebook",
            Self::Shopee => "shopee",
            Self::Irc => "irc",
            Self::Bridge => "bridge",
            Self::Lines => "lines",
            Self::Webhook => "webhook",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that is no kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no kind of chat source")]
pub struct NoSuchKind;

impl FromStr for SourceKind {
    type Err = NoSuchKind;

    fn from_str(word: &str) -> Result<Self, NoSuchKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == word).ok_or(NoSuchKind)
    }
}

/// How a source of a kind is reached; what it can do depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// Twitch's IRC without an account.
    TwitchAnonymous,
    /// Twitch's EventSub and Helix with a user's token.
    TwitchToken,
    /// YouTube with an API key.
    YoutubeKey,
    /// YouTube with an account.
    YoutubeAccount,
    /// Kick's webhook alone.
    KickWebhook,
    /// Kick's webhook and API.
    KickAccount,
    /// Facebook with a page's token.
    FacebookPage,
    /// Shopee with a shop's token.
    ShopeeShop,
    /// IRC.
    Irc,
    /// Social Stream Ninja.
    SocialStream,
    /// Streamer.bot.
    StreamerBot,
    /// Restream.
    Restream,
    /// Own lines.
    Lines,
    /// Own lines by HTTP.
    Webhook,
}

/// Whether something can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Can {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Where the other side offers it.
    IfOffered,
}

/// Whether messages written during an absence can still be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resume {
    /// All of them.
    Yes,
    /// Those of the last so long.
    Within(Duration),
    /// Where the other side offers it.
    IfOffered,
    /// None: an absence is a hole.
    No,
}

/// What shows that a connection lives although nobody writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keepalive {
    /// Something is heard at least this often, or the link is dead.
    Within(Duration),
    /// Nothing: silence may mean a quiet chat or a dead source.
    None,
}

/// What a source can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Messages can be read.
    pub read: Can,
    /// Messages can be written.
    pub write: Can,
    /// A message can be deleted.
    pub delete: Can,
    /// A user can be timed out.
    pub time_out: Can,
    /// A user can be banned.
    pub ban: Can,
    /// What others delete is told.
    pub deletions_told: Can,
    /// What was missed can be read afterwards.
    pub resumes: Resume,
    /// How silence is judged.
    pub keepalive: Keepalive,
}

/// The table. One row per route; the columns are those of [`Capabilities`].
#[rustfmt::skip]
const TABLE: [(Route, SourceKind, Capabilities); 14] = {
    use Can::{IfOffered, No, Yes};
    use Route as R;
    use SourceKind as K;
    const fn can(row: [Can; 6], resumes: Resume, alive_s: u64) -> Capabilities {
        let [read, write, delete, time_out, ban, deletions_told] = row;
        let keepalive =
            if alive_s == 0 { Keepalive::None } else { Keepalive::Within(Duration::from_secs(alive_s)) };
        Capabilities { read, write, delete, time_out, ban, deletions_told, resumes, keepalive }
    }
    const TEN: Resume = Resume::Within(Duration::from_secs(10));
    [
        //                                      read write del  t-out ban  told                  resumes            alive, s
        // Our PING after 60 s, and 15 s for its answer.
        (R::TwitchAnonymous, K::Twitch,   can([Yes, No,  No,  No,  No,  Yes],       Resume::No,        75)),
        // keepalive_timeout_seconds=10 and a margin of 3 s.
        (R::TwitchToken,     K::Twitch,   can([Yes, Yes, Yes, Yes, Yes, Yes],       Resume::No,        13)),
        // messageDeletedEvent is deprecated. A quiet stream is opened anew after 120 s.
        (R::YoutubeKey,      K::Youtube,  can([Yes, No,  No,  No,  No,  No],        Resume::Yes,       150)),
        (R::YoutubeAccount,  K::Youtube,  can([Yes, Yes, Yes, Yes, Yes, No],        Resume::Yes,       150)),
        // Bans are told, deletions are not.
        (R::KickWebhook,     K::Kick,     can([Yes, No,  No,  No,  No,  No],        Resume::No,        0)),
        (R::KickAccount,     K::Kick,     can([Yes, Yes, Yes, Yes, Yes, No],        Resume::No,        0)),
        // The GET every 10 s must answer.
        (R::FacebookPage,    K::Facebook, can([Yes, No,  Yes, No,  No,  No],        Resume::Yes,       30)),
        // A poll every 2.5 s must answer.
        (R::ShopeeShop,      K::Shopee,   can([Yes, Yes, No,  No,  Yes, No],        TEN,               10)),
        // Our PING after 60 s, and 20 s for its answer. History and REDACT where the network has them.
        (R::Irc,             K::Irc,      can([Yes, Yes, No,  No,  Yes, IfOffered], Resume::IfOffered, 80)),
        // Our ping after 20 s of silence, and 20 s for its answer.
        (R::SocialStream,    K::Bridge,   can([Yes, Yes, No,  No,  No,  IfOffered], Resume::No,        45)),
        (R::StreamerBot,     K::Bridge,   can([Yes, No,  No,  No,  No,  IfOffered], Resume::No,        45)),
        (R::Restream,        K::Bridge,   can([Yes, No,  No,  No,  No,  No],        Resume::No,        45)),
        (R::Lines,           K::Lines,    can([Yes, No,  No,  No,  No,  IfOffered], Resume::IfOffered, 0)),
        (R::Webhook,         K::Webhook,  can([Yes, No,  No,  No,  No,  IfOffered], Resume::No,        0)),
    ]
};

impl Route {
    /// All routes, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(route, _, _)| *route)
    }

    /// The kind it belongs to.
    pub fn kind(self) -> SourceKind {
        self.row().1
    }

    /// What it can do.
    pub fn capabilities(self) -> Capabilities {
        self.row().2
    }

    fn row(self) -> &'static (Self, SourceKind, Capabilities) {
        // The table has a row for each route, in their order (tested).
        TABLE.get(self as usize).unwrap_or(&TABLE[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_has_its_own_row_and_each_kind_a_route() {
        for (at, route) in Route::all().enumerate() {
            assert_eq!((route as usize, route.row().0), (at, route));
        }
        for kind in SourceKind::ALL {
            assert!(Route::all().any(|route| route.kind() == kind), "{kind}");
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        assert_eq!("tiktok".parse::<SourceKind>(), Err(NoSuchKind));
    }

    #[test]
    fn nobody_moderates_without_an_account() {
        for route in [
            Route::TwitchAnonymous,
            Route::YoutubeKey,
            Route::KickWebhook,
            Route::Restream,
            Route::Lines,
        ] {
            let can = route.capabilities();
            assert_eq!([can.write, can.delete, can.time_out, can.ban], [Can::No; 4], "{route:?}");
        }
        assert_eq!(Route::YoutubeAccount.capabilities().deletions_told, Can::No);
        assert_eq!(Route::TwitchToken.capabilities().resumes, Resume::No);
    }
}
