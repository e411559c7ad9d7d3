//! Sentences of what happened in the chat. They name nobody and repeat no line.

use crate::{
    base::SourceId,
    chat::{
        claims::State,
        control::{ActId, ClaimNews, Outcome, What},
        send::{LineId, Status},
    },
};

/// Claims that a sentence lists; of more it says how many.
const LISTED: usize = 3;

pub(super) fn claims(claims: &[ClaimNews]) -> String {
    let one = |claim: &ClaimNews| {
        let state = match claim.state {
            State::New => "new",
            State::Confirmed => "confirmed",
            State::Waiting => "on the wait-list",
            State::Cancelled(_) => "cancelled",
            State::Done => "done",
        };
        let ClaimNews { claim: id, item, quantity, granted, .. } = claim;
        let of = if granted < quantity && *granted > 0 {
            format!("{granted} of {quantity}")
        } else {
            quantity.to_string()
        };
        format!("claim {} of {item} x{of} is {state}", id.0)
    };
    let mut words: Vec<String> = claims.iter().take(LISTED).map(one).collect();
    if claims.len() > LISTED {
        words.push(format!("{} more claims changed", claims.len() - LISTED));
    }
    words.join("; ")
}

pub(super) fn poll(labels: &[String], votes: &[u64]) -> String {
    let of: Vec<String> =
        labels.iter().zip(votes).map(|(label, votes)| format!("{label} {votes}")).collect();
    format!("the poll is closed: {}", of.join(", "))
}

pub(super) fn moderated(
    chat: &SourceId,
    act: ActId,
    what: What,
    by_rule: bool,
    outcome: &Outcome,
) -> String {
    let what = match what {
        What::Hold => "a line is held for review".to_owned(),
        What::Hide => "a line is hidden".to_owned(),
        What::Show => "a line is shown again".to_owned(),
        What::Delete => "a line is deleted".to_owned(),
        What::TimeOut(seconds) => format!("a user is timed out for {seconds} s"),
        What::Ban => "a user is banned".to_owned(),
        What::Lift => "a user may write again".to_owned(),
    };
    let by = if by_rule { " by a rule" } else { "" };
    let outcome = match outcome {
        Outcome::Asked => "; the platform is asked".to_owned(),
        Outcome::Done => String::new(),
        Outcome::Failed { why } => format!("; the platform did not do it: {why}"),
        Outcome::Undone => "; undone".to_owned(),
    };
    format!("{chat}: {what}{by} (act {}){outcome}", act.0)
}

pub(super) fn sent(chat: &SourceId, line: LineId, status: &Status) -> String {
    let status = match status {
        Status::Queued => "waits".to_owned(),
        Status::Sent => "was sent".to_owned(),
        Status::Confirmed => "was taken".to_owned(),
        Status::Dropped { code, text } if text.is_empty() => format!("was refused ({code})"),
        Status::Dropped { code, text } => format!("was refused: {text} ({code})"),
        Status::Failed(failure) => format!("was not sent: {}", failure.words()),
    };
    format!("{chat}: line {} {status}", line.0)
}
