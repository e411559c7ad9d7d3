//! Writing to a chat of YouTube with the token of an account, from the same quota that reading spends.

use std::time::Duration;

use reqwest::header::HeaderValue;
use url::Url;

use super::Chat;
use crate::{
    base::Secret,
    chat::{
        PlatformAction, UserId,
        request::Request,
        response::{Response, dropped},
        send::{Answer, Failure},
        youtube::{
            Bans, api,
            item::Fault,
            quota::{BAN, MESSAGE},
        },
    },
    link::chat::{
        Clock, Ended,
        api::{Http, bearer, impossible, nobody, whole_line},
    },
};

/// The wait where reading has not found the chat yet.
const NOT_FOUND_YET: Duration = Duration::from_secs(1);

/// How the API is reached as an account.
#[derive(Debug, Clone)]
pub struct Account {
    http: Http,
    base: Url,
    token: HeaderValue,
}

impl Account {
    /// `base` is [`spec::YOUTUBE`](crate::chat::spec::YOUTUBE), or a stand-in of it; the token needs [`api::SCOPE`].
    ///
    /// # Errors
    /// The token is none that can be sent.
    pub fn new(http: Http, base: Url, token: &Secret) -> Result<Self, Ended> {
        Ok(Self { http, base, token: bearer(token)? })
    }

    async fn send(&self, request: &Request) -> Response {
        let response = self.http.send(&self.base, request, Some(&self.token)).await;
        if matches!(response.status, 401 | 403) {
            tracing::warn!(
                "YouTube refuses the account (status {}): its token lasts an hour, and needs the scope {}",
                response.status,
                api::SCOPE
            );
        }
        response
    }
}

/// The channel that the account is, so that its own lines are known for its own; `None` where YouTube does not say it.
pub async fn own_channel(account: &Account, chat: &Chat, clock: &Clock) -> Option<UserId> {
    chat.quota(|quota| quota.charge(clock.now().wall, 1));
    let response = account.send(&api::own_channel()).await;
    api::channel_id(&response.body).filter(|_| response.is_success())
}

/// Carries out an action and says what came of it. It is charged to the quota, and not done where that is spent.
pub async fn write(
    account: &Account,
    chat: &Chat,
    bans: &mut Bans,
    clock: &Clock,
    action: &PlatformAction,
) -> Answer {
    let Some(id) = chat.id() else { return Answer::Later(NOT_FOUND_YET) };
    let (request, units) = match request(id, bans, action) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let now = clock.now().wall;
    if let Some(spent) = chat.quota(|quota| {
        (!quota.spend(now, units)).then(|| {
            format!(
                "a write costs {units} units of YouTube's quota, and {} are left until {}",
                quota.left(now),
                quota.resets()
            )
        })
    }) {
        return dropped("quotaExceeded", &spent);
    }
    let response = account.send(&request).await;
    let fault = api::fault(&response);
    if fault == Some(Fault::QuotaExceeded) {
        chat.quota(|quota| quota.exhausted(now));
    }
    let answer = api::answer(&response);
    match action {
        PlatformAction::TimeOut { user, .. } | PlatformAction::Ban { user, .. } => {
            // It names the ban, and no message.
            let Answer::Taken(ban) = answer else { return answer };
            if let (Some(user), Some(ban)) = (&user.id, ban) {
                bans.keep(user, ban.as_str());
            }
            Answer::Taken(None)
        }
        PlatformAction::Lift { user, .. } => {
            // Where there is no such ban, it was lifted by somebody else or has ended.
            if let (Some(user), true) =
                (&user.id, matches!(answer, Answer::Taken(_)) || fault == Some(Fault::NotFound))
            {
                bans.forget(user);
            }
            answer
        }
        PlatformAction::Say { .. } | PlatformAction::Delete(_) => answer,
    }
}

/// The request for an action, and what it costs.
fn request(chat: &str, bans: &Bans, action: &PlatformAction) -> Result<(Request, u64), Answer> {
    let made = match action {
        // YouTube's chat knows no answers to a message.
        PlatformAction::Say { text, .. } => {
            return Ok((whole_line(text, api::send(chat, text))?, MESSAGE));
        }
        PlatformAction::Delete(id) => return Ok((api::delete(id).map_err(impossible)?, MESSAGE)),
        PlatformAction::TimeOut { user, length, .. } => {
            api::ban(chat, user.id.as_ref().ok_or_else(nobody)?, Some(*length))
        }
        PlatformAction::Ban { user, .. } => {
            api::ban(chat, user.id.as_ref().ok_or_else(nobody)?, None)
        }
        PlatformAction::Lift { user, .. } => {
            let ban = bans.of(user.id.as_ref().ok_or_else(nobody)?);
            // YouTube lists no bans.
            api::unban(ban.ok_or_else(|| {
                Answer::Failed(Failure::other(
                    "this ban was not set here since the show began: lift it on YouTube's own page",
                ))
            })?)
        }
    };
    Ok((made.map_err(impossible)?, BAN))
}
