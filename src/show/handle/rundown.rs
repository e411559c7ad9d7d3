//! The rundown: which segment runs, and when the next one begins.

use std::time::Duration;

use super::Turn;
use crate::{
    base::{Moment, OutputId},
    show::{
        Segment,
        event::{Effect, Happening},
        registry::Refusal,
        spec::Target,
        state::{OutputState, OutputStatus, Show},
    },
};

/// A recording that has run for less is not parted: its first file begins with the segment.
const WHOLE: Duration = Duration::from_secs(5);

/// Whether the segment after the one that runs can begin.
pub(super) fn allows_next(show: &Show) -> Result<(), Refusal> {
    let count = show.spec.segments.len();
    if count == 0 {
        return Err(Refusal::new("the show has no rundown: write [[segment]] tables in its file"));
    }
    match show.segment {
        None => Err(Refusal::new("the rundown begins when the show is on air")),
        Some(Segment { index, .. }) if index + 1 >= count => Err(Refusal::new(format!(
            "segment {count} is the last: begin-segment goes back to another"
        ))),
        _ => Ok(()),
    }
}

/// Whether there is a segment of that number, counted from 1.
pub(super) fn allows(show: &Show, number: u32) -> Result<(), Refusal> {
    match show.spec.segments.len() {
        _ if show.segment.is_none() => allows_next(show),
        count if (1..=count).contains(&(number as usize)) => Ok(()),
        count => Err(Refusal::new(format!("there is no segment {number}: use 1 to {count}"))),
    }
}

impl Show {
    /// When the segment that runs is to be over.
    pub fn segment_due(&self) -> Option<Moment> {
        let Segment { index, since } = self.segment?;
        let spec = self.spec.segments.get(index)?;
        Some(since + Duration::from_secs(spec.length_s.into()))
    }

    /// When the next segment begins by itself.
    pub(super) fn next_segment_at(&self) -> Option<Moment> {
        let index = self.segment?.index;
        let spec = self.spec.segments.get(index)?;
        let more = index + 1 < self.spec.segments.len();
        self.segment_due().filter(|_| spec.by_itself && more)
    }
}

impl Turn<'_> {
    /// The first segment begins with the audience.
    pub(super) fn begin_rundown(&mut self) {
        if self.show.segment.is_none() && self.show.aired().any(OutputState::is_live) {
            self.begin_segment(0, self.now.mono);
        }
    }

    pub(super) fn next_segment(&mut self) {
        let next = self.show.segment.map_or(0, |segment| segment.index + 1);
        self.begin_segment(next, self.now.mono);
    }

    /// The next one, if it is time. It counts from when it was due, so that a rundown keeps its times.
    pub(super) fn wake_rundown(&mut self) {
        if let (Some(at), Some(segment)) = (self.show.next_segment_at(), self.show.segment)
            && at <= self.now.mono
        {
            self.begin_segment(segment.index + 1, at);
        }
    }

    pub(super) fn begin_segment(&mut self, index: usize, since: Moment) {
        let Some(spec) = self.show.spec.segments.get(index).cloned() else { return };
        self.show.segment = Some(Segment { index, since });
        self.say(Happening::SegmentBegan {
            number: index as u32 + 1,
            of: self.show.spec.segments.len() as u32,
            title: spec.title,
            length_s: spec.length_s,
        });
        if let Some(scene) = spec.scene.filter(|scene| *scene != self.show.program) {
            self.take(&scene, self.show.transition);
        }
        let now = self.now.mono;
        let splits = |o: &&OutputState| {
            let begun =
                matches!(o.status, OutputStatus::Live { since, .. } if now.since(since) >= WHOLE);
            begun && matches!(&o.spec.target, Target::Record(r) if r.split_at_segments)
        };
        let recordings = self.show.recordings(None).filter(splits);
        for id in recordings.map(|o| o.spec.id.clone()).collect::<Vec<OutputId>>() {
            self.order(Effect::Split(id));
        }
    }
}
