//! What a show is made of: the domain form of a show file, complete and checked. A `ShowSpec` in hand
//! is a show that can run; `config` turns files into it and refuses what cannot.

mod alarm;
mod monitor;
mod output;
mod segment;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    base::{Canvas, Db, InputId, Kbps, SceneId},
    chat::{control::ControlSpec, spec::ChatSpec},
    scene::{Composition, Layer, Layout},
    stats::history::Targets,
};

pub use crate::flow::Rung;
pub use alarm::{AlarmSpec, Webhook, WebhookTo};
pub use monitor::MonitorSpec;
pub use output::{
    Container, IceServerSpec, IceSpec, IngestSpec, OutputSpec, Pick, RecordSpec, RtmpSpec, SrtSpec,
    Target, WhipSpec,
};
pub use segment::SegmentSpec;

/// A whole show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShowSpec {
    /// What the operator calls it.
    pub title: String,
    /// How it is encoded and what it aims at.
    pub profile: Profile,
    /// Where pictures and sound come from.
    pub inputs: Vec<InputSpec>,
    /// What can be shown; at least one. The first is on program at the start.
    pub scenes: Vec<SceneSpec>,
    /// Where the program goes. Empty means the stage alone.
    pub outputs: Vec<OutputSpec>,
    /// Who watches from outside. Journals of earlier shows have none.
    #[serde(default)]
    pub monitors: Vec<MonitorSpec>,
    /// What raises an alarm. Journals of earlier shows have none.
    #[serde(default)]
    pub alarms: Vec<AlarmSpec>,
    /// The rundown. Journals of earlier shows have none.
    #[serde(default)]
    pub segments: Vec<SegmentSpec>,
    /// Where the audience writes. Journals of earlier shows have none.
    #[serde(default)]
    pub chats: Vec<ChatSpec>,
    /// What is done with the chat besides reading it. Journals of earlier shows have none.
    #[serde(default)]
    pub control: ControlSpec,
}

impl ShowSpec {
    /// The same show for eyes that may not see secrets (a journal, a console): addresses end at host and
    /// port, since user, password, path and query may each be the key to a stream.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        // Lists of words may be long, and whoever needs them has them from the show file.
        self.control = ControlSpec::default();
        for input in &mut self.inputs {
            if let InputKind::Network { uri } = &mut input.kind {
                *uri = host_only(uri);
            }
        }
        for output in &mut self.outputs {
            output.target.hide_secrets();
        }
        self.monitors.iter_mut().for_each(MonitorSpec::hide_secrets);
        self.alarms.iter_mut().for_each(AlarmSpec::hide_secrets);
        self
    }

    /// The scene of that name.
    pub fn scene(&self, id: &SceneId) -> Option<&SceneSpec> {
        self.scenes.iter().find(|s| s.id == *id)
    }

    /// The input of that name.
    pub fn input(&self, id: &InputId) -> Option<&InputSpec> {
        self.inputs.iter().find(|i| i.id == *id)
    }

    /// The scene placed on the program's canvas.
    pub fn compose(&self, scene: &SceneSpec) -> Arc<Composition> {
        let heard = match &scene.hears {
            Hears::Layers => scene.layers.iter().map(|l| l.input.clone()).collect(),
            Hears::Only(inputs) => inputs.clone(),
        };
        Arc::new(Composition::new(&scene.layers, &scene.layout, heard, self.profile.canvas))
    }
}

/// Whether the show is for an audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// On the stage only: no output of the show file is touched.
    Rehearse,
    /// To the outputs of the show file.
    Live,
}

/// An encode profile: what is put first, and the ladder to step down when the link asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// `lively`, `quality`, or the user's own.
    pub name: String,
    /// The program's picture.
    pub canvas: Canvas,
    /// The codec of the picture.
    pub codec: VideoCodec,
    /// The most effort of the encoder: an x264 speed preset (`ultrafast` to `medium`); other encoders take the
    /// nearest they have.
    pub effort: String,
    /// The least effort, which a busy machine comes down to.
    #[serde(default = "least_effort")]
    pub effort_least: String,
    /// Picture bitrate at most.
    pub max_kbps: Kbps,
    /// Picture bitrate at first.
    pub start_kbps: Kbps,
    /// Picture bitrate at least.
    pub min_kbps: Kbps,
    /// Sound bitrate.
    pub audio_kbps: Kbps,
    /// Milliseconds between key frames at most, 500-2000.
    pub keyframe_ms: u32,
    /// Capture-to-viewer latency aimed at, in milliseconds.
    pub latency_target_ms: u32,
    /// Time in which the picture may stand still for a viewer, in thousandths of the time watched, 0-1000.
    #[serde(default = "stall_target")]
    pub stall_target_permille: u32,
    /// The rungs to step down, best first. At least one.
    pub ladder: Vec<Rung>,
}

impl Profile {
    /// What it aims at for a viewer.
    pub const fn targets(&self) -> Targets {
        Targets { latency_ms: self.latency_target_ms, stall_permille: self.stall_target_permille }
    }
}

/// What a profile aims at that does not say: half a percent.
pub const STALL_TARGET_PERMILLE: u32 = 5;

/// The x264 presets that a live encoder can keep up with, fastest first.
pub const EFFORTS: [&str; 6] = ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"];

/// Pictures of fewer frames a second than this are not halved: they would be a slide show.
const HALVED_FROM_FPS: u32 = 20;

/// How much work an encoder puts into the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderEffort {
    /// The x264 preset, or the nearest that another encoder has.
    pub preset: String,
    /// Every other frame is left out.
    pub half_rate: bool,
}

impl std::fmt::Display for EncoderEffort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let half = if self.half_rate { ", every other frame" } else { "" };
        write!(f, "{}{half}", self.preset)
    }
}

impl Profile {
    /// The steps of the encoder's effort on a machine that gets busier, the most first. `presets` says whether the
    /// encoder knows them.
    pub fn efforts(&self, presets: bool) -> Vec<EncoderEffort> {
        let place = |word: &str| EFFORTS.iter().position(|e| *e == word);
        let most = place(&self.effort).unwrap_or(0);
        let least = if presets { place(&self.effort_least).unwrap_or(0).min(most) } else { most };
        let step = |preset: &str, half_rate| EncoderEffort { preset: preset.to_owned(), half_rate };
        let mut steps: Vec<_> =
            EFFORTS[least..=most].iter().rev().map(|p| step(p, false)).collect();
        if self.canvas.fps >= HALVED_FROM_FPS {
            steps.push(step(EFFORTS[least], true));
        }
        steps
    }
}

/// The least effort of a profile that does not say.
pub const LEAST_EFFORT: &str = "ultrafast";

/// Journals of earlier shows do not name it.
fn least_effort() -> String {
    LEAST_EFFORT.to_owned()
}

/// Journals of earlier shows do not name it.
const fn stall_target() -> u32 {
    STALL_TARGET_PERMILLE
}

impl Profile {
    /// The same standing upright, or lying. One that already does is left as it is.
    #[must_use]
    pub fn turned(mut self, upright: bool) -> Self {
        if self.is_upright() != upright {
            let rungs = self.ladder.iter_mut().map(|rung| &mut rung.canvas);
            for canvas in rungs.chain([&mut self.canvas]) {
                std::mem::swap(&mut canvas.width, &mut canvas.height);
            }
        }
        self
    }

    /// Whether its picture is higher than wide.
    pub const fn is_upright(&self) -> bool {
        self.canvas.height > self.canvas.width
    }
}

/// The codec of the picture. Sound is always Opus.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum VideoCodec {
    /// H.264 constrained baseline: every ingest and every browser takes it.
    #[default]
    H264,
    /// VP8: free of licences; no capture stamp inside.
    Vp8,
}

/// An input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Its name.
    pub id: InputId,
    /// What it is.
    pub kind: InputKind,
    /// Gain of its sound.
    pub gain: Db,
    /// Silent from the start.
    pub muted: bool,
}

/// What an input is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum InputKind {
    /// A moving picture and a tone, made here.
    Test {
        /// What moves.
        pattern: TestPattern,
        /// The tone in hertz, 20-20,000; `None` is silence.
        tone_hz: Option<u32>,
    },
    /// A media file.
    File {
        /// Where it is.
        path: PathBuf,
        /// From the beginning again when it ends.
        repeat: bool,
    },
    /// A still picture.
    Image {
        /// Where it is.
        path: PathBuf,
    },
    /// A screen of this machine.
    Screen {
        /// The X display (`:0`); `None` is the one in the environment.
        display: Option<String>,
        /// The part of it, `[x, y, width, height]` in pixels; `None` is all.
        region: Option<[u32; 4]>,
        /// Whether the pointer is seen.
        pointer: bool,
        /// Frames per second, 1-60; `None` is the program's.
        fps: Option<u32>,
    },
    /// A camera.
    Camera {
        /// Its name or stable id as `hawker devices` prints it; `None` is the first.
        device: Option<String>,
    },
    /// A microphone.
    Microphone {
        /// Its name or stable id as `hawker devices` prints it; `None` is the system's default.
        device: Option<String>,
    },
    /// A stream from the network.
    Network {
        /// `rtsp:`, `rtsps:`, `rtmp:`, `rtmps:`, `srt:`, `http:` or `https:` (HLS, or a file).
        uri: Url,
    },
}

impl InputKind {
    /// The word in a show file.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Test { .. } => "test",
            Self::File { .. } => "file",
            Self::Image { .. } => "image",
            Self::Screen { .. } => "screen",
            Self::Camera { .. } => "camera",
            Self::Microphone { .. } => "microphone",
            Self::Network { .. } => "network",
        }
    }

    /// Whether it has a picture to give.
    pub const fn has_picture(&self) -> bool {
        !matches!(self, Self::Microphone { .. })
    }

    /// Whether it may have sound to give.
    pub const fn may_have_sound(&self) -> bool {
        matches!(
            self,
            Self::Test { .. } | Self::File { .. } | Self::Microphone { .. } | Self::Network { .. }
        )
    }
}

/// What a test input shows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum TestPattern {
    /// A white ball that wanders over dark blue, with the time of day in the corner: easy on the encoder.
    #[default]
    Ball,
    /// Colour bars.
    Bars,
    /// Coarse noise: fills any bitrate, for measuring.
    Noise,
    /// The ball, and above it the machine's clock as black and white blocks, for a program to read: what a
    /// far end shows tells how old it is.
    Clock,
}

/// A scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneSpec {
    /// Its name.
    pub id: SceneId,
    /// What the operator reads.
    pub title: String,
    /// The key that previews it; with Shift held where a terminal can tell, cuts to it.
    pub key: Option<char>,
    /// The name of its layout.
    pub layout_name: String,
    /// Its layout.
    pub layout: Layout,
    /// Its layers, bottom first, at most the layout's capacity.
    pub layers: Vec<Layer>,
    /// What is heard.
    pub hears: Hears,
}

/// What is heard while a scene is on program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hears {
    /// The inputs that are seen.
    Layers,
    /// Just these, seen or not.
    Only(BTreeSet<InputId>),
}

/// Scheme, host and port.
fn host_only(url: &Url) -> Url {
    let mut shown = url.clone();
    // Some schemes have neither; then there is nothing to take away.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_path("");
    shown.set_query(None);
    shown.set_fragment(None);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_its_secrets_keeps_scheme_host_and_port() {
        let shown = |url: &str| host_only(&url.parse().unwrap()).to_string();
        assert_eq!(
            shown("rtsp://me:hunter2@cam.example:554/live?key=S#f"),
            "rtsp://cam.example:554"
        );
        assert_eq!(shown("https://ingest.example/whip/s3cret"), "https://ingest.example/");
        assert_eq!(shown("srt://10.0.0.1:9000?passphrase=hunter2"), "srt://10.0.0.1:9000");
    }
}
