//! Social Stream Ninja's frames.

use serde_json::Value;

use super::{Into, Said, flagged, html};
use crate::chat::{
    Amount, Author, Badge, Kind, MessageId, Platform, Removal, Text, Update, UserId,
    emotes::placed, json,
};

/// Whether a frame has this form.
pub(super) fn is_one(frame: &Value) -> bool {
    frame.get("chatname").is_some()
        || frame.get("chatmessage").is_some()
        || removal(frame).is_some()
}

fn removal(frame: &Value) -> Option<&Value> {
    frame.get("delete").filter(|gone| gone.is_object())
}

/// What a frame reports; `None` for an event that is no chat (`event` is set) and a frame without text.
pub(super) fn update(frame: &Value, into: &mut Into<'_>) -> Option<Update> {
    if let Some(gone) = removal(frame) {
        if let Some(id) = json::id(gone, &["messageId", "id"]) {
            return Some(Update::Deleted(MessageId::new(&id)));
        }
        let id = json::id(gone, &["userid"]).map(|id| UserId::new(&id));
        let name = json::text(gone, &["chatname"]).and_then(Text::named);
        (id.is_some() || name.is_some()).then_some(())?;
        return Some(Update::UserCleared { id, name, removal: Removal::Cleared });
    }
    // A name of an event, or `true`.
    let event = frame.get("event").is_some_and(|event| match event {
        Value::String(name) => !name.is_empty() && name != "false",
        Value::Null | Value::Bool(false) => false,
        _ => true,
    });
    if event {
        return None;
    }
    let sent = json::text(frame, &["chatmessage"]).unwrap_or_default();
    let plain = if json::flag(frame, &["textonly"]) {
        html::Plain { text: sent.to_owned(), ..html::Plain::default() }
    } else {
        html::text(sent)
    };
    let kind = match json::text(frame, &["hasDonation"]) {
        Some(sum) => Kind::Paid { amount: amount(&html::text(sum).text) },
        None => Kind::Text,
    };
    if plain.text.trim().is_empty() && kind == Kind::Text {
        return None;
    }
    let mut badges = flagged(
        frame,
        &[
            ("mod", Badge::Moderator),
            ("moderator", Badge::Moderator),
            ("host", Badge::Owner),
            ("vip", Badge::Vip),
            ("verified", Badge::Verified),
            ("bot", Badge::Bot),
        ],
    );
    if json::text(frame, &["membership"]).is_some() {
        badges.push(Badge::Member);
        badges.sort_unstable();
    }
    // Names are HTML too, whatever `textonly` says of the message.
    let name = html::text(json::text(frame, &["chatname"]).unwrap_or_default()).text;
    let meta = frame.get("meta").unwrap_or(&Value::Null);
    let mut message = into.message(Said {
        id: json::id(meta, &["messageId"]).or_else(|| json::id(frame, &["id"])),
        platform: Platform::named(json::text(frame, &["type"]).unwrap_or_default()),
        channel: json::text(frame, &["sourceName"]).map(Text::name),
        at: json::time(frame, &["timestamp"]),
        author: Author {
            id: json::id(frame, &["userid"]).map(|id| UserId::new(&id)),
            name: Text::name(&name),
            login: None,
            badges,
        },
        raw: &plain.text,
        kind,
    });
    message.emotes = placed(&plain.text, &message.text, plain.emotes);
    Some(Update::Message(Box::new(message)))
}

/// A sum as a site writes it: `$5.00`, `1,000 VND`, `100 bits`. The currency is what is not the number; where no number is
/// found, the sum is zero and the currency is the whole.
fn amount(sum: &str) -> Amount {
    let number: String = sum.chars().filter(|c| c.is_ascii_digit() || *c == '.').take(18).collect();
    let (whole, part) = number.split_once('.').unwrap_or((&number, ""));
    let part: String =
        part.chars().filter(char::is_ascii_digit).chain("000000".chars()).take(6).collect();
    let micros = whole
        .parse::<u64>()
        .ok()
        .and_then(|whole| whole.checked_mul(1_000_000)?.checked_add(part.parse().unwrap_or(0)));
    let rest: String =
        sum.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, '.' | ',')).collect();
    match micros {
        Some(micros) => Amount { micros, currency: Text::name(&rest) },
        None => Amount { micros: 0, currency: Text::name(sum) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_as_far_as_they_can_be() {
        for (sum, micros, currency) in [
            ("$5.00", 5_000_000, "$"),
            ("1,000 VND", 1_000_000_000, "VND"),
            ("100 bits", 100_000_000, "bits"),
            ("1.5 USD", 1_500_000, "USD"),
            ("a rose", 0, "a rose"),
            ("99999999999999999999999", 0, "99999999999999999999999"),
        ] {
            let read = amount(sum);
            let fits = (read.micros, read.currency.as_str()) == (micros, currency);
            assert!(fits || sum.len() > 18, "{sum}: {read:?}");
        }
    }
}
