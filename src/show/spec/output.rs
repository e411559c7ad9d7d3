//! Where a show goes: WHIP ingests with their standbys, RTMP and SRT servers, recordings.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Profile, host_only};
use crate::{
    base::{OutputId, SecretRef},
    whip::shown,
};

/// An output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputSpec {
    /// Its name.
    pub id: OutputId,
    /// Where it goes.
    pub target: Target,
    /// How it is encoded, where that is not the show's own way. Outputs of one profile share an encoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Box<Profile>>,
}

impl OutputSpec {
    /// One that is encoded as the show is.
    pub const fn new(id: OutputId, target: Target) -> Self {
        Self { id, target, profile: None }
    }

    /// The same for eyes that may not see secrets: its addresses end at host and port.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        self.target.hide_secrets();
        self
    }
}

/// Where an output goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "to")]
pub enum Target {
    /// hawker's own stage.
    Stage,
    /// Ingests that speak WHIP.
    Whip(WhipSpec),
    /// A server that speaks RTMP or RTMPS.
    Rtmp(RtmpSpec),
    /// A server that speaks SRT.
    Srt(SrtSpec),
    /// Files on this machine.
    Record(RecordSpec),
}

/// A WHIP output: one show, one ingest at a time, the others standing by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhipSpec {
    /// Where it may go; at least one. The first is tried first, the others stand by in this order.
    pub ingests: Vec<IngestSpec>,
    /// In which order they are tried.
    pub pick: Pick,
    /// How long an ingest may be off the air before the next one takes its place, in milliseconds.
    pub allowance_ms: u32,
    /// Go back to the first ingest once it takes sessions again.
    pub return_to_first: bool,
    /// Hosts a redirect may carry the token to, beyond the ingest's own registrable domain.
    pub token_may_go_to: Vec<String>,
    /// A file of authorities to trust besides the machine's own, PEM.
    pub ca: Option<PathBuf>,
    /// How a path for media is found.
    pub ice: IceSpec,
}

/// One ingest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IngestSpec {
    /// Its endpoint. May hold a secret path: shown by host only.
    pub url: Url,
    /// The bearer token's place, if it asks for one.
    pub token: Option<SecretRef>,
    /// The name of the server's profile (`presets/ingests/`); `None` is found by the address.
    pub server: Option<String>,
}

/// In which order ingests are tried.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// As they are written.
    #[default]
    Listed,
    /// Probed before going live, the nearest good one first.
    Nearest,
}

/// How a path for media is found, beside what the ingest itself offers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct IceSpec {
    /// STUN and TURN servers of the operator's own. With any, those that the ingest names are not used.
    pub servers: Vec<IceServerSpec>,
    /// Media go by a relay, or not at all.
    pub relay_only: bool,
}

/// A STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IceServerSpec {
    /// `stun:`, `turn:` or `turns:` (RFC 7064, RFC 7065).
    pub url: String,
    /// The user, for TURN.
    pub user: Option<String>,
    /// The password's place, for TURN.
    pub credential: Option<SecretRef>,
}

/// An RTMP output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RtmpSpec {
    /// `rtmp:` or `rtmps:`, with the application's path, without the key.
    pub url: Url,
    /// The stream key's place; it is joined to the address by a slash.
    pub key: Option<SecretRef>,
}

/// An SRT output. It calls; MPEG-TS travels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SrtSpec {
    /// `srt://host:port`.
    pub url: Url,
    /// The stream id, if the server tells streams apart by it.
    pub stream_id: Option<SecretRef>,
    /// The passphrase's place, 10-79 characters; without it nothing is encrypted.
    pub passphrase: Option<SecretRef>,
    /// How long a lost packet may be asked for again, in milliseconds.
    pub latency_ms: u32,
}

/// A recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordSpec {
    /// The folder the files go to; it is made when it is not there.
    pub folder: PathBuf,
    /// The kind of file.
    pub container: Container,
    /// A new file begins at the first key frame after this many minutes.
    pub split_minutes: Option<u32>,
    /// A new file begins at the first key frame after this many megabytes (10^6 bytes).
    pub split_mb: Option<u32>,
    /// A new file begins with each segment of the rundown.
    #[serde(default)]
    pub split_at_segments: bool,
    /// What must stay free on the disk, in megabytes: below twice as much a warning, below it the recording
    /// ends in order.
    pub keep_free_mb: u32,
}

/// The kind of a recording's files. Both survive a process that is killed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Container {
    /// Matroska.
    #[default]
    Mkv,
    /// Fragmented MP4.
    Mp4,
}

impl WhipSpec {
    /// How long an ingest may be off the air unless told otherwise, in milliseconds.
    pub const ALLOWANCE_MS: u32 = 3000;

    /// One ingest, everything else as it is unless told otherwise.
    pub fn to(url: Url, token: Option<SecretRef>) -> Self {
        Self {
            ingests: vec![IngestSpec { url, token, server: None }],
            pick: Pick::Listed,
            allowance_ms: Self::ALLOWANCE_MS,
            return_to_first: false,
            token_may_go_to: Vec::new(),
            ca: None,
            ice: IceSpec::default(),
        }
    }
}

impl Target {
    /// Whether it is a recording, which has no audience.
    pub const fn is_recording(&self) -> bool {
        matches!(self, Self::Record(_))
    }

    /// Whether its form holds no other picture than H.264.
    pub const fn takes_only_h264(&self) -> bool {
        match self {
            Self::Rtmp(_) | Self::Srt(_) => true,
            Self::Record(record) => matches!(record.container, Container::Mp4),
            Self::Stage | Self::Whip(_) => false,
        }
    }

    /// How many ways there are to reach it: the ingest and its standbys.
    pub const fn ways(&self) -> usize {
        match self {
            Self::Whip(whip) => whip.ingests.len(),
            Self::Stage | Self::Rtmp(_) | Self::Srt(_) | Self::Record(_) => 1,
        }
    }

    /// What the operator may see of a way to it: never a path or a query, which may be secrets.
    pub fn shown(&self, way: usize) -> String {
        match self {
            Self::Stage => "the stage".into(),
            Self::Whip(whip) => whip.ingests.get(way).map_or_else(|| "?".into(), |i| shown(&i.url)),
            Self::Rtmp(rtmp) => shown(&rtmp.url),
            Self::Srt(srt) => shown(&srt.url),
            Self::Record(record) => record.folder.display().to_string(),
        }
    }

    /// Every secret it names, with what it is for.
    pub fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        fn some<'a>(
            what: &'static str,
            secret: Option<&'a SecretRef>,
        ) -> impl Iterator<Item = (&'static str, &'a SecretRef)> {
            secret.into_iter().map(move |s| (what, s))
        }
        match self {
            Self::Stage | Self::Record(_) => Vec::new(),
            Self::Whip(whip) => {
                let tokens = whip.ingests.iter().flat_map(|i| some("token", i.token.as_ref()));
                let relays =
                    whip.ice.servers.iter().flat_map(|s| some("credential", s.credential.as_ref()));
                tokens.chain(relays).collect()
            }
            Self::Rtmp(rtmp) => some("key", rtmp.key.as_ref()).collect(),
            Self::Srt(srt) => some("stream-id", srt.stream_id.as_ref())
                .chain(some("passphrase", srt.passphrase.as_ref()))
                .collect(),
        }
    }

    /// Every address it goes to, in full.
    pub fn addresses(&self) -> Vec<&Url> {
        match self {
            Self::Stage | Self::Record(_) => Vec::new(),
            Self::Whip(whip) => whip.ingests.iter().map(|ingest| &ingest.url).collect(),
            Self::Rtmp(rtmp) => vec![&rtmp.url],
            Self::Srt(srt) => vec![&srt.url],
        }
    }

    /// Addresses end at host and port.
    pub(super) fn hide_secrets(&mut self) {
        match self {
            Self::Stage | Self::Record(_) => {}
            Self::Whip(whip) => whip.ingests.iter_mut().for_each(|i| i.url = host_only(&i.url)),
            Self::Rtmp(rtmp) => rtmp.url = host_only(&rtmp.url),
            Self::Srt(srt) => srt.url = host_only(&srt.url),
        }
    }
}
