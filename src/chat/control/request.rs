//! What an operator asks of the chat. The registry of commands (`show::registry`) has a row for each.

use serde::{Deserialize, Serialize};

use super::super::{
    MessageId, Text,
    capability::{Can, Capabilities},
    claims::{ClaimId, ItemCode},
};
use crate::base::SourceId;

/// A request. As JSON: `{"command": "chat-delete", "chat": "tw", "message": "abc"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command", deny_unknown_fields)]
pub enum Request {
    /// Say a line.
    ChatSay {
        /// Where; `None` is every source that can be written to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chat: Option<SourceId>,
        /// The line.
        text: String,
    },
    /// Answer a message.
    ChatReply {
        /// Its source.
        chat: SourceId,
        /// The message.
        message: MessageId,
        /// The line.
        text: String,
    },
    /// Delete a message on its platform; viewers do not see it from now on.
    ChatDelete {
        /// Its source.
        chat: SourceId,
        /// The message.
        message: MessageId,
    },
    /// Hide a message from viewers; its platform keeps it.
    ChatHide {
        /// Its source.
        chat: SourceId,
        /// The message.
        message: MessageId,
    },
    /// Show a message that was hidden, or held for review.
    ChatShow {
        /// Its source.
        chat: SourceId,
        /// The message.
        message: MessageId,
    },
    /// Keep the author of a message from writing for a while.
    ChatTimeOut {
        /// Its source.
        chat: SourceId,
        /// A message of theirs.
        message: MessageId,
        /// For how long, 1-1,209,600 s.
        seconds: u32,
        /// The reason, for the platform and the list of acts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Keep the author of a message from writing until that is undone.
    ChatBan {
        /// Its source.
        chat: SourceId,
        /// A message of theirs.
        message: MessageId,
        /// The reason, for the platform and the list of acts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Undo an act of moderation: a time-out, a ban, a hiding.
    ChatUndo {
        /// Its number; the last one that can be undone where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        act: Option<u64>,
    },
    /// Take claims of an item from now on.
    OpenItem {
        /// Its code.
        item: ItemCode,
        /// How many there are; without a limit where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stock: Option<u32>,
    },
    /// Take no further claims of an item.
    CloseItem {
        /// Its code.
        item: ItemCode,
    },
    /// Set how many of an item there are in all.
    SetStock {
        /// Its code.
        item: ItemCode,
        /// How many; without a limit where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stock: Option<u32>,
    },
    /// Say which item is on show: a line that only says "+1" is for it.
    FeatureItem {
        /// Its code; none where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ItemCode>,
    },
    /// Take a message for a claim.
    Claim {
        /// Its source.
        chat: SourceId,
        /// The message.
        message: MessageId,
        /// The item.
        item: ItemCode,
        /// How many.
        quantity: u32,
    },
    /// Enter a claim without a message.
    EnterClaim {
        /// The item.
        item: ItemCode,
        /// How many.
        quantity: u32,
        /// The name of the customer.
        name: Text,
    },
    /// Cancel a claim.
    CancelClaim {
        /// Its number.
        claim: ClaimId,
    },
    /// A claim is paid or handed over.
    ClaimDone {
        /// Its number.
        claim: ClaimId,
    },
    /// Undo the last step that was taken by hand on claims and stock.
    UndoClaim,
    /// Begin a poll; the one before it is closed.
    OpenPoll {
        /// The choices: `label=keyword,keyword; label`. A label without keywords is its own.
        choices: String,
    },
    /// Close the poll.
    ClosePoll,
}

/// What of a source a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Writing.
    Write,
    /// Deleting messages.
    Delete,
    /// Timing users out.
    TimeOut,
    /// Banning.
    Ban,
    /// Nothing but that it is there.
    Nothing,
}

impl Needs {
    /// Whether a source that can do so much has it.
    pub fn are_met_by(self, can: &Capabilities) -> bool {
        let can = match self {
            Self::Write => can.write,
            Self::Delete => can.delete,
            Self::TimeOut => can.time_out,
            Self::Ban => can.ban,
            Self::Nothing => Can::Yes,
        };
        can != Can::No
    }

    /// What cannot be done, for a sentence: "messages cannot be deleted there".
    pub const fn lacking(self) -> &'static str {
        match self {
            Self::Write => "nothing can be written",
            Self::Delete => "messages cannot be deleted",
            Self::TimeOut => "users cannot be timed out",
            Self::Ban => "users cannot be banned",
            Self::Nothing => "nothing can be done",
        }
    }
}

impl Request {
    /// The source that it is about, and what it needs there.
    pub const fn needs(&self) -> Option<(&SourceId, Needs)> {
        match self {
            Self::ChatSay { chat: Some(chat), .. } | Self::ChatReply { chat, .. } => {
                Some((chat, Needs::Write))
            }
            Self::ChatDelete { chat, .. } => Some((chat, Needs::Delete)),
            Self::ChatTimeOut { chat, .. } => Some((chat, Needs::TimeOut)),
            Self::ChatBan { chat, .. } => Some((chat, Needs::Ban)),
            Self::ChatHide { chat, .. }
            | Self::ChatShow { chat, .. }
            | Self::Claim { chat, .. } => Some((chat, Needs::Nothing)),
            Self::ChatSay { chat: None, .. }
            | Self::ChatUndo { .. }
            | Self::OpenItem { .. }
            | Self::CloseItem { .. }
            | Self::SetStock { .. }
            | Self::FeatureItem { .. }
            | Self::EnterClaim { .. }
            | Self::CancelClaim { .. }
            | Self::ClaimDone { .. }
            | Self::UndoClaim
            | Self::OpenPoll { .. }
            | Self::ClosePoll => None,
        }
    }

    /// Its name, as in its row.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ChatSay { .. } => "chat-say",
            Self::ChatReply { .. } => "chat-reply",
            Self::ChatDelete { .. } => "chat-delete",
            Self::ChatHide { .. } => "chat-hide",
            Self::ChatShow { .. } => "chat-show",
            Self::ChatTimeOut { .. } => "chat-time-out",
            Self::ChatBan { .. } => "chat-ban",
            Self::ChatUndo { .. } => "chat-undo",
            Self::OpenItem { .. } => "open-item",
            Self::CloseItem { .. } => "close-item",
            Self::SetStock { .. } => "set-stock",
            Self::FeatureItem { .. } => "feature-item",
            Self::Claim { .. } => "claim",
            Self::EnterClaim { .. } => "enter-claim",
            Self::CancelClaim { .. } => "cancel-claim",
            Self::ClaimDone { .. } => "claim-done",
            Self::UndoClaim => "undo-claim",
            Self::OpenPoll { .. } => "open-poll",
            Self::ClosePoll => "close-poll",
        }
    }
}
