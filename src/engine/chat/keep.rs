//! Hands the steps of a chat to the store. It never waits for the disk: what the store's queue does not take is counted
//! there.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{
    chat::{
        Platform,
        spec::{ChatSpec, Service},
        told::Told,
    },
    store::{ChatQueue, ChatRows, ChatSource, chat_queue},
};

/// Steps on their way to the store's queue.
const STEPS: usize = 256;

/// Where the steps go, and the other end for the keeper of the show; none where no source is to be stored. Needs a
/// tokio runtime.
pub fn keep(specs: &[ChatSpec]) -> Option<(mpsc::Sender<Arc<Told>>, ChatRows)> {
    let sources: Vec<ChatSource> =
        specs.iter().filter(|spec| spec.keep_days > 0).map(source).collect();
    if sources.is_empty() {
        return None;
    }
    let (queue, rows) = chat_queue(sources);
    let (give, steps) = mpsc::channel(STEPS);
    tokio::spawn(hand(steps, queue));
    Some((give, rows))
}

/// Until the chat is over, or nobody stores it any more.
async fn hand(mut steps: mpsc::Receiver<Arc<Told>>, queue: ChatQueue) {
    while let Some(told) = steps.recv().await {
        if !queue.keep(&told) {
            return;
        }
    }
}

fn source(spec: &ChatSpec) -> ChatSource {
    let kind = spec.service.kind();
    let platform = match &spec.service {
        Service::Lines { platform, .. } | Service::Webhook { platform, .. } => {
            (*platform != Platform::UNKNOWN).then(|| platform.to_string())
        }
        Service::Bridge { .. } => None,
        _ => Some(kind.to_owned()),
    };
    ChatSource {
        id: spec.id.clone(),
        kind: kind.to_owned(),
        platform,
        market: spec.market.as_ref().map(ToString::to_string),
        keep_days: spec.keep_days,
    }
}
