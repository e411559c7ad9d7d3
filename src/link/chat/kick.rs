//! Writing to a chat of Kick by its API. It is read by a webhook: see [`super::webhook`].

use reqwest::header::HeaderValue;
use url::Url;

use super::{
    Ended,
    api::{Http, bearer, impossible, nobody, whole_line},
};
use crate::{
    base::Secret,
    chat::{
        Author, PlatformAction,
        kick::{self, SCOPES},
        request::Request,
        send::Answer,
    },
};

/// How the API is reached.
#[derive(Debug, Clone)]
pub struct Api {
    http: Http,
    base: Url,
    channel: u64,
    token: HeaderValue,
}

impl Api {
    /// `base` is [`spec::KICK`](crate::chat::spec::KICK), or a stand-in of it; `channel` is the broadcaster's user id.
    /// The token needs [`SCOPES`].
    ///
    /// # Errors
    /// The token is none that can be sent.
    pub fn new(http: Http, base: Url, channel: u64, token: &Secret) -> Result<Self, Ended> {
        Ok(Self { http, base, channel, token: bearer(token)? })
    }
}

/// Carries out an action and says what came of it.
pub async fn write(api: &Api, action: &PlatformAction) -> Answer {
    let request = match request(api.channel, action) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let response = api.http.send(&api.base, &request, Some(&api.token)).await;
    if matches!(response.status, 401 | 403) {
        tracing::warn!(
            "Kick refuses the token (status {}): it lasts two hours, and needs the scopes {SCOPES}",
            response.status
        );
    }
    kick::answer(&response)
}

fn request(channel: u64, action: &PlatformAction) -> Result<Request, Answer> {
    Ok(match action {
        PlatformAction::Say { text, reply_to, .. } => {
            whole_line(text, kick::send(channel, text, reply_to.as_ref()))?
        }
        PlatformAction::Delete(id) => kick::delete(id).map_err(impossible)?,
        PlatformAction::TimeOut { user, length, reason, .. } => {
            kick::ban(channel, number(user)?, Some(*length), reason)
        }
        PlatformAction::Ban { user, reason, .. } => kick::ban(channel, number(user)?, None, reason),
        PlatformAction::Lift { user, .. } => kick::unban(channel, number(user)?),
    })
}

/// Kick's users have numbers.
fn number(user: &Author) -> Result<u64, Answer> {
    user.id.as_ref().and_then(|id| id.as_str().parse().ok()).ok_or_else(nobody)
}
