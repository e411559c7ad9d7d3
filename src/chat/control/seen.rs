//! What faces see.

use super::{Control, ControlState, ItemState, SHOWN, SHOWN_CLAIMS, SentLine};
use crate::chat::{State, claims, claims::Claim};

impl Control {
    pub(super) fn state(&self) -> ControlState {
        let items = self.claims.items().map(|(item, stock)| {
            let totals = self.claims.totals(item).unwrap_or_default();
            ItemState {
                item: item.clone(),
                stock,
                granted: totals.granted,
                waiting: totals.waiting,
                done: totals.done,
                open: self.open.get(item).copied().unwrap_or(true),
            }
        });
        let current = |claim: &&Claim| {
            !matches!(claim.state, claims::State::Done | claims::State::Cancelled(_))
        };
        let claims = self
            .claims
            .items()
            .flat_map(|(item, _)| self.claims.of(item).filter(current).take(SHOWN_CLAIMS).cloned());
        let mut lines: Vec<SentLine> = self
            .sources
            .keys()
            .filter_map(|chat| Some((chat, self.outboxes.get(chat)?)))
            .flat_map(|(chat, outbox)| {
                outbox.lines().rev().take(SHOWN).map(|(line, l)| SentLine {
                    chat: chat.clone(),
                    line,
                    at: self.asked_at.get(&(chat.clone(), line)).copied().unwrap_or_default(),
                    text: l.text.clone(),
                    status: l.status.clone(),
                })
            })
            .collect();
        lines.sort_by(|a, b| (a.at, a.line, &a.chat).cmp(&(b.at, b.line, &b.chat)));
        let lines = lines.split_off(lines.len().saturating_sub(SHOWN));
        let held = self.room.iter().rev().filter(|entry| entry.state == State::Held).take(SHOWN);
        let mut held: Vec<_> = held
            .filter_map(|entry| entry.message())
            .map(|message| (message.source.clone(), message.id.clone()))
            .collect();
        held.reverse();
        let acts = self.acts.iter().skip(self.acts.len().saturating_sub(SHOWN));
        ControlState {
            items: items.collect(),
            featured: self.featured.clone(),
            claims: claims.collect(),
            poll: self.poll_state(),
            lines,
            acts: acts.map(|kept| kept.act.clone()).collect(),
            held,
            refused: self.refused.clone(),
        }
    }
}
