//! Whether the far end of a media session is still there, judged by the signs of life that it gives. Each kind of sign
//! is judged by itself, at the interval that this peer usually keeps, and only once the peer has given it. Pure: time is
//! an argument.

use std::time::Duration;

use crate::base::{Moment, Ring};

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A transport-wide feedback report (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    Packets,
    /// A report that comes at intervals: SR, RR (RFC 3550, 6.4) or XR (RFC 3611).
    Report {
        /// It confirms packets that the report before did not: media arrive.
        progress: bool,
    },
    /// Feedback that comes when there is a cause: NACK, PLI, FIR, REMB.
    Feedback,
    /// The answer to an ICE connectivity check of ours. It shows that the session exists, not that media arrive.
    Consent,
}

/// The kinds of sign that come at intervals, and so can stay out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// See [`Sign::Packets`].
    Packets,
    /// See [`Sign::Report`].
    Reports,
    /// See [`Sign::Consent`]. Judged where neither of the others is given, or reports come too seldom.
    Consent,
}

/// What [`Liveness::judge`] found. Each is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// A sign stays out.
    Silent {
        /// The kind of sign that stays out.
        kind: Kind,
        /// For how long it has.
        quiet: Duration,
    },
    /// It is back.
    Healed,
    /// It has stayed out for so long that the session is of no more use.
    Lost {
        /// The kind of sign that stays out.
        kind: Kind,
        /// For how long it has.
        quiet: Duration,
    },
    /// The peer has given no sign since the session opened. Nothing more can be said about it until it gives one.
    Unheard,
}

/// Intervals that are remembered of each kind.
const REMEMBERED: usize = 32;
/// Of so many intervals the longest is left out: one report that is lost on the way must not slow down the judgement.
const LEFT_OUT: usize = 16;
/// What comes within this time belongs to the report before it (a compound packet cut in two, one report for each stream).
const TOGETHER: Duration = Duration::from_millis(20);

/// Transport-wide feedback comes every 50 to 250 ms. Silence is three intervals, and at least this.
const PACKETS_LEAST: Duration = Duration::from_millis(500);
/// A receiver that has reported every 250 ms or faster is silent after this time at the latest, however unevenly its
/// reports came. With the engine's look every 100 ms an ingest that is gone is noticed within 1.5 s.
const PACKETS_MOST: Duration = Duration::from_millis(1300);
const PACKETS_FAST: Duration = Duration::from_millis(250);
/// The same for a receiver that reports less often.
const PACKETS_SLOW: Duration = Duration::from_millis(3500);

/// Reports of a receiver that keeps an interval of about a second (libwebrtc, Janus, aiortc) are 0.5 to 1.5 of it apart
/// (RFC 3550, 6.3.1). Two of the longest, and at most [`REPORTS_MOST`], is silence: noticed within 3 s.
const REPORTS_LEAST: Duration = Duration::from_secs(2);
const REPORTS_MOST: Duration = Duration::from_millis(2800);
const REPORTS_FAST: Duration = Duration::from_millis(1600);
/// A receiver that keeps to the least interval of RFC 3550 (5 s, up to 7.5 s by chance) is given two of those. It holds,
/// too, while too few reports have come to know the interval.
const REPORTS_SLOW: Duration = Duration::from_secs(15);
/// So many intervals must be known before the usual one is.
const KNOWN: usize = 6;

/// At what interval connectivity checks are to be sent where only their answers tell that the ingest is there. RFC 7675
/// (5.1) asks for 5 s, and for consent that expires after 30 s; an ingest that is gone is to be noticed within 10 s here.
pub const CHECK_INTERVAL: Duration = Duration::from_millis(2500);
/// Three checks in a row without an answer: the third is given half a second.
const CONSENT_LIMIT: Duration = Duration::from_secs(8);

/// Silence that lasts this long ends the session, or twice the usual limit where that is longer.
const LOST: Duration = Duration::from_secs(10);
/// A peer that reports at all has done so by now: the least interval of RFC 3550 with chance (7.5 s), and one more second.
const UNHEARD: Duration = Duration::from_millis(8500);
/// So many reports that confirm new packets show that media arrive, whatever has become of the feedback on each packet.
const PROOF: u32 = 2;

/// The caller judges about every 100 ms. A look that comes this much later was kept from running, and what has come
/// meanwhile may not have been taken yet.
const LATE: Duration = Duration::from_millis(350);
/// So long nothing is called silent after a late look.
const CATCH_UP: Duration = Duration::from_millis(300);
/// A figure is shown for this many intervals after the report that it is from...
const FRESH: u32 = 4;
/// ... and at least for this long.
const FRESH_PACKETS: Duration = Duration::from_secs(1);
const FRESH_REPORTS: Duration = Duration::from_secs(5);

/// At what intervals a kind of sign comes.
#[derive(Debug)]
struct Rhythm {
    last: Option<Moment>,
    intervals: Ring<Duration>,
}

impl Rhythm {
    fn new() -> Self {
        Self { last: None, intervals: Ring::new(REMEMBERED) }
    }

    /// An interval that was a silence says nothing about what is usual.
    fn heard(&mut self, now: Moment, silence: bool) {
        if let Some(last) = self.last {
            let interval = now.since(last);
            if interval < TOGETHER {
                return;
            }
            if !silence {
                self.intervals.push(interval);
            }
        }
        self.last = Some(now);
    }

    fn quiet(&self, now: Moment) -> Option<Duration> {
        self.last.map(|last| now.since(last))
    }

    /// The longest interval that is usual.
    fn longest(&self) -> Duration {
        let mut sorted: Vec<Duration> = self.intervals.iter().copied().collect();
        sorted.sort_unstable();
        let at = sorted.len().saturating_sub(1 + sorted.len() / LEFT_OUT);
        sorted.get(at).copied().unwrap_or_default()
    }

    /// The interval in the middle.
    fn median(&self) -> Duration {
        let mut sorted: Vec<Duration> = self.intervals.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}

/// The judge of one session.
#[derive(Debug)]
pub struct Liveness {
    opened: Moment,
    packets: Rhythm,
    reports: Rhythm,
    consent: Rhythm,
    heard_packets: bool,
    heard_reports: bool,
    heard_consent: bool,
    /// Of those that tell something about media.
    last_sign: Option<Moment>,
    silent: Option<Kind>,
    /// Reports that confirmed new packets since the feedback on each packet stayed out.
    proof: u32,
    /// Feedback on each packet stays out while media arrive: it is not judged any more until it comes again.
    without_packets: bool,
    lost: bool,
    unheard_told: bool,
    looked: Option<Moment>,
    /// Nothing is called silent before.
    patient_until: Moment,
}

impl Liveness {
    /// For a session that opens now.
    pub fn new(now: Moment) -> Self {
        Self {
            opened: now,
            packets: Rhythm::new(),
            reports: Rhythm::new(),
            consent: Rhythm::new(),
            heard_packets: false,
            heard_reports: false,
            heard_consent: false,
            last_sign: None,
            silent: None,
            proof: 0,
            without_packets: false,
            lost: false,
            unheard_told: false,
            looked: None,
            patient_until: now,
        }
    }

    /// The session is open: silence counts from here.
    pub fn open(&mut self, now: Moment) {
        self.opened = now;
        for rhythm in [&mut self.packets, &mut self.reports, &mut self.consent] {
            // What came during the set-up tells nothing about the interval.
            *rhythm = Rhythm { last: rhythm.last.map(|_| now), ..Rhythm::new() };
        }
    }

    /// This kind of sign is expected from now on: an earlier session with the same peer had it.
    pub fn expect(&mut self, now: Moment, kind: Kind) {
        let rhythm = match kind {
            Kind::Packets => &mut self.packets,
            Kind::Reports => &mut self.reports,
            Kind::Consent => &mut self.consent,
        };
        rhythm.last.get_or_insert(now);
    }

    /// Which kind of sign has come, the more telling one first.
    pub const fn given(&self) -> Option<Kind> {
        match (self.heard_packets, self.heard_reports, self.heard_consent) {
            (true, _, _) => Some(Kind::Packets),
            (false, true, _) => Some(Kind::Reports),
            (false, false, true) => Some(Kind::Consent),
            (false, false, false) => None,
        }
    }

    /// A sign has come.
    pub fn heard(&mut self, now: Moment, sign: Sign) {
        if sign != Sign::Consent {
            self.last_sign = Some(now);
        }
        match sign {
            Sign::Packets => {
                let silence = self.is_overdue(Kind::Packets, now);
                self.packets.heard(now, silence);
                self.heard_packets = true;
                self.without_packets = false;
                self.proof = 0;
            }
            Sign::Report { progress } => {
                let silence = self.is_overdue(Kind::Reports, now);
                self.reports.heard(now, silence);
                self.heard_reports = true;
                if progress && self.is_overdue(Kind::Packets, now) {
                    self.proof += 1;
                    // The first may speak of packets from before.
                    self.without_packets |= self.proof > PROOF;
                }
            }
            Sign::Feedback => {}
            Sign::Consent => {
                let silence = self.is_overdue(Kind::Consent, now);
                self.consent.heard(now, silence);
                self.heard_consent = true;
            }
        }
    }

    /// Looks at what has come and what has stayed out.
    pub fn judge(&mut self, now: Moment) -> Option<News> {
        if self.looked.replace(now).is_some_and(|before| now.since(before) > LATE) {
            self.patient_until = now + CATCH_UP;
        }
        if let Some(kind) = self.silent {
            let (quiet, limit) = self.standing(kind, now)?;
            let elsewhere = match kind {
                Kind::Packets => self.without_packets,
                Kind::Reports => self.gives_packets() && !self.is_overdue(Kind::Packets, now),
                Kind::Consent => !self.needs_checks(),
            };
            if quiet <= limit || elsewhere {
                self.silent = None;
                return Some(News::Healed);
            }
            if quiet > LOST.max(limit * 2) && !self.lost {
                self.lost = true;
                return Some(News::Lost { kind, quiet });
            }
            return None;
        }
        if now < self.patient_until {
            return None;
        }
        let kinds = [Kind::Packets, Kind::Reports, Kind::Consent];
        let overdue = kinds.into_iter().find(|kind| {
            // Where there is feedback on each packet, the other reports have nothing to add.
            let judged = match kind {
                Kind::Packets => !self.without_packets,
                Kind::Reports => !self.gives_packets(),
                Kind::Consent => self.needs_checks(),
            };
            judged && self.is_overdue(*kind, now)
        });
        if let Some(kind) = overdue {
            let (quiet, _) = self.standing(kind, now)?;
            self.silent = Some(kind);
            return Some(News::Silent { kind, quiet });
        }
        if self.last_sign.is_none() && !self.unheard_told && now.since(self.opened) > UNHEARD {
            self.unheard_told = true;
            return Some(News::Unheard);
        }
        None
    }

    /// Whether it gives feedback on each packet.
    pub fn gives_packets(&self) -> bool {
        self.packets.last.is_some() && !self.without_packets
    }

    /// Whether it reports at intervals of about a second.
    fn reports_often(&self) -> bool {
        self.reports.intervals.len() >= KNOWN && self.reports.longest() <= REPORTS_FAST
    }

    /// Whether answers to connectivity checks show sooner than its other signs that the peer is there.
    pub fn needs_checks(&self) -> bool {
        !self.gives_packets() && !self.reports_often()
    }

    /// Whether no sign has come, long enough after the session opened to say so.
    pub fn is_unheard(&self, now: Moment) -> bool {
        self.last_sign.is_none() && now.since(self.opened) > UNHEARD
    }

    /// How long the sign has stayed out by which this peer is judged; `None` for one that gives none. Reports that come
    /// once in a while are counted from when the next is due at the latest.
    pub fn quiet(&self, now: Moment) -> Option<Duration> {
        if self.gives_packets() {
            return self.packets.quiet(now);
        }
        let reports = self.reports.last.is_some();
        let kind = if reports { Kind::Reports } else { Kind::Consent };
        self.standing(kind, now).map(|(quiet, limit)| quiet.saturating_sub(limit / 2))
    }

    /// Whether figures from the last sign of that kind may still be shown.
    pub fn is_fresh(&self, kind: Kind, now: Moment) -> bool {
        let (rhythm, least) = match kind {
            Kind::Packets => (&self.packets, FRESH_PACKETS),
            Kind::Reports => (&self.reports, FRESH_REPORTS),
            Kind::Consent => (&self.consent, CONSENT_LIMIT),
        };
        rhythm.quiet(now).is_some_and(|quiet| quiet <= least.max(rhythm.longest() * FRESH))
    }

    fn is_overdue(&self, kind: Kind, now: Moment) -> bool {
        self.standing(kind, now).is_some_and(|(quiet, limit)| quiet > limit)
    }

    /// How long that sign has stayed out, and how long it may.
    fn standing(&self, kind: Kind, now: Moment) -> Option<(Duration, Duration)> {
        let (quiet, limit) = match kind {
            Kind::Packets => {
                let most = match self.packets.median() {
                    median if median > PACKETS_FAST => PACKETS_SLOW,
                    _ => PACKETS_MOST,
                };
                let limit = match self.packets.intervals.len() {
                    // With a few intervals known it may be one that reports slowly.
                    0..KNOWN => PACKETS_MOST,
                    _ => (self.packets.longest() * 3).clamp(PACKETS_LEAST, most),
                };
                (self.packets.quiet(now)?, limit)
            }
            Kind::Reports => {
                let longest = self.reports.longest();
                let limit = match self.reports.intervals.len() {
                    0..KNOWN => REPORTS_SLOW,
                    _ if longest <= REPORTS_FAST => {
                        (longest * 2).clamp(REPORTS_LEAST, REPORTS_MOST)
                    }
                    _ => (longest * 2).min(REPORTS_SLOW),
                };
                (self.reports.quiet(now)?, limit)
            }
            Kind::Consent => {
                // Checks may be kept out by a firewall while the session lives on.
                let heard = self.last_sign.map_or(Duration::MAX, |last| now.since(last));
                (self.consent.quiet(now)?.min(heard), CONSENT_LIMIT)
            }
        };
        Some((quiet, limit))
    }
}

#[cfg(test)]
mod tests;
