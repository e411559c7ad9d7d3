//! Carries out what is asked of the sources that are written to by an API of their own, apart from the connection by
//! which they are read. What a source's connection writes itself is in `link::chat`.

mod twitch;

use super::source::Told;
use crate::{
    chat::{
        send::{Answer, Failure},
        spec::{ChatSpec, Service},
    },
    engine::files::Files,
    link::chat::Orders,
};

/// Whether it is written to apart from its reading.
pub(super) const fn is_apart(service: &Service) -> bool {
    !matches!(service, Service::Irc { .. } | Service::Bridge { .. })
}

/// Carries out the orders, one after another, until there are no more.
pub(super) async fn serve(spec: &ChatSpec, files: &Files, told: &Told, mut orders: Orders) {
    if let Service::Twitch { channels, account: Some(account), .. } = &spec.service {
        twitch::serve(account, channels, files, told, &mut orders).await;
    }
    while let Some(order) = orders.recv().await {
        told.answer(&order, Answer::Failed(Failure::NotAllowed)).await;
    }
    // Reading goes on.
    std::future::pending::<()>().await;
}
