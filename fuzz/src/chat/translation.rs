//! Translation: lines and answers of a service that nobody may trust. What is shown adds no address; each line has one
//! final outcome; what waits is bounded.

use std::{collections::BTreeMap, sync::LazyLock};

use hawker::{
    base::Moment,
    chat::{
        Text,
        language::Language,
        phrases::PhraseTable,
        translate::{
            Job, Kind, State, Translator,
            verdict::{MORE, TIMES, addresses},
            wire::answer,
        },
    },
};

use super::{Step, check, steps};

static PHRASES: LazyLock<PhraseTable> = LazyLock::new(PhraseTable::new);

/// Bytes are a line, or after an operation the body of an answer.
pub fn translation(data: &[u8]) {
    let kind = if data.len().is_multiple_of(2) { Kind::Openai } else { Kind::Libretranslate };
    let mut translator = Translator::new(Some(kind));
    let mut lines: BTreeMap<u64, (Text, bool)> = BTreeMap::new();
    let (mut ms, mut away, mut status, mut from) = (0, None, None, None);
    for step in steps(data) {
        ms += 50;
        let now = Moment::from_ms(ms);
        match (step, status.take(), away) {
            (Step::Bytes(bytes), Some(status), Some(wanted)) => {
                let read = answer(kind, wanted, status, Some("1"), bytes);
                // What a service wrote although its form is wrong, too.
                let raw = || {
                    let raw = String::from_utf8_lossy(bytes);
                    let texts: Vec<String> = raw.split('\n').map(str::to_owned).collect();
                    (texts.len() == wanted).then_some(texts)
                };
                let read = read.or_else(|fault| raw().filter(|_| status == 200).ok_or(fault));
                translator.answered(now, read);
                away = None;
            }
            (Step::Bytes(bytes), ..) => {
                let text = Text::new(&String::from_utf8_lossy(bytes));
                let keep = vec![0..bytes.len() / 5, 3..4, 9_999..10_000];
                let id = lines.len() as u64;
                let line = Job { id, text: text.clone(), from, to: Language::En, keep };
                let state = translator.offer(now, line, &PHRASES);
                shown(&text, &state);
                lines.insert(id, (text, state.is_final()));
            }
            (Step::Op(op), ..) => match op % 8 {
                0 => ms += 1_000,
                1 => ms += 61_000,
                2 => from = Some(Language::Vi),
                3 => from = None,
                n => status = [200, 429, 403, 500].get(usize::from(n) - 4).copied(),
            },
        }
        if let Some(batch) = translator.take(Moment::from_ms(ms)) {
            assert!(away.is_none() && (1..=20).contains(&batch.texts.len()));
            away = Some(batch.texts.len());
        }
        assert!(translator.waiting() <= 240);
        while let Some(done) = translator.poll() {
            let (text, ended) = lines.get_mut(&done.id).expect("it was offered");
            assert!(done.state.is_final() && !std::mem::replace(ended, true), "{done:?}");
            shown(text, &done.state);
        }
    }
}

fn shown(original: &Text, state: &State) {
    let (State::Translated { text } | State::ByPhrase { text }) = state else { return };
    check::text(text);
    assert!(!text.is_empty());
    if matches!(state, State::Translated { .. }) {
        let given = addresses(original.as_str());
        assert!(
            addresses(text.as_str()).iter().all(|one| given.contains(one)),
            "{original:?} {text:?}"
        );
        let bytes = original.as_str().len().max(1) * 64 * (TIMES + 1) + MORE * 64;
        assert!(text.as_str().len() <= bytes);
    }
}
