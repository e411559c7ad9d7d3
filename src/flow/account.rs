//! What the reports of an ingest say of a path, for the eye: packets lost, and how unevenly the others arrive. Pure.

use super::Reported;

/// The account of one session.
#[derive(Debug, Clone, Copy, Default)]
pub struct Account {
    lost: u64,
    jitter_ns: Option<f64>,
    /// When the last packet that arrived was sent, and when it came, each by its own clock.
    last: Option<(u64, u64)>,
}

impl Account {
    /// Takes a report that came at `now`, the packets in the order in which they were sent.
    pub fn report(&mut self, now: u64, packets: &[Reported]) {
        for packet in packets.iter().filter(|packet| packet.is_sane(now)) {
            let Some(arrived) = packet.arrived_ns else {
                self.lost += 1;
                continue;
            };
            if let Some((sent_before, arrived_before)) =
                self.last.replace((packet.sent_ns, arrived))
            {
                let apart = |now: u64, before: u64| now as f64 - before as f64;
                let uneven = apart(arrived, arrived_before) - apart(packet.sent_ns, sent_before);
                // RFC 3550, 6.4.1: the mean deviation, smoothed over sixteen packets.
                let jitter = self.jitter_ns.get_or_insert(0.0);
                *jitter += (uneven.abs() - *jitter) / 16.0;
            }
        }
    }

    /// Packets reported as lost so far, before repair.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The interarrival jitter in ms (RFC 3550, 6.4.1); `None` before two packets have come.
    pub fn jitter_ms(&self) -> Option<f64> {
        self.jitter_ns.map(|ns| ns / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const S: u64 = 1000 * MS;

    /// Packets every 10 ms, each so many ms under way; `None` is lost.
    fn reported(ways: &[Option<u64>]) -> Account {
        let packet = |(n, way): (usize, &Option<u64>)| {
            let sent_ns = (n as u64 + 1) * 10 * MS;
            // The other end's clock began at another time.
            Reported { sent_ns, arrived_ns: way.map(|ms| sent_ns + ms * MS + 77), bytes: 1200 }
        };
        let mut account = Account::default();
        let packets: Vec<_> = ways.iter().enumerate().map(packet).collect();
        account.report(u64::MAX, &packets);
        account
    }

    #[test]
    fn a_steady_path_has_no_jitter_however_long_it_is() {
        let account = reported(&[Some(90); 50]);
        assert_eq!((account.lost(), account.jitter_ms()), (0, Some(0.0)));
        assert_eq!(reported(&[Some(5)]).jitter_ms(), None, "one packet says nothing");
    }

    #[test]
    fn jitter_is_the_mean_difference_between_two_ways() {
        let ways: Vec<_> = (0..400).map(|n| Some(40 + n % 2 * 8)).collect();
        let jitter = reported(&ways).jitter_ms().unwrap();
        assert!((jitter - 8.0).abs() < 0.01, "{jitter}");
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        let mut account = reported(&[Some(40); 20]);
        let absurd = |sent_ns, arrived_ns| Reported { sent_ns, arrived_ns, bytes: 1 };
        account.report(S, &[absurd(300 * MS, Some(u64::MAX - 5)), absurd(2 * S, None)]);
        assert_eq!((account.lost(), account.jitter_ms()), (0, Some(0.0)));
    }

    #[test]
    fn what_is_lost_is_counted_and_makes_no_jitter() {
        let ways: Vec<_> = (0..100).map(|n| (n % 10 != 3).then_some(40)).collect();
        let account = reported(&ways);
        assert_eq!((account.lost(), account.jitter_ms()), (10, Some(0.0)));
    }
}
