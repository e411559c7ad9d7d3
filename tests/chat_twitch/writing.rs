//! What hawker writes and moderates by Helix, and what it makes of the answers.

use std::{collections::BTreeMap, time::Duration};

use hawker::{
    chat::{
        Author, MessageId, PlatformAction, Text, UserId,
        send::{Answer, Failure},
    },
    link::chat::twitch::{Api, write},
};
use serde_json::{Value, json};

use crate::{
    open,
    stand_in::{Fault, TOKEN, Twitch},
};

fn line(text: &str, channel: Option<&str>) -> PlatformAction {
    let channel = channel.map(str::to_owned);
    PlatformAction::Say { text: text.to_owned(), channel, reply_to: None }
}

/// Says a line; its identifier.
pub async fn say(api: &Api, text: &str) -> String {
    match write(api, &line(text, None)).await {
        Answer::Taken(Some(id)) => id.to_string(),
        other => panic!("{other:?}"),
    }
}

pub async fn delete(api: &Api, id: &str) {
    let answer = write(api, &PlatformAction::Delete(MessageId::new(id))).await;
    assert_eq!(answer, Answer::Taken(None));
}

fn author(id: Option<&str>, name: &str) -> Author {
    Author { id: id.map(UserId::new), name: Text::name(name), login: None, badges: Vec::new() }
}

fn timing_out(user: Author) -> PlatformAction {
    let length = Duration::from_secs(90);
    PlatformAction::TimeOut { user, length, reason: "spam".to_owned(), channel: None }
}

pub async fn time_out(api: &Api, id: &str) {
    assert_eq!(write(api, &timing_out(author(Some(id), "x"))).await, Answer::Taken(None));
}

fn dropped(answer: &Answer) -> (&str, &str) {
    match answer {
        Answer::Dropped { code, text } => (code.as_str(), text.as_str()),
        other => panic!("{other:?}"),
    }
}

fn fault(method: &'static str, path: &'static str, status: u16, body: Value) -> Fault {
    Fault { method, path, status, headers: Vec::new(), body }
}

#[tokio::test]
async fn a_line_is_sent_or_dropped_for_the_reason_that_twitch_gives() {
    let twitch = Twitch::start().await;
    let api = open(&twitch, TOKEN, &["shop"]).await.unwrap();
    let first = say(&api, "size M is back\r\nPRIVMSG").await;
    let reply_to = Some(MessageId::new(&first));
    let answer = PlatformAction::Say { text: "yes".to_owned(), channel: None, reply_to };
    assert!(matches!(write(&api, &answer).await, Answer::Taken(Some(_))));
    let sent = twitch.asked("POST", "chat/messages");
    assert_eq!(
        sent[0].body,
        json!({"broadcaster_id": "100", "sender_id": "7", "message": "size M is back  PRIVMSG"})
    );
    assert_eq!(sent[1].body["reply_parent_message_id"], first.as_str());
    let (again, link) = (
        write(&api, &line("yes", None)).await,
        write(&api, &line("see http://a.example", None)).await,
    );
    assert_eq!(dropped(&again).0, "msg_duplicate");
    assert_eq!(dropped(&link), ("channel_settings", "Links are not allowed in this channel."));
    // Too fast, until the limit is refilled; and without a word of when.
    let reset = (jiff::Timestamp::now().as_second() + 9).to_string();
    let mut limited = fault("POST", "chat/messages", 429, json!({"status": 429}));
    limited.headers.push(("ratelimit-reset", reset));
    twitch.lock().faults.push_back(limited);
    let later = write(&api, &line("a", None)).await;
    let Answer::Later(wait) = later else { panic!("{later:?}") };
    assert!((7..=9).contains(&wait.as_secs()), "{wait:?}");
    for (status, body, wanted) in [
        (429, Value::Null, Answer::Later(Duration::from_secs(5))),
        (401, json!({"message": "Invalid OAuth token"}), Answer::Failed(Failure::NotAllowed)),
        (
            500,
            Value::Null,
            Answer::Failed(Failure::Other(Text::new("Twitch's API answered with status 500"))),
        ),
        (
            200,
            json!({"data": []}),
            Answer::Failed(Failure::Other(Text::new("Twitch's answer cannot be read"))),
        ),
    ] {
        twitch.lock().faults.push_back(fault("POST", "chat/messages", status, body));
        assert_eq!(write(&api, &line("a", None)).await, wanted, "{status}");
    }
    let forbidden = json!({"error": "Forbidden", "status": 403, "message": "not permitted"});
    twitch.lock().faults.push_back(fault("POST", "chat/messages", 403, forbidden));
    assert_eq!(dropped(&write(&api, &line("a", None)).await), ("403", "not permitted"));
    drop(twitch);
    assert_eq!(write(&api, &line("a", None)).await, Answer::Failed(Failure::Network));
}

#[tokio::test]
async fn users_are_timed_out_banned_and_let_in_again_and_nothing_is_removed_without_an_id() {
    let twitch = Twitch::start().await;
    let api = open(&twitch, TOKEN, &["shop"]).await.unwrap();
    let said = twitch.plain("shop", "eve", "buy followers");
    delete(&api, &said).await;
    let gone = write(&api, &PlatformAction::Delete(MessageId::new(&said))).await;
    assert_eq!(dropped(&gone), ("404", "The ID in message_id was not found."));
    for empty in ["", " \u{7}"] {
        let answer = write(&api, &PlatformAction::Delete(MessageId::new(empty))).await;
        assert!(matches!(answer, Answer::Failed(_) | Answer::Dropped { .. }), "{answer:?}");
    }
    let lift = |user: Author| PlatformAction::Lift { user, channel: None };
    let ban = |user: Author| PlatformAction::Ban { user, reason: "spam".to_owned(), channel: None };
    time_out(&api, "33").await;
    let again = write(&api, &timing_out(author(Some("33"), "x"))).await;
    assert!(dropped(&again).1.ends_with("already banned."), "{again:?}");
    assert_eq!(write(&api, &lift(author(Some("33"), "x"))).await, Answer::Taken(None));
    // By name alone: it is looked up.
    assert_eq!(write(&api, &ban(author(None, "Eve"))).await, Answer::Taken(None));
    assert_eq!(write(&api, &lift(author(None, "eve"))).await, Answer::Taken(None));
    let nobody = write(&api, &ban(author(None, "nobody"))).await;
    assert_eq!(nobody, Answer::Failed(Failure::Other(Text::new("Twitch has no user nobody"))));
    let owner = write(&api, &ban(author(Some("100"), "Shop"))).await;
    assert_eq!(
        dropped(&owner),
        ("400", "The user specified in the user_id field may not be banned.")
    );
    // Somebody else is at it.
    twitch.lock().faults.push_back(fault("POST", "moderation/bans", 409, json!({"status": 409})));
    let busy = write(&api, &ban(author(Some("33"), "Eve"))).await;
    assert_eq!(busy, Answer::Later(Duration::from_secs(1)));
    let asked = twitch.asked("POST", "moderation/bans");
    let mut durations: BTreeMap<String, usize> = BTreeMap::new();
    for asked in &asked {
        *durations.entry(asked.body["data"]["duration"].to_string()).or_default() += 1;
    }
    assert_eq!(durations, BTreeMap::from([("90".to_owned(), 2), ("null".to_owned(), 3)]));
    assert_eq!(twitch.lock().wrong, Vec::<String>::new(), "nothing was cleared");
}

#[tokio::test]
async fn of_several_channels_one_is_written_to_or_all_and_a_half_is_said() {
    let twitch = Twitch::start().await;
    let api = open(&twitch, TOKEN, &["shop", "#Outlet"]).await.unwrap();
    let outlet = write(&api, &line("only here", Some("outlet"))).await;
    assert!(matches!(outlet, Answer::Taken(Some(_))), "{outlet:?}");
    let unknown = write(&api, &line("x", Some("elsewhere"))).await;
    assert!(
        matches!(&unknown, Answer::Failed(Failure::Other(why)) if why.as_str().contains("does not read"))
    );
    say(&api, "to all").await;
    let to: Vec<Value> = twitch
        .asked("POST", "chat/messages")
        .iter()
        .map(|asked| asked.body["broadcaster_id"].clone())
        .collect();
    assert_eq!(to, ["200", "100", "200"]);
    // A message is deleted where it is.
    let there = twitch.plain("outlet", "eve", "spam");
    delete(&api, &there).await;
    // Sent to the first, refused by the second: that must not be sent once more to the first.
    twitch.plain("outlet", "host", "sale ends");
    let half = write(&api, &line("sale ends", None)).await;
    let Answer::Failed(Failure::Other(why)) = &half else { panic!("{half:?}") };
    assert!(why.as_str().contains("not in outlet: Your message is identical"), "{half:?}");
}

#[tokio::test]
async fn what_the_token_does_not_allow_is_not_even_asked_for() {
    let twitch = Twitch::start().await;
    twitch.lock().tokens.get_mut(TOKEN).unwrap().scopes = vec!["user:read:chat"];
    let api = open(&twitch, TOKEN, &["shop"]).await.unwrap();
    let before = twitch.lock().asked.len();
    for (action, scope) in [
        (line("a", None), "user:write:chat"),
        (PlatformAction::Delete(MessageId::new("m1")), "moderator:manage:chat_messages"),
        (timing_out(author(Some("33"), "Eve")), "moderator:manage:banned_users"),
    ] {
        let answer = write(&api, &action).await;
        let why = format!("the token lacks the scope {scope}");
        assert_eq!(answer, Answer::Failed(Failure::Other(Text::new(&why))));
    }
    assert_eq!(twitch.lock().asked.len(), before);
}
