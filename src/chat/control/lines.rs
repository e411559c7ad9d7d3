//! Outgoing lines.

use super::{Control, Needs, Refusal, Source};
use crate::{
    base::{Now, SourceId},
    chat::{MessageId, send::LineId},
};

impl Control {
    pub(super) fn say(
        &mut self,
        chat: Option<&SourceId>,
        text: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        let writes = |source: &Source| Needs::Write.are_met_by(&source.can);
        let all = self
            .sources
            .iter()
            .filter(|(id, source)| chat.map_or_else(|| writes(source), |chat| chat == *id));
        let to: Vec<SourceId> = all.map(|(id, _)| id.clone()).collect();
        if to.is_empty() {
            return Err(Refusal::NobodyWrites);
        }
        self.queue(&to, text, None, now)
    }

    pub(super) fn reply(
        &mut self,
        chat: &SourceId,
        message: &MessageId,
        text: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        let message = self.found(chat, message)?;
        self.queue(std::slice::from_ref(chat), text, Some(&message.id), now)
    }

    /// Queues a line. One that some sources take and others do not is queued for those; it is refused where none does.
    pub(super) fn queue(
        &mut self,
        to: &[SourceId],
        text: &str,
        reply_to: Option<&MessageId>,
        now: Now,
    ) -> Result<(), Refusal> {
        let (_, told) = self.outboxes.announce(to.iter(), text, now.mono);
        let mut refusal = None;
        let mut queued = false;
        for (chat, lines) in told {
            match lines {
                Ok(lines) => {
                    queued = true;
                    for line in lines {
                        self.asked_at.insert((chat.clone(), line), now.wall);
                        if let Some(id) = reply_to {
                            self.replies.insert((chat.clone(), line), id.clone());
                        }
                    }
                }
                Err(why) => refusal = Some(Refusal::Say { chat, why }),
            }
        }
        match refusal {
            Some(refusal) if !queued => Err(refusal),
            _ => Ok(()),
        }
    }

    /// What is kept beside a queue goes with its line.
    pub(super) fn forget_lines(&mut self) {
        let known = |(chat, line): &(SourceId, LineId)| {
            self.outboxes.get(chat).is_some_and(|outbox| outbox.line(*line).is_some())
        };
        self.asked_at.retain(|key, _| known(key));
        self.replies.retain(|key, _| known(key));
    }
}
