//! What the operator asks of the chat, and what happened there. The chat's own state is not the core's: a request that
//! may be carried out is handed on, and what became of it comes back as news.

use super::{Refusal, Turn};
use crate::{
    chat::control::{Needs, News, Request},
    show::{event::Effect, event::Happening, state::Show},
};

/// Whether a request can be carried out, as far as the show file tells.
pub(super) fn allows(show: &Show, request: &Request) -> Result<(), Refusal> {
    let chats = &show.spec.chats;
    if chats.is_empty() {
        return Err(Refusal::new(
            "the show has no chat: write [[chat]] tables in its file, and start it anew",
        ));
    }
    let Some((chat, needs)) = request.needs() else {
        let writes = |needs: Needs| {
            chats.iter().any(|spec| needs.are_met_by(&spec.service.route().capabilities()))
        };
        if matches!(request, Request::ChatSay { .. }) && !writes(Needs::Write) {
            return Err(Refusal::new(
                "no chat of this show can be written to: give one of them an account or a token",
            ));
        }
        return Ok(());
    };
    let Some(spec) = chats.iter().find(|spec| spec.id == *chat) else {
        let names: Vec<&str> = chats.iter().map(|spec| spec.id.as_str()).collect();
        return Err(Refusal::new(format!(
            "there is no chat '{chat}'; there are {}",
            names.join(", ")
        )));
    };
    if needs.are_met_by(&spec.service.route().capabilities()) {
        Ok(())
    } else {
        let kind = spec.service.kind();
        Err(Refusal::new(format!("{chat}: {} ({kind}, as it is read)", needs.lacking())))
    }
}

impl Turn<'_> {
    /// Hands a request on.
    pub(super) fn ask_chat(&mut self, request: Request) {
        self.order(Effect::Chat(request));
    }

    /// Tells what happened in the chat.
    pub(super) fn chat_news(&mut self, news: News) {
        self.say(match news {
            News::Claims(claims) => Happening::ClaimsChanged { claims },
            News::PollOpened(labels) => Happening::PollOpened { labels },
            News::PollClosed(poll) => {
                Happening::PollClosed { labels: poll.labels, votes: poll.tally.votes }
            }
            News::Moderated { chat, act, what, by_rule, outcome } => {
                Happening::ChatModerated { chat, act, what, by_rule, outcome }
            }
            News::Sent { chat, line, status } => Happening::ChatSent { chat, line, status },
            News::Refused(refused) => {
                Happening::ChatRefused { request: refused.request, why: refused.why }
            }
        });
    }
}
