//! How far an ingest is: what was measured of it, summed up, judged in words and put in order, the best first.
//! Pure: `link::probe` measures the way, `engine::probe` publishes.

use std::{cmp::Ordering, net::IpAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{kin, session::Transport, stun::StunServer, wording};

/// Up to this round trip a conversation does not notice the way, in ms.
pub const NEAR_MS: f64 = 100.0;
/// Up to this one it does, and goes on: ITU-T G.114 calls 150 ms one way the end of what suits everybody, and
/// the encoder, the jitter buffer and the viewer's own way come on top.
pub const FAR_MS: f64 = 200.0;
/// Loss from here on is more than retransmission mends without being seen, 0.0-1.0.
const LOSSY: f64 = 0.05;
/// An ingest that carries less of what the profile starts with is too narrow for it.
const NARROW: f64 = 0.6;

/// What one round found. Times are in milliseconds; `None` where there was nothing to time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Round {
    /// Where it was connected to.
    pub address: Option<IpAddr>,
    /// From the question to the addresses.
    pub dns_ms: Option<f64>,
    /// From SYN to SYN-ACK: one round trip.
    pub tcp_ms: Option<f64>,
    /// The handshake of TLS: one round trip (1.3) or two (1.2), and the arithmetic.
    pub tls_ms: Option<f64>,
    /// From the request to the head of the reply: one round trip, and what the server needs.
    pub options_ms: Option<f64>,
    /// The status of that reply. Any will do.
    pub status: Option<u16>,
    /// From a binding request to its answer: one round trip by UDP.
    pub stun_ms: Option<f64>,
    /// STUN servers that the reply named.
    pub stun_servers: Vec<StunServer>,
    /// What went wrong.
    pub failure: Option<Transport>,
}

/// A time that was measured several times, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// The median.
    pub median_ms: f64,
    /// The least.
    pub min_ms: f64,
    /// The greatest.
    pub max_ms: f64,
}

impl Round {
    /// How far it is, in ms, by the same rule as [`Candidate::distance_ms`]; `None` unless it answered well.
    pub fn distance_ms(&self) -> Option<f64> {
        self.status.filter(|status| is_well(*status))?;
        Some(self.tcp_ms?.max(self.options_ms?))
    }
}

impl Spread {
    /// Sums up; `None` of nothing.
    pub fn of(times: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = times.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median_ms = match sorted.len() {
            0 => return None,
            n if n % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Self { median_ms, min_ms: *sorted.first()?, max_ms: *sorted.last()? })
    }

    /// How far the measurement that is farthest from the median is from it, in ms.
    pub fn reach_ms(&self) -> f64 {
        (self.max_ms - self.median_ms).max(self.median_ms - self.min_ms)
    }
}

/// A publish that was tried for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Published {
    /// How long media were sent, in milliseconds.
    pub for_ms: u64,
    /// From the order to publish until ICE and DTLS were done, in ms; `null` when they never were.
    pub connect_ms: Option<u32>,
    /// Mean bitrate sent, in kbit/s.
    pub kbps: Option<f64>,
    /// What the profile starts with, in kbit/s.
    pub wanted_kbps: u32,
    /// Mean loss that the ingest reported, 0.0-1.0.
    pub loss: Option<f64>,
    /// Median of the round trips by RTCP, in ms.
    pub rtt_ms: Option<f64>,
    /// Why it failed; `null` when it did not.
    pub failure: Option<String>,
    /// Whether a further try could help without a change.
    pub passing: bool,
}

/// How good an ingest is, the best first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Near and steady.
    Good,
    /// Will do.
    Fair,
    /// Reached, but too far for a conversation.
    Far,
    /// Reached, but not fit to carry the show.
    Poor,
    /// It does not want us: a token, a certificate, a path.
    Refused,
    /// Not reached.
    Unreachable,
}

impl Grade {
    /// Whether a show can go there.
    pub const fn is_good_enough(self) -> bool {
        matches!(self, Self::Good | Self::Fair)
    }
}

/// Which of a show's ingests it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// The output.
    pub output: String,
    /// Its place among the output's ingests, from 0; the others stand by.
    pub way: usize,
}

/// One ingest, measured and judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Host, and port where it is not the usual one. The path may be a secret.
    pub ingest: String,
    /// Which of the show's ingests it is; empty for an address that was given by hand.
    pub named: Vec<Named>,
    /// The address it was reached at last.
    pub address: Option<IpAddr>,
    /// Rounds tried.
    pub rounds: u32,
    /// Rounds that were answered.
    pub answered: u32,
    /// Finding its address; `null` where the address was given.
    pub dns: Option<Spread>,
    /// Opening a connection: one round trip.
    pub tcp: Option<Spread>,
    /// The TLS handshake; `null` for http.
    pub tls: Option<Spread>,
    /// Answering OPTIONS: one round trip, and what the server needs.
    pub options: Option<Spread>,
    /// The status that OPTIONS was answered with.
    pub status: Option<u16>,
    /// One round trip by UDP to the STUN server that the ingest or the operator names; `null` without one.
    pub stun: Option<Spread>,
    /// The publish that was tried; `null` unless asked for.
    pub publish: Option<Published>,
    /// How good it is.
    pub grade: Grade,
    /// Whether a show can go there.
    pub good_enough: bool,
    /// The same in words.
    pub verdict: String,
}

/// Every ingest asked, the best first. Its JSON Schema is printed by `hawker print probe-schema`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeReport {
    /// The version of this form: 1.
    pub version: u32,
    /// The best first.
    pub candidates: Vec<Candidate>,
}

impl ProbeReport {
    /// Puts candidates in order: by grade, then by distance, then as they came.
    pub fn sorted(mut candidates: Vec<Candidate>) -> Self {
        candidates.sort_by(|a, b| {
            let near = |c: &Candidate| c.distance_ms().unwrap_or(f64::INFINITY);
            a.grade.cmp(&b.grade).then(near(a).total_cmp(&near(b)))
        });
        Self { version: 1, candidates }
    }

    /// Whether a show can go to one of them.
    pub fn has_good_one(&self) -> bool {
        self.candidates.iter().any(|c| c.good_enough)
    }
}

impl Candidate {
    /// Sums up and judges. `limit_ms` is how long a round was waited for.
    pub fn judged(
        url: &Url,
        named: Vec<Named>,
        rounds: &[Round],
        publish: Option<Published>,
        limit_ms: u64,
    ) -> Self {
        let times = |of: fn(&Round) -> Option<f64>| Spread::of(rounds.iter().filter_map(of));
        let mut candidate = Self {
            ingest: kin::shown(url),
            named,
            address: rounds.iter().rev().find_map(|r| r.address),
            rounds: rounds.len() as u32,
            answered: rounds.iter().filter(|r| answered(r)).count() as u32,
            dns: times(|r| r.dns_ms),
            tcp: times(|r| r.tcp_ms),
            tls: times(|r| r.tls_ms),
            options: times(|r| r.options_ms),
            status: rounds.iter().rev().find_map(|r| r.status),
            stun: times(|r| r.stun_ms),
            publish,
            grade: Grade::Unreachable,
            good_enough: false,
            verdict: String::new(),
        };
        let failure = rounds.iter().rev().find_map(|r| r.failure.as_ref());
        (candidate.grade, candidate.verdict) = candidate.judge(failure, limit_ms);
        candidate.good_enough = candidate.grade.is_good_enough();
        candidate
    }

    /// One round trip, in ms: of media where they were sent. Else that of TCP, or the quickest answer to
    /// OPTIONS where that is longer: at many an ingest TCP ends at a front nearby.
    pub fn distance_ms(&self) -> Option<f64> {
        let sent = self.publish.as_ref().and_then(|p| p.rtt_ms);
        let asked = self.options.map_or(0.0, |options| options.min_ms);
        sent.or(self.tcp.map(|tcp| tcp.median_ms.max(asked)))
    }

    fn judge(&self, failure: Option<&Transport>, limit_ms: u64) -> (Grade, String) {
        if let Some(published) = &self.publish
            && let Some(why) = &published.failure
        {
            let grade = if published.passing { Grade::Poor } else { Grade::Refused };
            return (grade, why.clone());
        }
        if self.answered == 0 {
            let failure = failure.unwrap_or(&Transport::Timeout);
            return not_reached(failure, self.tcp.is_some(), limit_ms);
        }
        if let Some(status) = self.status.filter(|status| !is_well(*status)) {
            return (Grade::Poor, format!("it is not well: it answers {status}"));
        }
        if let Some(bad) = self.publish.as_ref().and_then(unfit) {
            return (Grade::Poor, bad);
        }
        let Some(distance) = self.distance_ms() else {
            return (Grade::Fair, "it answers; how far it is could not be measured".into());
        };
        let away = format!("{} away", whole_ms(distance));
        let lost = self.rounds - self.answered;
        let worst = self.options.or(self.tcp).map_or(0.0, |time| time.max_ms);
        let jumpy = worst - distance > NEAR_MS;
        let (grade, mut words) = if distance > FAR_MS {
            (Grade::Far, format!("far: {}; sound will lag", whole_ms(distance)))
        } else if lost > 0 {
            (Grade::Fair, format!("unsteady: {away}, but {lost} of {} rounds failed", self.rounds))
        } else if jumpy {
            (Grade::Fair, format!("unsteady: {away}, but up to {} at times", whole_ms(worst)))
        } else if distance > NEAR_MS {
            (Grade::Fair, format!("fair: {away}; answers will come a little late"))
        } else {
            (Grade::Good, format!("good: {away}"))
        };
        if self.status.is_none() {
            words.push_str("; it hangs up on OPTIONS");
        }
        (grade, words)
    }
}

/// Whether a server that answers OPTIONS with that status is well. It need not know OPTIONS, nor want it.
pub const fn is_well(status: u16) -> bool {
    !matches!(status, 500 | 502..=504)
}

/// Hanging up on OPTIONS is an answer too: of a server that knows POST alone.
fn answered(round: &Round) -> bool {
    round.status.is_some() || (round.failure == Some(Transport::Cut) && round.tcp_ms.is_some())
}

fn whole_ms(ms: f64) -> String {
    if ms < 1.0 { "under 1 ms".into() } else { format!("{ms:.0} ms") }
}

/// Why what was sent did not arrive well.
fn unfit(published: &Published) -> Option<String> {
    if let Some(loss) = published.loss.filter(|loss| *loss >= LOSSY) {
        return Some(format!("lossy: {:.1} % of what is sent is lost", loss * 100.0));
    }
    let wanted = f64::from(published.wanted_kbps);
    let kbps = published.kbps.filter(|kbps| *kbps < wanted * NARROW)?;
    Some(format!(
        "narrow: it carries {kbps:.0} of the {wanted:.0} kb/s that the profile starts with"
    ))
}

/// No round was answered. `connected` is whether one got as far as a connection.
fn not_reached(failure: &Transport, connected: bool, limit_ms: u64) -> (Grade, String) {
    let seconds = limit_ms as f64 / 1000.0;
    let words = match failure {
        Transport::Dns => "the name cannot be found: check it, and this machine's network".into(),
        Transport::DnsSilent => "no name server (DNS) answers: check this machine's network".into(),
        Transport::Refused => "nothing listens there: check the port".into(),
        Transport::Unreachable => "no way there: check this machine's network and firewall".into(),
        Transport::Timeout | Transport::NoConnection if connected => {
            format!("no answer in {seconds} s, though it takes connections: is it an ingest?")
        }
        Transport::Timeout | Transport::NoConnection => {
            format!("no answer in {seconds} s: check the address")
        }
        Transport::Untrusted(why) => {
            let why = wording::clean(why, None);
            return (Grade::Refused, format!("TLS certificate not trusted: {why}"));
        }
        Transport::NotTls => "it does not speak TLS: check the port, and http or https".into(),
        Transport::Cut => "it hangs up without an answer: is it an ingest?".into(),
        Transport::Other(why) => {
            format!("it cannot be talked to ({}): is it an ingest?", wording::clean(why, None))
        }
    };
    (Grade::Unreachable, words)
}

/// The ways of an output in the order in which to try them: those that answered, the nearest first, then the
/// others as they are listed.
pub fn nearest_first(rtt_ms: &[Option<u32>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rtt_ms.len()).collect();
    order.sort_by(|a, b| match (rtt_ms[*a], rtt_ms[*b]) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(tcp_ms: f64) -> Round {
        Round {
            address: Some([192, 0, 2, 1].into()),
            dns_ms: Some(1.0),
            tcp_ms: Some(tcp_ms),
            tls_ms: Some(tcp_ms + 2.0),
            options_ms: Some(tcp_ms),
            status: Some(405),
            ..Round::default()
        }
    }

    fn failed(failure: Transport) -> Round {
        Round { failure: Some(failure), ..Round::default() }
    }

    fn judged(rounds: &[Round], publish: Option<Published>) -> Candidate {
        let url = "https://eu.example:8443/secret?key=secret".parse().unwrap();
        Candidate::judged(&url, Vec::new(), rounds, publish, 5000)
    }

    fn published(rtt_ms: f64, loss: f64, kbps: f64) -> Published {
        Published {
            for_ms: 10_000,
            connect_ms: Some(310),
            kbps: Some(kbps),
            wanted_kbps: 2000,
            loss: Some(loss),
            rtt_ms: Some(rtt_ms),
            failure: None,
            passing: false,
        }
    }

    #[test]
    fn times_are_summed_up() {
        assert_eq!(Spread::of([]), None);
        let spread = Spread::of([30.0, 10.0, 20.0, 100.0]).unwrap();
        assert_eq!((spread.median_ms, spread.min_ms, spread.max_ms), (25.0, 10.0, 100.0));
        assert_eq!(spread.reach_ms(), 75.0);
    }

    #[test]
    fn every_verdict_in_words() {
        let steady = |ms| judged(&[round(ms), round(ms), round(ms)], None);
        let sent = |p| judged(&[round(23.0)], Some(p));
        let hung = Round { tcp_ms: Some(2.0), ..failed(Transport::Timeout) };
        let cut = Round { tcp_ms: Some(2.0), ..failed(Transport::Cut) };
        let refused = Published {
            failure: Some("the ingest refused the token (401): check it".into()),
            ..published(1.0, 0.0, 0.0)
        };
        let cases = [
            (steady(23.4), Grade::Good, "good: 23 ms away"),
            (steady(0.2), Grade::Good, "good: under 1 ms away"),
            (steady(130.0), Grade::Fair, "fair: 130 ms away; answers will come a little late"),
            (steady(240.0), Grade::Far, "far: 240 ms; sound will lag"),
            (
                judged(&[round(20.0), failed(Transport::Timeout), round(22.0)], None),
                Grade::Fair,
                "unsteady: 21 ms away, but 1 of 3 rounds failed",
            ),
            (
                judged(&[round(20.0), round(1020.0), round(22.0)], None),
                Grade::Fair,
                "unsteady: 22 ms away, but up to 1020 ms at times",
            ),
            (
                judged(&[Round { status: Some(503), ..round(20.0) }], None),
                Grade::Poor,
                "it is not well: it answers 503",
            ),
            (judged(&[cut], None), Grade::Good, "good: 2 ms away; it hangs up on OPTIONS"),
            (
                judged(&[hung], None),
                Grade::Unreachable,
                "no answer in 5 s, though it takes connections: is it an ingest?",
            ),
            (
                judged(&[failed(Transport::NoConnection)], None),
                Grade::Unreachable,
                "no answer in 5 s: check the address",
            ),
            (
                judged(&[failed(Transport::Dns)], None),
                Grade::Unreachable,
                "the name cannot be found: check it, and this machine's network",
            ),
            (
                judged(&[failed(Transport::Untrusted("self-signed\u{1b}[2J".into()))], None),
                Grade::Refused,
                "TLS certificate not trusted: self-signed[2J",
            ),
            (sent(published(45.0, 0.0, 2100.0)), Grade::Good, "good: 45 ms away"),
            (
                sent(published(45.0, 0.125, 2100.0)),
                Grade::Poor,
                "lossy: 12.5 % of what is sent is lost",
            ),
            (
                sent(published(45.0, 0.0, 800.0)),
                Grade::Poor,
                "narrow: it carries 800 of the 2000 kb/s that the profile starts with",
            ),
            (sent(refused), Grade::Refused, "the ingest refused the token (401): check it"),
        ];
        for (candidate, grade, verdict) in cases {
            assert_eq!((candidate.grade, candidate.verdict.as_str()), (grade, verdict));
            assert_eq!(candidate.good_enough, grade <= Grade::Fair);
            assert_eq!(candidate.ingest, "eu.example:8443");
            let json = serde_json::to_string(&candidate).unwrap();
            assert!(!json.contains("secret"), "{json}");
        }
    }

    #[test]
    fn the_best_is_first_and_equals_stay_in_order() {
        let named = |name: &str, rounds: &[Round]| {
            let url = format!("https://{name}.example/").parse().unwrap();
            Candidate::judged(&url, Vec::new(), rounds, None, 5000)
        };
        let report = ProbeReport::sorted(vec![
            named("gone", &[failed(Transport::Refused)]),
            named("far", &[round(300.0)]),
            named("fair", &[round(150.0)]),
            named("good", &[round(90.0)]),
            named("best", &[round(20.0)]),
            named("also-gone", &[failed(Transport::Dns)]),
        ]);
        let order: Vec<&str> = report.candidates.iter().map(|c| c.ingest.as_str()).collect();
        let want = ["best", "good", "fair", "far", "gone", "also-gone"];
        assert_eq!(order, want.map(|name| format!("{name}.example")));
        assert!(report.has_good_one());
    }

    #[test]
    fn the_nearest_way_is_tried_first_and_the_silent_ones_last_as_listed() {
        assert_eq!(nearest_first(&[None, Some(140), None, Some(23), Some(140)]), [3, 1, 4, 0, 2]);
        assert_eq!(nearest_first(&[None, None]), [0, 1]);
        assert_eq!(nearest_first(&[]), [] as [usize; 0]);
    }
}
