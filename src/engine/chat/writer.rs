//! Carries out what is asked of the sources that are written to by an API of their own, apart from the connection by
//! which they are read. What a source's connection writes itself is in `link::chat`. Each order is answered once.

mod twitch;

use std::time::Duration;

use tokio::{sync::oneshot, time::timeout};
use url::Url;

use super::source::Told;
use crate::{
    base::{Secret, SecretRef},
    chat::{
        PlatformAction, UserId,
        send::{Answer, Failure},
        shopee,
        spec::{ChatSpec, KickAccount, Service},
        youtube::Bans,
    },
    engine::files::Files,
    link::chat::{self as link, Clock, Ended, Http, Orders, PATIENCE, youtube},
};

/// The longest that one order may take, whatever hangs.
const DEADLINE: Duration = Duration::from_secs(30);

/// Whether it is written to apart from its reading.
pub(super) const fn is_apart(service: &Service) -> bool {
    !matches!(service, Service::Irc { .. } | Service::Bridge { .. })
}

/// Carries out the orders, one after another, until there are no more, or reading is over. `chat` is what reading of
/// YouTube shares with this.
pub(super) async fn serve(
    spec: &ChatSpec,
    files: &Files,
    chat: Option<&youtube::Chat>,
    told: &Told,
    mut orders: Orders,
    mut over: oneshot::Receiver<()>,
) {
    let mut writer =
        Writer { files, http: None, clock: Clock::default(), bans: Bans::default(), twitch: None };
    let mut closed = false;
    loop {
        let order = tokio::select! {
            biased;
            _ = &mut over, if !closed => {
                // What waits is answered, and no more is taken.
                orders.close();
                closed = true;
                continue;
            }
            order = orders.recv() => order,
        };
        let Some(order) = order else { return };
        let answer = if closed {
            Answer::Failed(Failure::Network)
        } else {
            let writing = writer.write(&spec.service, chat, &order.action);
            let answer = timeout(DEADLINE, writing).await;
            answer.unwrap_or(Ok(Answer::Failed(Failure::Network))).unwrap_or_else(|answer| answer)
        };
        told.answer(&order, answer).await;
    }
}

/// The channel that writes to a chat of YouTube. Reading goes on without it, but takes own lines for others'.
pub(super) async fn own_channel(
    files: &Files,
    chat: &youtube::Chat,
    api: Url,
    account: &SecretRef,
) -> Option<UserId> {
    let token = files.secret(account).await;
    let token = token.inspect_err(|unread| tracing::warn!("{}", unread.reason)).ok()?;
    let http = Http::new(PATIENCE).await.ok()?;
    let account = youtube::Account::new(http, api, &token).ok()?;
    youtube::own_channel(&account, chat, &Clock::default()).await
}

/// What lives from one order to the next.
struct Writer<'a> {
    files: &'a Files,
    http: Option<Http>,
    clock: Clock,
    bans: Bans,
    /// Whom the token belongs to, while it is the same one.
    twitch: twitch::Known,
}

impl Writer<'_> {
    /// Secrets are read for each order: they last some hours, and may have been renewed in their files.
    async fn write(
        &mut self,
        service: &Service,
        chat: Option<&youtube::Chat>,
        action: &PlatformAction,
    ) -> Result<Answer, Answer> {
        Ok(match service {
            Service::Twitch { channels, account: Some(account), .. } => {
                twitch::carry_out(account, channels, self.files, &mut self.twitch, action).await
            }
            Service::Youtube { account: Some(account), api, .. } => {
                let Some(chat) = chat else { return Err(Answer::Failed(Failure::NotAllowed)) };
                let token = self.secret(account).await?;
                let account = youtube::Account::new(self.http().await?, api.clone(), &token);
                let account = account.map_err(failed)?;
                youtube::write(&account, chat, &mut self.bans, &self.clock, action).await
            }
            Service::Kick { account: Some(KickAccount { token, channel, api }), .. } => {
                let token = self.secret(token).await?;
                let api = link::kick::Api::new(self.http().await?, api.clone(), *channel, &token);
                link::kick::write(&api.map_err(failed)?, action).await
            }
            Service::Facebook { token, api, .. } => {
                let token = self.secret(token).await?;
                let http = self.http().await?;
                link::facebook::write(&http, api.clone(), token, action).await
            }
            Service::Shopee { live, partner, shop, key, token, api } => {
                let access_token = self.secret(token).await?;
                let key = self.secret(key).await?;
                let credentials =
                    shopee::Credentials { partner_id: *partner, shop_id: *shop, access_token };
                let http = self.http().await?;
                let api = link::shopee::Api::over(&http, api.clone(), credentials, key);
                link::shopee::write(&api, &http, *live, &self.clock, action).await
            }
            _ => Answer::Failed(Failure::NotAllowed),
        })
    }

    async fn secret(&self, reference: &SecretRef) -> Result<Secret, Answer> {
        // What cannot be read is named; no secret is in that.
        let read = self.files.secret(reference).await;
        read.map_err(|unread| Answer::Failed(Failure::other(&unread.reason)))
    }

    async fn http(&mut self) -> Result<Http, Answer> {
        if let Some(http) = &self.http {
            return Ok(http.clone());
        }
        let http = Http::new(PATIENCE).await.map_err(failed)?;
        self.http = Some(http.clone());
        Ok(http)
    }
}

fn failed(ended: Ended) -> Answer {
    Answer::Failed(Failure::other(&ended.why))
}

#[cfg(test)]
mod tests;
