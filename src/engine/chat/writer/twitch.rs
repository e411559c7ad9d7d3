//! Carries out orders on Twitch with an account.

use std::time::Duration;

use crate::{
    base::Secret,
    chat::{
        Text,
        send::{Answer, Failure},
        spec::TwitchAccount,
    },
    engine::{chat::source::Told, files::Files},
    link::chat::{Ended, Order, Orders, twitch},
};

/// An order is tried again after this where Twitch does not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// Until there are no more orders.
pub(super) async fn serve(
    account: &TwitchAccount,
    channels: &[String],
    files: &Files,
    told: &Told,
    orders: &mut Orders,
) {
    let mut known = None;
    while let Some(order) = orders.recv().await {
        let answer = carry_out(account, channels, files, &mut known, &order).await;
        if answer == Answer::Failed(Failure::NotAllowed) {
            // Validated anew with the next order.
            known = None;
        }
        told.answer(&order, answer).await;
    }
}

/// `known` is the account as it was opened last, with the token of then.
async fn carry_out(
    account: &TwitchAccount,
    channels: &[String],
    files: &Files,
    known: &mut Option<(Secret, twitch::Api)>,
    order: &Order,
) -> Answer {
    let failed = |why: &str| Answer::Failed(Failure::Other(Text::new(why)));
    // Read for each order: it may have been renewed.
    let token = match files.secret(&account.token).await {
        Ok(token) => token,
        Err(unread) => return failed(&unread.reason),
    };
    let api = match known.take().filter(|(before, _)| before.is(token.expose().as_bytes())) {
        Some((_, api)) => api,
        None => match twitch::Api::open(account, &token, channels).await {
            Ok(api) => api,
            Err(Ended { lasting: false, .. }) => return Answer::Later(AGAIN),
            Err(ended) => return failed(&ended.why),
        },
    };
    let answer = twitch::write(&api, &order.action).await;
    *known = Some((token, api));
    answer
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::{
        Json, Router,
        http::HeaderMap,
        http::StatusCode,
        routing::{get, post},
    };
    use serde_json::{Value, json};
    use tokio::{net::TcpListener, sync::mpsc};

    use super::*;
    use crate::{
        base::SecretRef, chat::PlatformAction, engine::chat::source::FromSource, link::chat::Report,
    };

    fn is(headers: &HeaderMap, token: &str) -> bool {
        let given = headers.get("authorization").and_then(|value| value.to_str().ok());
        given.is_some_and(|given| given.ends_with(token))
    }

    /// Knows the token `new` alone; counts how often a token is validated.
    async fn platform(validated: Arc<AtomicUsize>) -> url::Url {
        let validate = async move |headers: HeaderMap| {
            validated.fetch_add(1, Ordering::SeqCst);
            if !is(&headers, "new") {
                return (
                    StatusCode::UNAUTHORIZED,
                    Json(json!({"message": "invalid access token"})),
                );
            }
            let scopes = ["user:read:chat", "user:write:chat"];
            (StatusCode::OK, Json(json!({"client_id": "abc", "user_id": "7", "scopes": scopes})))
        };
        let router = Router::new()
            .route("/oauth2/validate", get(validate))
            .route(
                "/helix/users",
                get(async || Json(json!({"data": [{"id": "1", "login": "shop"}]}))),
            )
            .route(
                "/helix/chat/messages",
                post(async |Json(asked): Json<Value>| {
                    Json(json!({"data": [{"is_sent": true, "message_id": asked["message"]}]}))
                }),
            );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    #[tokio::test]
    async fn orders_are_carried_out_with_the_token_as_it_is_then() {
        let validated = Arc::new(AtomicUsize::new(0));
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("token");
        std::fs::write(&file, "old\n").unwrap();
        let account = TwitchAccount {
            client_id: "abc".to_owned(),
            token: SecretRef::File(file.to_str().unwrap().to_owned()),
            api: Some(platform(Arc::clone(&validated)).await),
            eventsub: None,
        };
        let (merge, mut reports) = mpsc::channel(8);
        let (give, mut orders) = mpsc::channel(8);
        let serving = tokio::spawn(async move {
            let told = Told::new(0, merge);
            let channels = ["shop".to_owned()];
            serve(&account, &channels, &Files::default(), &told, &mut orders).await;
        });
        let mut answers = Vec::new();
        for number in 0..3 {
            let (text, channel, reply_to) = (format!("line {number}"), None, None);
            let action = PlatformAction::Say { text, channel, reply_to };
            give.send(Order { number, action }).await.unwrap();
            let Some((_, FromSource::Report(Report::Answered { order, answer }))) =
                reports.recv().await
            else {
                panic!("no answer")
            };
            assert_eq!(order, number);
            answers.push(answer);
            std::fs::write(&file, "new\n").unwrap();
        }
        let Answer::Failed(Failure::Other(why)) = &answers[0] else { panic!("{answers:?}") };
        assert!(why.as_str().contains("refuses the token"), "{why:?}");
        for (number, answer) in answers.iter().enumerate().skip(1) {
            let id = crate::chat::MessageId::new(&format!("line {number}"));
            assert_eq!(*answer, Answer::Taken(Some(id)));
        }
        assert_eq!(validated.load(Ordering::SeqCst), 2, "once for each token");
        drop(give);
        serving.await.unwrap();
    }
}
