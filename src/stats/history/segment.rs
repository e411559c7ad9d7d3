//! The segments of a show as they ran: from the events, with what the viewers had of each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    History, Track,
    summary::{Seen, mean, seen},
};

/// A segment as it ran. One that was begun twice is told twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentTold {
    /// Its number in the rundown, from 1.
    pub number: u32,
    /// Its title.
    pub title: String,
    /// When it began, in ms since the show began.
    pub from_ms: u64,
    /// How long it ran, in ms.
    pub lasted_ms: u64,
    /// How long it was meant to be, in seconds.
    pub length_s: u32,
    /// Most viewers at once, where they are known.
    pub viewers_most: Option<u32>,
    /// Viewers on average.
    pub viewers_mean: Option<f64>,
    /// What monitors saw of it.
    pub seen: Seen,
}

impl History {
    /// The segments, as they ran.
    pub fn segments(&self) -> Vec<SegmentTold> {
        let begun: Vec<_> = self.events.iter().filter(|n| n.event == "segment-began").collect();
        let over = self.events.iter().find(|n| n.event == "ending").map(|n| n.at_ms);
        let end = over.unwrap_or(self.duration_ms);
        let viewers = self.viewers();
        // A second that two share is the later one's.
        let next = begun.iter().skip(1).map(|next| (next.at_ms, next.at_ms / 1000));
        let until = next.chain([(end, end.div_ceil(1000))]);
        let told = begun.iter().zip(until).map(|(note, (until_ms, until_s))| {
            let whole = |name: &str| note.detail[name].as_u64().and_then(|n| u32::try_from(n).ok());
            let span = (note.at_ms / 1000) as u32..until_s as u32;
            let here = || viewers.iter().filter(|(at_s, _)| span.contains(*at_s)).map(|(_, n)| *n);
            let cut: Vec<_> = self.monitors.iter().map(|m| within(m, &span)).collect();
            SegmentTold {
                number: whole("number").unwrap_or_default(),
                title: note.detail["title"].as_str().unwrap_or_default().to_owned(),
                from_ms: note.at_ms,
                lasted_ms: until_ms.saturating_sub(note.at_ms),
                length_s: whole("length_s").unwrap_or_default(),
                viewers_most: here().max(),
                viewers_mean: mean(here()),
                seen: seen(cut.iter(), self.step_s),
            }
        });
        told.collect()
    }
}

/// The part of a track in those seconds.
fn within<T: Copy>(track: &Track<T>, span: &std::ops::Range<u32>) -> Track<T> {
    let seconds = track.seconds.iter().filter(|at| span.contains(&at.at_s)).copied().collect();
    Track { name: track.name.clone(), to: track.to.clone(), market: track.market.clone(), seconds }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;

    #[test]
    fn each_has_what_was_seen_of_it() {
        let mut show = sample();
        let [hook, hero] = &show.segments()[..] else { panic!("{:?}", show.segments()) };
        assert_eq!((hook.number, hook.title.as_str(), hook.length_s), (1, "Hook & <hero>", 240));
        assert_eq!((hook.from_ms, hook.lasted_ms), (2000, 298_000));
        assert_eq!((hook.seen.stalls, hook.seen.stalled_ms), (1, 1200), "the stall at 60 s");
        assert_eq!(hook.viewers_most, Some(2));
        assert_eq!((hero.lasted_ms, hero.seen.stalls), (300_000, 0));
        assert_eq!(hero.viewers_most, Some(5));
        assert_eq!(hook.seen.measured_s + hero.seen.measured_s, 598);
        // A second that two share is counted once.
        let last = show.events.iter_mut().rfind(|n| n.event == "segment-began").unwrap();
        last.at_ms += 400;
        let measured: u64 = show.segments().iter().map(|s| s.seen.measured_s).sum();
        assert_eq!(measured, 598);
        show.events.clear();
        assert_eq!(show.segments(), []);
    }
}
