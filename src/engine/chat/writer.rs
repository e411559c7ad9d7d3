//! Carries out what is asked of the sources that are written to by an API of their own, apart from the connection by
//! which they are read. What a source's connection writes itself is in `link::chat`.

use std::time::Duration;

use super::source::Told;
use crate::{
    base::Secret,
    chat::{
        Text,
        send::{Answer, Failure},
        spec::{ChatSpec, Service, TwitchAccount},
    },
    engine::files::Files,
    link::chat::{Orders, twitch},
};

/// An order is tried again after this where the platform does not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// Whether it is written to apart from its reading.
pub(super) const fn is_apart(service: &Service) -> bool {
    !matches!(service, Service::Irc { .. } | Service::Bridge { .. })
}

/// Carries out the orders, one after another, until there are no more.
pub(super) async fn serve(spec: &ChatSpec, files: &Files, told: &Told, mut orders: Orders) {
    if let Service::Twitch { channels, account: Some(account), .. } = &spec.service {
        by_twitch(account, channels, files, told, &mut orders).await;
    }
    while let Some(order) = orders.recv().await {
        told.answer(&order, Answer::Failed(Failure::NotAllowed)).await;
    }
    // Reading goes on.
    std::future::pending::<()>().await;
}

/// Twitch with an account. The token is read for each order: it may have been renewed.
async fn by_twitch(
    account: &TwitchAccount,
    channels: &[String],
    files: &Files,
    told: &Told,
    orders: &mut Orders,
) {
    let mut known: Option<(Secret, twitch::Api)> = None;
    while let Some(order) = orders.recv().await {
        let token = match files.secret(&account.token).await {
            Ok(token) => token,
            Err(unread) => {
                let why = Failure::Other(Text::new(&unread.reason));
                told.answer(&order, Answer::Failed(why)).await;
                continue;
            }
        };
        known = known.filter(|(before, _)| before.is(token.expose().as_bytes()));
        if known.is_none() {
            match twitch::Api::open(account, &token, channels).await {
                Ok(api) => known = Some((token, api)),
                Err(ended) => {
                    let why = Failure::Other(Text::new(&ended.why));
                    let later = Answer::Later(AGAIN);
                    let answer = if ended.lasting { Answer::Failed(why) } else { later };
                    told.answer(&order, answer).await;
                    continue;
                }
            }
        }
        let Some((_, api)) = &known else { continue };
        let answer = twitch::write(api, &order.action).await;
        if answer == Answer::Failed(Failure::NotAllowed) {
            // Validated anew with the next order.
            known = None;
        }
        told.answer(&order, answer).await;
    }
}
