//! Carries out orders on Twitch with an account.

use std::time::Duration;

use crate::{
    base::Secret,
    chat::{
        PlatformAction, Text,
        send::{Answer, Failure},
        spec::TwitchAccount,
    },
    engine::files::Files,
    link::chat::{Ended, twitch},
};

/// An order is tried again after this where Twitch does not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// The account as it was opened last, with the token of then.
pub(super) type Known = Option<(Secret, twitch::Api)>;

/// Carries out one order. The token is read for each: it may have been renewed.
pub(super) async fn carry_out(
    account: &TwitchAccount,
    channels: &[String],
    files: &Files,
    known: &mut Known,
    action: &PlatformAction,
) -> Answer {
    let failed = |why: &str| Answer::Failed(Failure::Other(Text::new(why)));
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
    let answer = twitch::write(&api, action).await;
    // One that was not allowed is validated anew with the next order.
    if answer != Answer::Failed(Failure::NotAllowed) {
        *known = Some((token, api));
    }
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
    use tokio::net::TcpListener;

    use super::*;
    use crate::base::SecretRef;

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
        let (files, channels) = (Files::default(), ["shop".to_owned()]);
        let (mut known, mut answers) = (None, Vec::new());
        for number in 0..3 {
            let (text, channel, reply_to) = (format!("line {number}"), None, None);
            let action = PlatformAction::Say { text, channel, reply_to };
            answers.push(carry_out(&account, &channels, &files, &mut known, &action).await);
            std::fs::write(&file, "new\n").unwrap();
        }
        let Answer::Failed(Failure::Other(why)) = &answers[0] else { panic!("{answers:?}") };
        assert!(why.as_str().contains("refuses the token"), "{why:?}");
        for (number, answer) in answers.iter().enumerate().skip(1) {
            let id = crate::chat::MessageId::new(&format!("line {number}"));
            assert_eq!(*answer, Answer::Taken(Some(id)));
        }
        assert_eq!(validated.load(Ordering::SeqCst), 2, "once for each token");
    }
}
