//! Lines on their way to the service: batched, one request at a time, bounded. It is given the time and says what to send.

use std::{collections::VecDeque, time::Duration};

use super::{
    Counters, Done, Job, Refusal, State, Unavailable,
    cache::{Cache, Key},
    shield::Shielded,
    spec::Kind,
    verdict::checked,
    wire::Fault,
};
use crate::{
    base::Moment,
    chat::{
        language::Language,
        normalise::{Folding, Normal},
        phrases::PhraseTable,
    },
};

/// Lines that are remembered. At most some 300 bytes each in a usual chat: under a megabyte.
const REMEMBERED: usize = 2_000;
/// Different lines that wait. Beyond it the oldest give way.
const MOST_WAITING: usize = 200;
/// Lines that wait for the translation of one text.
const MOST_SAME: usize = 100;
/// Texts of one request.
const MOST_TEXTS: usize = 20;
/// Bytes of one request's texts.
const MOST_BYTES: usize = 4_000;
/// How long the first line of a batch waits for others.
const GATHER: Duration = Duration::from_millis(300);
/// A line that waited so long is answered by nothing: the talk has gone on.
const PATIENCE: Duration = Duration::from_mins(1);
/// Tries of one line.
const TRIES: u8 = 3;
/// Wait after a failed request; doubled with each one in a row.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest wait after failures, and the longest that a service may ask for.
const MOST_WAIT: Duration = Duration::from_mins(10);
/// The longest wait after failures without such a request.
const MOST_BACK_OFF: Duration = Duration::from_mins(1);
/// Wait after the key was refused.
const NOT_ALLOWED: Duration = Duration::from_mins(5);

/// What is sent at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// From; unknown where the service is to find out.
    pub from: Option<Language>,
    /// Into.
    pub to: Language,
    /// The texts, with placeholders.
    pub texts: Vec<String>,
}

/// Lines with the same text.
#[derive(Debug)]
struct Waiting {
    key: Key,
    template: String,
    lines: Vec<(Job, Shielded)>,
    since: Moment,
    tries: u8,
}

/// What waits and what is remembered. Feed it with [`Translator::offer`]; when [`Translator::due`] has come, send what
/// [`Translator::take`] gives and hand the outcome to [`Translator::answered`].
#[derive(Debug)]
pub struct Translator {
    /// `None` without a service.
    service: Option<Kind>,
    cache: Cache,
    waiting: VecDeque<Waiting>,
    sent: Vec<Waiting>,
    failures: u32,
    /// Nothing is sent before.
    rest: Moment,
    done: VecDeque<Done>,
    counters: Counters,
}

impl Translator {
    /// A translator that asks this kind of service, or none.
    pub fn new(service: Option<Kind>) -> Self {
        Self {
            service,
            cache: Cache::new(REMEMBERED),
            waiting: VecDeque::new(),
            sent: Vec::new(),
            failures: 0,
            rest: Moment::default(),
            done: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// What has been counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many different lines wait, those with the service included.
    pub fn waiting(&self) -> usize {
        self.waiting.len() + self.sent.len()
    }

    /// Lines whose state has changed since they were offered.
    pub fn poll(&mut self) -> Option<Done> {
        self.done.pop_front()
    }

    /// Takes a line. What is known at once is the answer; else it is queued, and its outcome comes by
    /// [`Translator::poll`].
    pub fn offer(&mut self, now: Moment, job: Job, phrases: &PhraseTable) -> State {
        if job.from.is_some_and(|from| from.is_near(job.to)) {
            return State::NotNeeded;
        }
        let Some(shielded) = Shielded::new(job.text.as_str(), &job.keep) else {
            return State::NotNeeded;
        };
        if let Some(known) = phrases.translate(job.text.as_str(), job.from, job.to) {
            self.counters.by_phrase += 1;
            return State::ByPhrase { text: known.text.as_str().into() };
        }
        if self.service.is_none() {
            return self.unavailable(Unavailable::NoService);
        }
        let template = shielded.template().to_owned();
        // What differs by case and stretched letters only is the same line.
        let compared = Normal::new(&template, Folding::WORDS);
        let text = compared.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
        let key = Key { from: job.from, to: job.to, text };
        if let Some(known) = self.cache.get(&key) {
            self.counters.remembered += u64::from(known.is_ok());
            return self.judged(&job, &shielded, known);
        }
        let same = self.waiting.iter_mut().chain(&mut self.sent).find(|waiting| waiting.key == key);
        if let Some(same) = same {
            if same.lines.len() < MOST_SAME {
                same.lines.push((job, shielded));
                return State::Queued;
            }
            self.counters.crowded += 1;
            return State::Unavailable { why: Unavailable::Crowded };
        }
        if self.waiting.len() >= MOST_WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.give_up(oldest, Unavailable::Crowded);
        }
        let lines = vec![(job, shielded)];
        self.waiting.push_back(Waiting { key, template, lines, since: now, tries: 0 });
        State::Queued
    }

    /// When [`Translator::take`] will give something: `None` while nothing waits, or a request is away.
    pub fn due(&self) -> Option<Moment> {
        if !self.sent.is_empty() {
            return None;
        }
        let first = self.waiting.front()?;
        let full = self.waiting.len() >= MOST_TEXTS;
        let gathered = if full { first.since } else { first.since + GATHER };
        Some(gathered.max(self.rest))
    }

    /// The next batch, if it is due. Lines of one pair of languages go together.
    pub fn take(&mut self, now: Moment) -> Option<Batch> {
        while let Some(first) = self.waiting.front()
            && now.since(first.since) >= PATIENCE
            && let Some(late) = self.waiting.pop_front()
        {
            self.give_up(late, Unavailable::Late);
        }
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        let first = self.waiting.front()?;
        let (from, to, again) = (first.key.from, first.key.to, first.tries > 0);
        // What failed goes alone: it may be what the service cannot take. And LibreTranslate finds out one language
        // for all texts of a request.
        let alone = again || (from.is_none() && self.service == Some(Kind::Libretranslate));
        let most = if alone { 1 } else { MOST_TEXTS };
        let (mut kept, mut bytes) = (VecDeque::new(), 0);
        for waiting in std::mem::take(&mut self.waiting) {
            let fits = self.sent.len() < most
                && (waiting.key.from, waiting.key.to) == (from, to)
                && (again || waiting.tries == 0)
                && (self.sent.is_empty() || bytes + waiting.template.len() <= MOST_BYTES);
            if fits {
                bytes += waiting.template.len();
                self.sent.push(waiting);
            } else {
                kept.push_back(waiting);
            }
        }
        self.waiting = kept;
        self.counters.requests += 1;
        let texts = self.sent.iter().map(|waiting| waiting.template.clone()).collect();
        Some(Batch { from, to, texts })
    }

    /// Takes the outcome of the request that is away.
    pub fn answered(&mut self, now: Moment, answer: Result<Vec<String>, Fault>) {
        let sent = std::mem::take(&mut self.sent);
        match answer {
            Ok(texts) if texts.len() == sent.len() => {
                self.failures = 0;
                for (waiting, text) in sent.into_iter().zip(texts) {
                    self.settle(waiting, text);
                }
            }
            Ok(texts) => {
                let fault = Fault::Count { wanted: sent.len(), got: texts.len() };
                self.failed(now, sent, fault);
            }
            Err(fault) => self.failed(now, sent, fault),
        }
    }

    fn settle(&mut self, waiting: Waiting, text: String) {
        // Remembered as it came, as its parts differ from line to line; a text that no line could use is cut.
        let known = match text.len() {
            0..=16_384 => Ok(text),
            _ => Err(Refusal::TooLong),
        };
        self.cache.put(waiting.key, known.clone());
        for (job, shielded) in waiting.lines {
            let state = self.judged(&job, &shielded, known.clone());
            self.done.push_back(Done { id: job.id, state });
        }
    }

    /// What a translated template makes of a line.
    fn judged(&mut self, job: &Job, shielded: &Shielded, known: Result<String, Refusal>) -> State {
        let restored = known.and_then(|template| shielded.restored(&template));
        match restored.and_then(|text| checked(job.text.as_str(), &text)) {
            // The service had nothing to translate.
            Ok(text) if text == job.text => State::NotNeeded,
            Ok(text) => {
                self.counters.translated += 1;
                State::Translated { text }
            }
            Err(why) => {
                self.counters.refused += 1;
                State::Refused { why }
            }
        }
    }

    fn failed(&mut self, now: Moment, sent: Vec<Waiting>, fault: Fault) {
        self.counters.failed += 1;
        self.failures = self.failures.saturating_add(1);
        let doubled = AGAIN * (1 << self.failures.saturating_sub(1).min(8));
        let back_off = doubled.min(MOST_BACK_OFF);
        let wait = match fault {
            Fault::RateLimited(Some(asked)) => asked.clamp(AGAIN, MOST_WAIT),
            Fault::NotAllowed => NOT_ALLOWED,
            // The next request may be another matter.
            Fault::Unreadable | Fault::Count { .. } | Fault::Rejected(_) if sent.len() > 1 => AGAIN,
            _ => back_off,
        };
        self.rest = now + wait;
        if fault == Fault::NotAllowed {
            let all: Vec<Waiting> = sent.into_iter().chain(self.waiting.drain(..)).collect();
            for waiting in all {
                self.give_up(waiting, Unavailable::NotAllowed);
            }
            return;
        }
        for mut waiting in sent.into_iter().rev() {
            if !matches!(fault, Fault::RateLimited(_)) {
                waiting.tries += 1;
            }
            if waiting.tries >= TRIES {
                self.give_up(waiting, Unavailable::Failed);
            } else {
                self.waiting.push_front(waiting);
            }
        }
        while self.waiting.len() > MOST_WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.give_up(oldest, Unavailable::Crowded);
        }
    }

    fn give_up(&mut self, waiting: Waiting, why: Unavailable) {
        for (job, _) in waiting.lines {
            let state = self.unavailable(why);
            self.done.push_back(Done { id: job.id, state });
        }
    }

    fn unavailable(&mut self, why: Unavailable) -> State {
        match why {
            Unavailable::Crowded => self.counters.crowded += 1,
            _ => self.counters.unavailable += 1,
        }
        State::Unavailable { why }
    }
}
