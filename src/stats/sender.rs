//! The sender's side of an output in detail: what its frames wait for, what congestion control does, by which way
//! it sends, what limits the quality. What is told, not how it is measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::latency::LatencySummary;

/// The way of the program's frames until they are encoded, over the last 10 s. Each stage begins where the one before
/// it ends; of one frame they add up. A stage that was not measured is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgramWay {
    /// From the capture of the main layer's picture until a tick takes it.
    pub capture: Option<LatencySummary>,
    /// Until it is drawn.
    pub compose: Option<LatencySummary>,
    /// Until it is out of the encoder, scaling and waiting for it included. Of the show's own encoding.
    pub encode: Option<LatencySummary>,
}

/// The way of an output's frames from there, over the last 10 s. Times are those of a frame's last packet.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OutputWay {
    /// The encoding that this output sends, as [`ProgramWay::encode`]; another one where it has a profile of its own.
    pub encode: Option<LatencySummary>,
    /// From there until the pacer lets the frame go: the queue, the packing, the pacer.
    pub pace: Option<LatencySummary>,
    /// Until it is handed to the socket: encryption.
    pub send: Option<LatencySummary>,
}

/// What congestion control does (`flow::Estimator`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CongestionState {
    /// Nothing speaks against more: it tries more.
    Rising,
    /// As much as was found to pass, or as is wanted.
    Holding,
    /// A queue stands on the path: less than passes is sent, until it is gone.
    Draining,
    /// Too much is lost to try more.
    Lossy,
    /// Less is sent on trial, to see whether the loss follows.
    Testing,
}

impl CongestionState {
    /// All of them. Their order is that of their numbers in the figures for Prometheus.
    pub const ALL: [Self; 5] =
        [Self::Rising, Self::Holding, Self::Draining, Self::Lossy, Self::Testing];

    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rising => "rising",
            Self::Holding => "holding",
            Self::Draining => "draining",
            Self::Lossy => "lossy",
            Self::Testing => "testing",
        }
    }
}

/// Which kind of address one end of a path is (RFC 8445, 5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateKind {
    /// An address of the machine itself.
    Host,
    /// The address that a NAT shows to a STUN server.
    ServerReflexive,
    /// The address that a NAT shows to the other end.
    PeerReflexive,
    /// An address of a TURN server.
    Relay,
}

impl CandidateKind {
    /// As SDP says it: `host`, `srflx`, `prflx`, `relay`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relay => "relay",
        }
    }

    /// Reads SDP's word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Host, Self::ServerReflexive, Self::PeerReflexive, Self::Relay]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// What a path's packets travel in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP (RFC 6544).
    Tcp,
}

impl Transport {
    /// `udp`, `tcp`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// The path that ICE has chosen. Kinds only: addresses are nobody's business on a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CandidatePair {
    /// Our end.
    pub local: CandidateKind,
    /// The ingest's end.
    pub remote: CandidateKind,
    /// Between our end, or our relay, and the ingest's.
    pub transport: Transport,
}

/// What keeps an output's picture from being what its profile wants. The words are those of W3C webrtc-stats
/// (`qualityLimitationReason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Nothing.
    #[default]
    None,
    /// The path carries less than the picture needs: it is smaller or coarser, frames are left out, or the sound goes
    /// alone.
    Bandwidth,
    /// The encoder does not keep up: frames are left out.
    Cpu,
    /// The encoding follows another output, whose path carries less.
    #[serde(other)]
    Other,
}

impl Limit {
    /// All of them. Their order is that of their numbers in what is kept.
    pub const ALL: [Self; 4] = [Self::None, Self::Bandwidth, Self::Cpu, Self::Other];

    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bandwidth => "bandwidth",
            Self::Cpu => "cpu",
            Self::Other => "other",
        }
    }
}

/// What limits the quality now, and for how long each reason did since the session is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct QualityLimit {
    /// Now.
    pub by: Limit,
    /// Milliseconds without any.
    pub none_ms: u64,
    /// Milliseconds limited by the path.
    pub bandwidth_ms: u64,
    /// Milliseconds limited by the encoder.
    pub cpu_ms: u64,
    /// Milliseconds limited by another output.
    pub other_ms: u64,
}

impl QualityLimit {
    /// Another `passed_ms` have gone by with that reason, which is the reason now.
    pub const fn note(&mut self, by: Limit, passed_ms: u64) {
        self.by = by;
        let spent = match by {
            Limit::None => &mut self.none_ms,
            Limit::Bandwidth => &mut self.bandwidth_ms,
            Limit::Cpu => &mut self.cpu_ms,
            Limit::Other => &mut self.other_ms,
        };
        *spent += passed_ms;
    }

    /// The time with that reason, in ms.
    pub const fn spent_ms(&self, by: Limit) -> u64 {
        match by {
            Limit::None => self.none_ms,
            Limit::Bandwidth => self.bandwidth_ms,
            Limit::Cpu => self.cpu_ms,
            Limit::Other => self.other_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_goes_to_the_reason_it_had() {
        let mut limit = QualityLimit::default();
        for (by, ms) in [(Limit::None, 900), (Limit::Bandwidth, 500), (Limit::Cpu, 40)] {
            limit.note(by, ms);
        }
        limit.note(Limit::Bandwidth, 250);
        assert_eq!(limit.by, Limit::Bandwidth);
        assert_eq!(Limit::ALL.map(|by| limit.spent_ms(by)), [900, 750, 40, 0]);
    }

    #[test]
    fn words_read_back_and_what_is_new_is_other() {
        for kind in ["host", "srflx", "prflx", "relay"] {
            assert_eq!(CandidateKind::of(kind).map(CandidateKind::word), Some(kind));
        }
        assert_eq!(CandidateKind::of("cloud"), None);
        for limit in Limit::ALL {
            assert_eq!(serde_json::to_value(limit).unwrap(), limit.word());
        }
        for state in CongestionState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
        assert_eq!(serde_json::from_str::<Limit>("\"heat\"").unwrap(), Limit::Other);
    }
}
