//! What a session of IRC is given by the show file, checked so that it can stand in a line.

use crate::base::SourceId;

/// What a session needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub(super) source: SourceId,
    pub(super) nick: String,
    pub(super) account: Option<String>,
    pub(super) channels: Vec<String>,
}

/// A setting that cannot stand in a line of IRC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// The nickname is empty, too long or holds what no nickname may hold.
    #[error("a nickname is 1-64 bytes without blanks, colons, '@', '!' and commas")]
    Nick,
    /// The account is empty, too long or holds NUL.
    #[error("an account is 1-200 bytes without control characters")]
    Account,
    /// No channel, too many, or one that holds a blank, a comma or a control character.
    #[error(
        "1-50 channels, each of 2-200 bytes that begin with '#' or '&', without blanks and commas"
    )]
    Channel,
}

impl Settings {
    /// Checks and keeps the settings.
    pub fn new(
        source: SourceId,
        nick: &str,
        account: Option<&str>,
        channels: &[&str],
    ) -> Result<Self, BadSetting> {
        let plain = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && !text.contains(char::is_control)
        };
        if !plain(nick, 64) || nick.contains([' ', ':', '@', '!', ',', '#']) {
            return Err(BadSetting::Nick);
        }
        if !account.is_none_or(|account| plain(account, 200)) {
            return Err(BadSetting::Account);
        }
        let channel = |name: &&str| {
            plain(name, 200)
                && name.len() > 1
                && name.starts_with(['#', '&'])
                && !name.contains([' ', ','])
        };
        if !(1..=50).contains(&channels.len()) || !channels.iter().all(channel) {
            return Err(BadSetting::Channel);
        }
        Ok(Self {
            source,
            nick: nick.to_owned(),
            account: account.map(str::to_owned),
            channels: channels.iter().map(|name| (*name).to_owned()).collect(),
        })
    }
}
