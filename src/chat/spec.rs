//! What a show says of its chat sources (`[[chat]]`), checked: a [`ChatSpec`] in hand is a source that can be opened.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Platform, bridge, capability::Route};
use crate::{
    base::{Secret, SecretRef, SourceId},
    market::MarketId,
};

/// One source of chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatSpec {
    /// Its name.
    pub id: SourceId,
    /// What is read, and how.
    #[serde(flatten)]
    pub service: Service,
    /// The market whose people write there, for the language of a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<MarketId>,
    /// The languages of that market (BCP 47), the most common first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// Names of programs that write there: shown, but never taken for a customer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bots: Vec<String>,
    /// How long a line is held before it is shown to viewers.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub hold: Duration,
    /// How many days after the show began its lines stay in the store; 0: they are not stored.
    #[serde(default = "keep_days")]
    pub keep_days: u32,
}

/// [`ChatSpec::keep_days`] where a show does not say it.
pub const KEEP_DAYS: u32 = 30;

const fn keep_days() -> u32 {
    KEEP_DAYS
}

impl ChatSpec {
    /// A source of no market, whose lines are shown at once and not stored.
    pub fn new(id: SourceId, service: Service) -> Self {
        Self {
            id,
            service,
            market: None,
            languages: Vec::new(),
            bots: Vec::new(),
            hold: Duration::ZERO,
            keep_days: 0,
        }
    }
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Service {
    /// Twitch: by anonymous IRC, or with an account by EventSub and Helix.
    Twitch {
        /// Channels, without `#`.
        channels: Vec<String>,
        /// Where IRC is; Twitch itself by default.
        server: Server,
        /// In clear only towards a stand-in.
        transport: Transport,
        /// The account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<TwitchAccount>,
    },
    /// YouTube Live by its API.
    Youtube {
        /// The video whose chat is read.
        video: String,
        /// The API key.
        key: SecretRef,
        /// The token of the account that writes and moderates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<SecretRef>,
        /// Where; YouTube itself by default.
        api: Url,
        /// Units of quota a day.
        quota: u64,
    },
    /// A network of IRC.
    Irc {
        /// Where.
        server: Server,
        /// In clear or encrypted.
        transport: Transport,
        /// The name to go by.
        nick: String,
        /// The account of SASL.
        account: Option<String>,
        /// Its password.
        password: Option<SecretRef>,
        /// Channels.
        channels: Vec<String>,
        /// Authorities to trust besides the machine's own.
        ca: Option<PathBuf>,
    },
    /// A program of others that reads many sites, by WebSocket.
    Bridge {
        /// Which.
        bridge: Bridge,
        /// Where.
        server: Server,
        /// In clear only on this machine.
        transport: Transport,
        /// The path of its address; it holds no secret.
        path: String,
        /// The session of Social Stream Ninja, or the token of Restream.
        secret: Option<SecretRef>,
    },
    /// hawker's own JSON lines by HTTP POST.
    Webhook {
        /// Where it is listened.
        listen: SocketAddr,
        /// The path of its address.
        path: String,
        /// What a sender shows; beyond this machine there is one.
        token: Option<SecretRef>,
        /// The platform of lines that name none.
        platform: Platform,
    },
    /// Kick's webhook.
    Kick {
        /// Where it is listened.
        listen: SocketAddr,
        /// The path of its address.
        path: String,
        /// The file of the key with which Kick signs, PEM.
        public_key: PathBuf,
        /// The account that writes and moderates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<KickAccount>,
    },
    /// Facebook Live.
    Facebook {
        /// The live video.
        video: String,
        /// The page's token.
        token: SecretRef,
        /// A stand-in of Facebook.
        api: Option<Url>,
    },
    /// Shopee Live.
    Shopee {
        /// The live session.
        live: u64,
        /// The partner.
        partner: u64,
        /// The shop.
        shop: u64,
        /// The partner's key.
        key: SecretRef,
        /// The shop's token.
        token: SecretRef,
        /// Where; Shopee itself by default.
        api: Url,
    },
    /// hawker's own JSON lines.
    Lines {
        /// The file; `-` is standard input.
        path: PathBuf,
        /// The platform of lines that name none.
        platform: Platform,
    },
}

/// Who writes to a chat of Kick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KickAccount {
    /// The token.
    pub token: SecretRef,
    /// The channel: its broadcaster's user id.
    pub channel: u64,
    /// Where; Kick itself by default.
    pub api: Url,
}

impl Service {
    /// Whether it is standard input, which is read once and to its end.
    pub fn is_standard_input(&self) -> bool {
        matches!(self, Self::Lines { path, .. } if path.as_os_str() == "-")
    }

    /// The longest name of the channels that are written to; a line has room beside it.
    pub fn longest_channel(&self) -> Option<&str> {
        match self {
            Self::Irc { channels, .. } | Self::Twitch { channels, .. } => {
                channels.iter().max_by_key(|name| name.len()).map(String::as_str)
            }
            _ => None,
        }
    }

    /// The word of `kind`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Twitch { .. } => "twitch",
            Self::Youtube { .. } => "youtube",
            Self::Irc { .. } => "irc",
            Self::Bridge { .. } => "bridge",
            Self::Webhook { .. } => "webhook",
            Self::Kick { .. } => "kick",
            Self::Facebook { .. } => "facebook",
            Self::Shopee { .. } => "shopee",
            Self::Lines { .. } => "lines",
        }
    }

    /// How it is reached, for what it can do.
    pub const fn route(&self) -> Route {
        match self {
            Self::Twitch { account: None, .. } => Route::TwitchAnonymous,
            Self::Twitch { account: Some(_), .. } => Route::TwitchToken,
            Self::Youtube { account: Some(_), .. } => Route::YoutubeAccount,
            Self::Youtube { .. } => Route::YoutubeKey,
            Self::Irc { .. } => Route::Irc,
            Self::Bridge { bridge: Bridge::SocialStream, .. } => Route::SocialStream,
            Self::Bridge { bridge: Bridge::StreamerBot, .. } => Route::StreamerBot,
            Self::Bridge { bridge: Bridge::Restream, .. } => Route::Restream,
            Self::Webhook { .. } => Route::Webhook,
            Self::Kick { account: Some(_), .. } => Route::KickAccount,
            Self::Kick { .. } => Route::KickWebhook,
            Self::Facebook { .. } => Route::FacebookPage,
            Self::Shopee { .. } => Route::ShopeeShop,
            Self::Lines { .. } => Route::Lines,
        }
    }
}

/// An account of Twitch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwitchAccount {
    /// The application that the token was made for.
    pub client_id: String,
    /// The account's token.
    pub token: SecretRef,
    /// A stand-in of Helix, and of where tokens are validated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<Url>,
    /// A stand-in of EventSub's WebSocket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eventsub: Option<Url>,
}

/// A bridge that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bridge {
    /// Social Stream Ninja: about 150 sites.
    SocialStream,
    /// Streamer.bot.
    StreamerBot,
    /// Restream.
    Restream,
}

impl Bridge {
    /// What it is called, for the operator.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SocialStream => "Social Stream Ninja",
            Self::StreamerBot => "Streamer.bot",
            Self::Restream => "Restream",
        }
    }

    /// What it is told once connected. `secret` is the session of Social Stream Ninja.
    pub fn hello(self, secret: Option<&Secret>) -> Option<String> {
        match self {
            Self::SocialStream => secret.map(|name| bridge::social_stream_join(name.expose())),
            Self::StreamerBot => Some(bridge::streamer_bot_subscribe()),
            Self::Restream => None,
        }
    }
}

/// Where Twitch's IRC is.
pub const TWITCH: (&str, u16) = ("irc.chat.twitch.tv", 6697);
/// Where Twitch's API is.
pub const TWITCH_API: &str = "https://api.twitch.tv";
/// Where Twitch validates tokens.
pub const TWITCH_ID: &str = "https://id.twitch.tv";
/// Where YouTube's API is.
pub const YOUTUBE: &str = "https://www.googleapis.com";
/// Where Kick's API is.
pub const KICK: &str = "https://api.kick.com";
/// Where Shopee's API is.
pub const SHOPEE: &str = "https://partner.shopeemobile.com";
/// The quota of a project that asked for no more, in units a day.
pub const YOUTUBE_QUOTA: u64 = 10_000;

/// How the bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// In clear.
    Tcp,
    /// Encrypted, the server's certificate checked.
    Tls,
}

/// A host name or address with a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Server {
    /// A name, or an address (IPv6 without brackets).
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The text names no server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write the server as HOST:PORT, an IPv6 address in brackets")]
pub struct NoServer;

impl FromStr for Server {
    type Err = NoServer;

    fn from_str(text: &str) -> Result<Self, NoServer> {
        let (host, port) = text.rsplit_once(':').ok_or(NoServer)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(NoServer)?,
            None if host.contains(':') => return Err(NoServer),
            None => host,
        };
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(NoServer)?;
        if host.is_empty() || host.len() > 253 || !host.chars().all(sound) {
            return Err(NoServer);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl TryFrom<String> for Server {
    type Error = NoServer;

    fn try_from(text: String) -> Result<Self, NoServer> {
        text.parse()
    }
}

impl From<Server> for String {
    fn from(server: Server) -> Self {
        server.to_string()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_host_and_port() {
        let read = |text: &str| text.parse::<Server>().map(|server| server.to_string());
        assert_eq!(read("irc.example:6697"), Ok("irc.example:6697".into()));
        assert_eq!(read("[::1]:6667"), Ok("[::1]:6667".into()));
        for wrong in ["", "irc.example", ":6667", "::1:6667", "a:0", "a:b", "a b:1", "[::1:1"] {
            assert_eq!(read(wrong), Err(NoServer), "{wrong}");
        }
    }
}
