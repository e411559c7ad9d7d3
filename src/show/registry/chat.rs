//! The rows of what is asked of the chat.

use super::{Arg, Risk, Row, arg, maybe, parsed};
use crate::{
    base::SourceId,
    chat::{MessageId, Text, claims::ClaimId, claims::ItemCode, control::Request},
    show::command::Command,
};

/// The word for every source.
const ALL: &str = "all";

const fn rest(arg: Arg) -> Arg {
    Arg { rest: true, ..arg }
}

const CHAT: Arg = arg("chat", "name of a chat source");
const MESSAGE: Arg = arg("message", "a message's id, as `hawker chat --json` tells it");
const LINE: &[Arg] = &[CHAT, MESSAGE];
const REASON: Arg = rest(maybe("reason", "why, in words"));
const ITEM: Arg = arg("item", "an item's code");
const STOCK: Arg = maybe("stock", "how many there are; without a limit when left out");
const QUANTITY: Arg = arg("quantity", "how many");
const CLAIM: &[Arg] = &[arg("claim", "a claim's number")];

fn item(text: &str) -> Result<ItemCode, String> {
    ItemCode::new(text).map_err(|e| e.to_string())
}

fn line(a: &[&str]) -> Result<(SourceId, MessageId), String> {
    Ok((parsed(a[0])?, MessageId::new(a[1])))
}

fn words(a: &[&str], at: usize) -> Option<String> {
    a.get(at).map(|words| (*words).to_owned())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("'{text}' is no whole number"))
}

fn stock(a: &[&str]) -> Result<Option<u32>, String> {
    a.get(1).map(|text| number(text)).transpose()
}

/// All of them.
pub(super) const ROWS: [Row; 19] = [
    Row {
        name: "chat-say",
        args: &[arg("chat", "name of a chat source, or all"), rest(arg("text", "the line to say"))],
        doc: "say a line in a chat, or in all that can be written to",
        risk: Risk::Safe,
        chord: None,
        build: |a| {
            let chat = if a[0] == ALL { None } else { Some(parsed(a[0])?) };
            Ok(Command::Chat(Request::ChatSay { chat, text: a[1].to_owned() }))
        },
    },
    Row {
        name: "chat-reply",
        args: &[CHAT, MESSAGE, rest(arg("text", "the answer"))],
        doc: "answer a message where it was written",
        risk: Risk::Safe,
        chord: None,
        build: |a| {
            let (chat, message) = line(a)?;
            Ok(Command::Chat(Request::ChatReply { chat, message, text: a[2].to_owned() }))
        },
    },
    Row {
        name: "chat-delete",
        args: LINE,
        doc: "delete a message on its platform, and hide it from viewers",
        risk: Risk::Safe,
        chord: None,
        build: |a| {
            let (chat, message) = line(a)?;
            Ok(Command::Chat(Request::ChatDelete { chat, message }))
        },
    },
    Row {
        name: "chat-hide",
        args: LINE,
        doc: "hide a message from viewers; its platform keeps it",
        risk: Risk::Safe,
        chord: None,
        build: |a| {
            let (chat, message) = line(a)?;
            Ok(Command::Chat(Request::ChatHide { chat, message }))
        },
    },
    Row {
        name: "chat-show",
        args: LINE,
        doc: "show a message that was hidden, or held for review",
        risk: Risk::Safe,
        chord: None,
        build: |a| {
            let (chat, message) = line(a)?;
            Ok(Command::Chat(Request::ChatShow { chat, message }))
        },
    },
    Row {
        name: "chat-time-out",
        args: &[CHAT, MESSAGE, arg("seconds", "for how long, 1-1209600 s"), REASON],
        doc: "keep the author of a message from writing for a while",
        risk: Risk::Safe,
        chord: None,
        build: |a| {
            let (chat, message) = line(a)?;
            let (seconds, reason) = (number(a[2])?, words(a, 3));
            Ok(Command::Chat(Request::ChatTimeOut { chat, message, seconds, reason }))
        },
    },
    Row {
        name: "chat-ban",
        args: &[CHAT, MESSAGE, REASON],
        doc: "keep the author of a message from writing",
        risk: Risk::Confirm,
        chord: None,
        build: |a| {
            let (chat, message) = line(a)?;
            Ok(Command::Chat(Request::ChatBan { chat, message, reason: words(a, 2) }))
        },
    },
    Row {
        name: "chat-undo",
        args: &[maybe("act", "an act's number; the last one by hand when left out")],
        doc: "undo a time-out, a ban or a hiding",
        risk: Risk::Safe,
        chord: None,
        build: |a| {
            let act = a.first().map(|text| number(text)).transpose()?;
            Ok(Command::Chat(Request::ChatUndo { act }))
        },
    },
    Row {
        name: "open-item",
        args: &[ITEM, STOCK],
        doc: "take claims of an item from the chat",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::Chat(Request::OpenItem { item: item(a[0])?, stock: stock(a)? })),
    },
    Row {
        name: "close-item",
        args: &[ITEM],
        doc: "take no further claims of an item",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::Chat(Request::CloseItem { item: item(a[0])? })),
    },
    Row {
        name: "set-stock",
        args: &[ITEM, STOCK],
        doc: "set how many of an item there are, granted ones included",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::Chat(Request::SetStock { item: item(a[0])?, stock: stock(a)? })),
    },
    Row {
        name: "feature-item",
        args: &[maybe("item", "an item's code; none when left out")],
        doc: "say which item is on show: \"+1\" is for it",
        risk: Risk::Safe,
        chord: None,
        build: |a| {
            let item = a.first().map(|code| item(code)).transpose()?;
            Ok(Command::Chat(Request::FeatureItem { item }))
        },
    },
    Row {
        name: "claim",
        args: &[CHAT, MESSAGE, ITEM, QUANTITY],
        doc: "take a message for a claim",
        risk: Risk::Safe,
        chord: None,
        build: |a| {
            let (chat, message) = line(a)?;
            let (item, quantity) = (item(a[2])?, number(a[3])?);
            Ok(Command::Chat(Request::Claim { chat, message, item, quantity }))
        },
    },
    Row {
        name: "enter-claim",
        args: &[ITEM, QUANTITY, rest(arg("name", "whose claim it is"))],
        doc: "enter a claim by hand",
        risk: Risk::Safe,
        chord: None,
        build: |a| {
            let (item, quantity, name) = (item(a[0])?, number(a[1])?, Text::name(a[2]));
            Ok(Command::Chat(Request::EnterClaim { item, quantity, name }))
        },
    },
    Row {
        name: "cancel-claim",
        args: CLAIM,
        doc: "cancel a claim; what it held goes to those who wait",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::Chat(Request::CancelClaim { claim: ClaimId(number(a[0])?) })),
    },
    Row {
        name: "claim-done",
        args: CLAIM,
        doc: "say that a claim is paid or handed over",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::Chat(Request::ClaimDone { claim: ClaimId(number(a[0])?) })),
    },
    Row {
        name: "undo-claim",
        args: &[],
        doc: "undo the last step by hand on claims and stock",
        risk: Risk::Safe,
        chord: None,
        build: |_| Ok(Command::Chat(Request::UndoClaim)),
    },
    Row {
        name: "open-poll",
        args: &[rest(arg("choices", "label=keyword,keyword; label ..."))],
        doc: "begin a poll by keywords in the chat",
        risk: Risk::Safe,
        chord: None,
        build: |a| Ok(Command::Chat(Request::OpenPoll { choices: a[0].to_owned() })),
    },
    Row {
        name: "close-poll",
        args: &[],
        doc: "close the poll",
        risk: Risk::Safe,
        chord: None,
        build: |_| Ok(Command::Chat(Request::ClosePoll)),
    },
];
