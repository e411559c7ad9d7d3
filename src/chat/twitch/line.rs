//! What a line of Twitch's IRC means: PRIVMSG, USERNOTICE, CLEARMSG, CLEARCHAT.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    base::SourceId,
    chat::{
        Amount, Author, Badge, Kind, Message, MessageId, Origin, Platform, Removal, Reply, Text,
        Update, UserId,
        emotes::{Reported, placed},
        irc::Line,
        seen::Derive,
    },
};

/// Reads what a line reports; `None` where it reports nothing. `now` is the time of arrival, used where the line has
/// none; `derive` gives identifiers to lines without one.
pub fn update(
    line: &Line,
    source: &SourceId,
    now: Timestamp,
    derive: &mut Derive,
) -> Option<Update> {
    match line.command.as_str() {
        "PRIVMSG" => Some(Update::Message(Box::new(said(line, source, now, derive)?))),
        "USERNOTICE" => Some(Update::Message(Box::new(notice(line, source, now, derive)?))),
        "CLEARMSG" => line.tag("target-msg-id").map(|id| Update::Deleted(MessageId::new(id))),
        "CLEARCHAT" => cleared(line),
        _ => None,
    }
}

/// Without a user the whole chat was cleared. A user of whose name nothing is left is nobody, and not everybody.
fn cleared(line: &Line) -> Option<Update> {
    let target = line.param(1).filter(|name| !name.is_empty());
    let id = line.tag("target-user-id");
    if target.is_none() && id.is_none() {
        return Some(Update::AllCleared);
    }
    let name = target.and_then(Text::named);
    if name.is_none() && id.is_none() {
        return None;
    }
    let seconds = line.tag("ban-duration").and_then(|seconds| seconds.parse().ok());
    Some(Update::UserCleared {
        id: id.map(UserId::new),
        name,
        removal: seconds.map_or(Removal::Banned, |s| Removal::TimedOut(Duration::from_secs(s))),
    })
}

fn said(line: &Line, source: &SourceId, now: Timestamp, derive: &mut Derive) -> Option<Message> {
    let raw = line.param(1)?;
    let (raw, acted) = match super::action(raw) {
        Some(inner) => (inner, true),
        None => (raw, false),
    };
    let mut message = message(line, source, now, raw, derive)?;
    message.emotes = placed(raw, &message.text, ranges(line.tag("emotes").unwrap_or_default()));
    if acted {
        message.kind = Kind::Action;
    }
    if let Some(bits) = line.tag("bits").and_then(|bits| bits.parse::<u64>().ok()) {
        let micros = bits.saturating_mul(1_000_000);
        message.kind = Kind::Paid { amount: Amount { micros, currency: Text::name("BITS") } };
    }
    Some(message)
}

/// A notice of the platform. Its text is what Twitch wrote, and after it what the user added.
fn notice(line: &Line, source: &SourceId, now: Timestamp, derive: &mut Derive) -> Option<Message> {
    let written = line.tag("system-msg").unwrap_or_default();
    let added = line.param(1).unwrap_or_default();
    let text = if written.is_empty() || added.is_empty() {
        format!("{written}{added}")
    } else {
        format!("{written} {added}")
    };
    let mut message = message(line, source, now, &text, derive)?;
    // In shared chat the kind stands in a tag of its own.
    let kind = line.tag("source-msg-id").or_else(|| line.tag("msg-id")).unwrap_or_default();
    message.kind = if is_membership(kind) { Kind::Membership } else { Kind::Notice };
    Some(message)
}

/// Whether a notice of this name is about a subscription. The names are the same in EventSub, with underscores.
pub(super) fn is_membership(kind: &str) -> bool {
    matches!(
        kind.trim_start_matches("shared_chat_"),
        "sub"
            | "resub"
            | "subgift"
            | "sub_gift"
            | "submysterygift"
            | "community_sub_gift"
            | "giftpaidupgrade"
            | "gift_paid_upgrade"
            | "primepaidupgrade"
            | "prime_paid_upgrade"
            | "anongiftpaidupgrade"
            | "rewardgift"
            | "pay_it_forward"
            | "standardpayforward"
            | "communitypayforward"
    )
}

fn message(
    line: &Line,
    source: &SourceId,
    now: Timestamp,
    raw: &str,
    derive: &mut Derive,
) -> Option<Message> {
    let channel = line.param(0)?;
    let login = line.tag("login").or_else(|| line.nick()).unwrap_or_default();
    let shown = line.tag("display-name").unwrap_or(login);
    let at = line
        .tag("tmi-sent-ts")
        .and_then(|ms| Timestamp::from_millisecond(ms.parse().ok()?).ok())
        .unwrap_or(now);
    let id = match line.tag("id") {
        Some(id) => MessageId::new(id),
        None => derive.id(&[&at.as_second().to_be_bytes(), login.as_bytes(), raw.as_bytes()]),
    };
    let other = line.tag("source-room-id").filter(|room| Some(*room) != line.tag("room-id"));
    let origin = other
        .zip(line.tag("source-id"))
        .map(|(room, id)| Origin { channel: Text::name(room), id: MessageId::new(id) });
    let reply = line.tag("reply-parent-msg-id").map(|to| Reply {
        to: MessageId::new(to),
        text: line.tag("reply-parent-msg-body").map(Text::new),
    });
    Some(Message {
        channel: Some(Text::name(channel.trim_start_matches('#'))),
        reply,
        origin,
        ..Message::new(
            id,
            source.clone(),
            Platform::TWITCH,
            at,
            Author {
                id: line.tag("user-id").map(UserId::new),
                name: Text::name(shown),
                login: (!login.is_empty() && login != shown).then(|| Text::name(login)),
                badges: badges(line),
            },
            Text::new(raw),
        )
    })
}

fn badges(line: &Line) -> Vec<Badge> {
    // In shared chat the badges are those of the reading channel; the other's stand in `source-badges`.
    let sets = line.tag("badges").unwrap_or_default().split(',').take(32);
    let mut all: Vec<Badge> = sets.filter_map(|set| super::badge(set.split('/').next()?)).collect();
    for (tag, badge) in [
        ("mod", Badge::Moderator),
        ("subscriber", Badge::Member),
        ("vip", Badge::Vip),
        ("first-msg", Badge::First),
    ] {
        if line.tag(tag) == Some("1") {
            all.push(badge);
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// `ID:first-last,first-last/ID:first-last`, in code points. What does not fit this form is left out.
fn ranges(tag: &str) -> Vec<Reported> {
    tag.split('/')
        .filter_map(|emote| emote.split_once(':'))
        .flat_map(|(id, ranges)| ranges.split(',').map(move |range| (id, range)))
        .filter_map(|(id, range)| {
            let (first, last) = range.split_once('-')?;
            Some(Reported {
                first: first.parse().ok()?,
                last: last.parse().ok()?,
                id: id.to_owned(),
            })
        })
        .collect()
}
