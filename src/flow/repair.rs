//! What is sent again, and how often, on a path that loses packets. A lost packet is asked for, comes a round trip
//! later, and may be lost too; a frame that is late by two round trips is a picture that stood still. So where
//! packets are lost by chance, what is asked for is sent several times at once, and sound, which nobody asks for,
//! is said again with the next packet. Where packets are lost because too many are sent, nothing is added to them.

use std::collections::VecDeque;

use super::Reported;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// So many copies that all of them are lost with this chance at most.
const ALL_LOST: f64 = 0.002;
/// Copies of one packet at a time, at most.
const MOST: u32 = 4;
/// From which share of lost packets on sound is said twice, and three times.
const SAY_TWICE: f64 = 0.012;
const SAY_THRICE: f64 = 0.10;
/// The share of lost packets is a mean over about this long.
const MEAN: f64 = 2.0 * S as f64;
/// The quickest answer counts for at least this long, and at most twice as long.
const QUICKEST: u64 = 10 * S;
/// A request that comes sooner after the last for the same packet was sent before the answer can have been there.
const STALE: f64 = 0.9;
/// Assumed before the first report.
const FIRST_ROUND_TRIP: u64 = 50 * MS;
/// Requests that are remembered.
const REMEMBERED: usize = 512;

/// What is known of one path's losses.
#[derive(Debug, Default)]
pub struct Repair {
    /// Share of packets lost, 0-1.
    loss: f64,
    reported_at: Option<u64>,
    /// The path carries more than must be sent.
    spare: bool,
    /// The quickest answers of this stretch and of the one before, in nanoseconds; when this one began.
    quickest: (Option<u64>, Option<u64>),
    stretch_began: u64,
    /// Packets that were sent again, and when.
    answered: VecDeque<(u16, u64)>,
}

impl Repair {
    /// Takes a report that came at `now` (nanoseconds, the sender's clock): the share of packets lost lately, and
    /// whether the path carries more than must be sent: no queue stands on it, and sound is little of the rate.
    pub fn report(&mut self, now: u64, packets: &[Reported], loss: f64, spare: bool) {
        let since = self.reported_at.map_or(0, |at| now.saturating_sub(at));
        self.reported_at = Some(now);
        self.loss += (loss - self.loss) * (since as f64 / MEAN).min(1.0);
        self.spare = spare;
        let newest = packets.iter().filter(|p| p.arrived_ns.is_some()).map(|p| p.sent_ns).max();
        let Some(took) = newest.and_then(|sent| now.checked_sub(sent)) else { return };
        if self.stretch_began + QUICKEST < now {
            self.quickest = (None, self.quickest.0);
            self.stretch_began = now;
        }
        self.quickest.0 = Some(self.quickest.0.map_or(took, |least| least.min(took)));
    }

    /// How soon an answer can be there, in nanoseconds.
    fn round_trip(&self) -> u64 {
        let known = [self.quickest.0, self.quickest.1];
        known.into_iter().flatten().min().unwrap_or(FIRST_ROUND_TRIP)
    }

    /// The packet with this number is asked for at `now`: how often it is sent. Not at all while the last answer
    /// is still under way.
    pub fn request(&mut self, now: u64, number: u16) -> u32 {
        let hold = (self.round_trip() as f64 * STALE) as u64;
        while self.answered.front().is_some_and(|(_, at)| at + hold < now) {
            self.answered.pop_front();
        }
        if self.answered.iter().any(|(n, _)| *n == number) {
            return 0;
        }
        if self.answered.len() == REMEMBERED {
            self.answered.pop_front();
        }
        self.answered.push_back((number, now));
        self.copies()
    }

    fn copies(&self) -> u32 {
        let (mut copies, mut lost) = (1, self.loss);
        while self.spare && lost > ALL_LOST && copies < MOST {
            lost *= self.loss;
            copies += 1;
        }
        copies
    }

    /// How many of the packets of sound before it go with each.
    pub fn echoes(&self) -> usize {
        match self.loss {
            _ if !self.spare => 0,
            loss if loss >= SAY_THRICE => 2,
            loss if loss >= SAY_TWICE => 1,
            _ => 0,
        }
    }

    /// The share of sound that is lost all the same, 0-1.
    pub fn sound_loss(&self) -> f64 {
        self.loss.powi(1 + self.echoes() as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path with that loss for five seconds; answers come after 80 ms. Ends at 5 s.
    fn known(loss: f64, spare: bool) -> Repair {
        let mut repair = Repair::default();
        for report in 1..=50 {
            let now = report * 100 * MS;
            let took = if report % 5 == 0 { 80 } else { 130 } * MS;
            let sent_ns = now.saturating_sub(took);
            let packet = Reported { sent_ns, arrived_ns: Some(7), bytes: 1200 };
            repair.report(now, &[packet], loss, spare);
        }
        repair
    }

    #[test]
    fn the_more_is_lost_the_more_often_it_is_sent_again() {
        let copies = |loss| known(loss, true).request(5 * S, 1);
        assert_eq!([0.0, 0.01, 0.05, 0.1, 0.2, 0.4].map(copies), [1, 2, 3, 3, 4, 4]);
        let echoes = |loss| known(loss, true).echoes();
        assert_eq!([0.0, 0.01, 0.02, 0.05, 0.2].map(echoes), [0, 0, 1, 1, 2]);
    }

    #[test]
    fn what_a_full_path_loses_is_sent_once() {
        let mut repair = known(0.2, false);
        assert_eq!((repair.request(5 * S, 1), repair.echoes()), (1, 0));
        assert!((repair.sound_loss() - 0.2).abs() < 0.02);
    }

    #[test]
    fn a_request_from_before_the_answer_came_is_not_answered_twice() {
        let mut repair = known(0.05, true);
        assert_eq!(repair.request(5 * S, 9), 3);
        assert_eq!(repair.request(5 * S + 33 * MS, 9), 0);
        assert_eq!(repair.request(5 * S + 33 * MS, 10), 3, "another packet");
        assert_eq!(repair.request(5 * S + 66 * MS, 9), 0);
        assert_eq!(repair.request(5 * S + 99 * MS, 9), 3, "the answers were lost too");
    }

    #[test]
    fn sound_that_is_said_again_is_hardly_lost() {
        assert!(known(0.05, true).sound_loss() < 0.003);
        assert!(known(0.2, true).sound_loss() < 0.009);
    }

    #[test]
    fn a_moment_of_loss_is_no_weather() {
        let mut repair = known(0.0, true);
        repair.report(5 * S + 50 * MS, &[], 0.2, true);
        assert_eq!((repair.echoes(), repair.request(5 * S + 50 * MS, 1)), (0, 2));
    }
}
