//! Twitch's API for an account: whose token it is, the channels it acts in, and what is written and moderated there.

use std::time::Duration;

use reqwest::{
    Client, Response,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use tokio::time::timeout;
use url::Url;

use crate::{
    base::Secret,
    chat::{
        Author, MessageId, PlatformAction, Text, UserId,
        request::{Refusal, Request},
        send::{Answer, Failure},
        spec::{TWITCH_API, TWITCH_ID, TwitchAccount},
        twitch::helix::{self, Account, Delivery, Token, scope},
    },
    link::chat::{
        Clock, Ended,
        api::{self as http, Bounds},
    },
};

/// How long is waited after a 429 that does not say it, and the longest that is waited. The limit is refilled by the
/// minute (Twitch API, rate limits).
const LATER: Duration = Duration::from_secs(5);
const MOST_LATER: Duration = Duration::from_mins(1);

/// An account in its channels. The token is in headers, and in no error.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: Url,
    token: Token,
    channels: Vec<(String, Account)>,
}

/// An answer.
struct Answered {
    /// 0 where there was none.
    status: u16,
    /// When a limit is refilled, in seconds since 1970.
    reset: Option<i64>,
    body: Vec<u8>,
}

impl Api {
    /// Validates the token and finds the channels.
    ///
    /// # Errors
    /// The token cannot read these channels, or Twitch does not answer.
    pub async fn open(
        account: &TwitchAccount,
        token: &Secret,
        channels: &[String],
    ) -> Result<Self, Ended> {
        let at = |usual: &str| match &account.api {
            Some(api) => Ok(api.clone()),
            None => Url::parse(usual).map_err(|e| Ended::lasting(e.to_string())),
        };
        let (base, id) = (at(TWITCH_API)?, at(TWITCH_ID)?);
        let secret = |scheme: &str| {
            let mut value = HeaderValue::from_str(&format!("{scheme} {}", token.expose()))
                .map_err(|_| Ended::lasting("the token holds characters that no token has"))?;
            value.set_sensitive(true);
            Ok(value)
        };
        let client_id = HeaderValue::from_str(&account.client_id)
            .map_err(|_| Ended::lasting("client-id holds characters that no Client ID has"))?;
        let headers: HeaderMap =
            [(AUTHORIZATION, secret("Bearer")?), (HeaderName::from_static("client-id"), client_id)]
                .into_iter()
                .collect();
        let client = http::client(headers)?;
        let token = validated(&client, &id, secret("OAuth")?, account).await?;
        let mut api = Self { client, base, token, channels: Vec::new() };
        api.enter(channels).await?;
        Ok(api)
    }

    /// The account in each channel, in the order of the show file.
    pub fn accounts(&self) -> Vec<Account> {
        self.channels.iter().map(|(_, account)| account.clone()).collect()
    }

    /// What a channel of [`Self::accounts`] is called.
    pub(super) fn channel(&self, nth: usize) -> &str {
        self.channels.get(nth).map_or("", |(name, _)| name)
    }

    /// Sends a request; its status and body.
    pub(super) async fn call(&self, request: &Request) -> (u16, Vec<u8>) {
        let answered = self.answered(request).await;
        (answered.status, answered.body)
    }

    async fn answered(&self, request: &Request) -> Answered {
        let begun = http::begun(&self.client, &self.base, request, Bounds::PAGE).await;
        let Some(response) = begun else {
            return Answered { status: 0, reset: None, body: Vec::new() };
        };
        let status = response.status().as_u16();
        let reset = response.headers().get("ratelimit-reset");
        let reset = reset.and_then(|at| at.to_str().ok()?.parse().ok());
        Answered { status, reset, body: http::rest(response, Bounds::PAGE).await }
    }

    async fn enter(&mut self, channels: &[String]) -> Result<(), Ended> {
        let Some(user) = self.token.user.clone() else { return Err(application()) };
        let mut names: Vec<String> = Vec::new();
        for channel in channels {
            let name = channel.trim_start_matches('#').to_ascii_lowercase();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let (status, body) = self.call(&helix::users(names.iter().map(String::as_str))).await;
        if status != 200 {
            return Err(refused(status, &body));
        }
        let found = helix::found(&body);
        for name in names {
            let Some((_, id)) = found.iter().find(|(login, _)| *login == name) else {
                return Err(Ended::lasting(format!(
                    "Twitch has no channel {name}, or it is suspended: check its name"
                )));
            };
            let account = Account { broadcaster: id.clone(), user: user.clone() };
            self.channels.push((name, account));
        }
        Ok(())
    }
}

async fn validated(
    client: &Client,
    id: &Url,
    authorization: HeaderValue,
    account: &TwitchAccount,
) -> Result<Token, Ended> {
    let silent = || Ended::passing("Twitch does not answer where tokens are validated");
    let address = http::address(id, &helix::validate()).ok_or_else(silent)?;
    let asking = client.get(address).header(AUTHORIZATION, authorization).send();
    let response: Response =
        timeout(Bounds::PAGE.time, asking).await.map_err(|_| silent())?.map_err(|_| silent())?;
    let status = response.status().as_u16();
    let body = http::rest(response, Bounds::PAGE).await;
    if status != 200 {
        return Err(refused(status, &body));
    }
    let token = Token::read(&body).ok_or_else(|| {
        Ended::passing("Twitch's answer about the token cannot be read: is this Twitch?")
    })?;
    if token.user.is_none() {
        return Err(application());
    }
    if token.client_id != account.client_id {
        return Err(Ended::lasting(
            "the token was made for another application than client-id names: write that one's Client ID",
        ));
    }
    if !token.may(scope::READ) {
        return Err(Ended::lasting(format!(
            "the token lacks the scope {}: get a new one with {}",
            scope::READ,
            scope::ALL.join(" ")
        )));
    }
    Ok(token)
}

fn application() -> Ended {
    Ended::lasting(format!(
        "the token is an application's own, not an account's: get a user token with the scopes {}",
        scope::ALL.join(" ")
    ))
}

/// Why a request before the chat was refused.
fn refused(status: u16, body: &[u8]) -> Ended {
    match status {
        0 => Ended::passing("Twitch's API does not answer"),
        401 | 403 => unauthorized(&helix::reason(body)),
        429 => Ended::passing("Twitch's API has been asked too often"),
        status => Ended::passing(format!("Twitch's API answered with status {status}")),
    }
}

/// Twitch does not take the token; `why` is what it says.
pub(super) fn unauthorized(why: &Text) -> Ended {
    let said = if why.is_empty() { String::new() } else { format!(" ({})", why.as_str()) };
    Ended::lasting(format!(
        "Twitch refuses the token{said}: get a new one for client-id with the scopes {}",
        scope::ALL.join(" ")
    ))
}

/// Carries out an action. Where it names no channel, it is done in all of the source's.
pub async fn write(api: &Api, action: &PlatformAction) -> Answer {
    let wanted = match action {
        PlatformAction::Say { .. } => scope::WRITE,
        PlatformAction::Delete(_) => scope::DELETE,
        PlatformAction::TimeOut { .. }
        | PlatformAction::Ban { .. }
        | PlatformAction::Lift { .. } => scope::BAN,
    };
    if !api.token.may(wanted) {
        return other(&format!("the token lacks the scope {wanted}"));
    }
    match action {
        PlatformAction::Say { text, channel, reply_to } => {
            let request = |account: &Account| {
                account.send(text, reply_to.as_ref()).map(|(request, _)| request)
            };
            each(api, channel.as_deref(), request, said).await
        }
        PlatformAction::Delete(id) => delete(api, id).await,
        PlatformAction::TimeOut { user, length, reason, channel } => {
            moderate(api, user, channel.as_deref(), |account, id| {
                account.ban(id, Some(*length), reason)
            })
            .await
        }
        PlatformAction::Ban { user, reason, channel } => {
            moderate(api, user, channel.as_deref(), |account, id| account.ban(id, None, reason))
                .await
        }
        PlatformAction::Lift { user, channel } => {
            moderate(api, user, channel.as_deref(), Account::unban).await
        }
    }
}

/// Does something in the channel, or in each; the first answer that is no success ends it.
async fn each(
    api: &Api,
    channel: Option<&str>,
    request: impl Fn(&Account) -> Result<Request, Refusal>,
    read: fn(&Answered) -> Answer,
) -> Answer {
    let wanted = channel.map(|name| name.trim_start_matches('#').to_ascii_lowercase());
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    let mut done: Option<Answer> = None;
    for (name, account) in &api.channels {
        if !is_wanted(name) {
            continue;
        }
        let answer = match request(account) {
            Ok(request) => read(&api.answered(&request).await),
            Err(why) => return cannot(why),
        };
        match (answer, &done) {
            (answer @ Answer::Taken(_), None) => done = Some(answer),
            (Answer::Taken(_), Some(_)) => {}
            (answer, None) => return answer,
            // It must not be done again where it is done.
            (Answer::Dropped { text, .. }, Some(_)) => return partly(name, text.as_str()),
            (Answer::Later(_), Some(_)) => return partly(name, "asked too often"),
            (Answer::Failed(Failure::Other(why)), Some(_)) => return partly(name, why.as_str()),
            (Answer::Failed(_), Some(_)) => return partly(name, "no answer"),
        }
    }
    done.unwrap_or_else(|| other("this source does not read that channel"))
}

fn partly(name: &str, why: &str) -> Answer {
    other(&format!("done in some channels, but not in {name}: {why}"))
}

fn other(why: &str) -> Answer {
    Answer::Failed(Failure::Other(Text::new(why)))
}

fn cannot(why: Refusal) -> Answer {
    other(&why.to_string())
}

/// A message is of one channel, and only there it is found.
async fn delete(api: &Api, id: &MessageId) -> Answer {
    let mut last = None;
    for (_, account) in &api.channels {
        let answered = match account.delete(id) {
            Ok(request) => api.answered(&request).await,
            Err(why) => return cannot(why),
        };
        if answered.status != 404 {
            return moderated(&answered);
        }
        last = Some(moderated(&answered));
    }
    last.unwrap_or_else(|| other("this source reads no channel"))
}

async fn moderate(
    api: &Api,
    user: &Author,
    channel: Option<&str>,
    request: impl Fn(&Account, &UserId) -> Result<Request, Refusal>,
) -> Answer {
    let id = match user_id(api, user).await {
        Ok(id) => id,
        Err(answer) => return answer,
    };
    each(api, channel, |account| request(account, &id), moderated).await
}

/// Who was named by hand is looked up.
async fn user_id(api: &Api, user: &Author) -> Result<UserId, Answer> {
    if let Some(id) = &user.id {
        return Ok(id.clone());
    }
    let login = user.login.as_ref().unwrap_or(&user.name).as_str().to_ascii_lowercase();
    let answered = api.answered(&helix::users([login.as_str()])).await;
    if answered.status != 200 {
        return Err(moderated(&answered));
    }
    let found = helix::found(&answered.body).into_iter().find(|(name, _)| *name == login);
    found.map(|(_, id)| id).ok_or_else(|| other(&format!("Twitch has no user {login}")))
}

fn said(answered: &Answered) -> Answer {
    match helix::delivery(answered.status, &answered.body) {
        Delivery::Sent(id) => Answer::Taken(Some(id)),
        Delivery::Dropped { code, reason } => Answer::Dropped { code, text: reason },
        // Nothing is taken for said that Twitch does not call said.
        Delivery::Failed { status: 200..300, .. } => other("Twitch's answer cannot be read"),
        Delivery::Failed { .. } => not_done(answered),
    }
}

fn moderated(answered: &Answered) -> Answer {
    match answered.status {
        200..300 => Answer::Taken(None),
        // Somebody else is changing this user's ban at this moment.
        409 => Answer::Later(Duration::from_secs(1)),
        _ => not_done(answered),
    }
}

fn not_done(answered: &Answered) -> Answer {
    let why = helix::reason(&answered.body);
    match answered.status {
        0 => Answer::Failed(Failure::Network),
        401 => Answer::Failed(Failure::NotAllowed),
        429 => Answer::Later(later(answered.reset)),
        status @ 400..500 if !why.is_empty() => {
            Answer::Dropped { code: Text::name(&status.to_string()), text: why }
        }
        status => other(&format!("Twitch's API answered with status {status}")),
    }
}

/// Until the limit is refilled.
fn later(reset: Option<i64>) -> Duration {
    let now = Clock::default().now().wall.as_second();
    let wait = reset.and_then(|at| u64::try_from(at.saturating_sub(now)).ok());
    wait.map_or(LATER, Duration::from_secs).clamp(Duration::from_secs(1), MOST_LATER)
}
