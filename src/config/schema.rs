//! The form of a show file, for editors that complete it, and of the reports. It describes and does not
//! read: `config::show` reads, and a test holds the two to the same keys.

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

use crate::{show::VideoCodec, show::spec::TestPattern, stats::Report, whip::probe::ProbeReport};

/// The JSON Schema of a show file.
pub fn show_schema() -> serde_json::Value {
    schema_for!(ShowForm).to_value()
}

/// The JSON Schema of a show's report.
pub fn report_schema() -> serde_json::Value {
    schema_for!(Report).to_value()
}

/// The JSON Schema of a probe of ingests.
pub fn probe_schema() -> serde_json::Value {
    schema_for!(ProbeReport).to_value()
}

/// A hawker show.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "hawker show")]
pub struct ShowForm {
    /// What the operator calls the show.
    #[schemars(length(min = 1, max = 400))]
    pub title: String,
    /// How it is encoded: `lively` (delay first, the default), `quality` (picture first), or a profile of
    /// your own.
    pub profile: Option<String>,
    /// What the program's picture is.
    pub program: Option<ProgramForm>,
    /// Where pictures and sound come from.
    pub input: Option<Vec<InputForm>>,
    /// What can be shown. The first is on program at the start.
    #[schemars(length(min = 1))]
    pub scene: Vec<SceneForm>,
    /// Where the program goes. None means the built-in stage alone.
    pub output: Option<Vec<OutputForm>>,
}

/// What the program's picture is.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProgramForm {
    /// Lying (16:9) or upright (9:16).
    pub canvas: Option<CanvasForm>,
    /// The codec of the picture.
    pub codec: Option<VideoCodec>,
}

/// The shape of the program.
#[derive(Debug, JsonSchema, Deserialize)]
pub enum CanvasForm {
    /// Lying.
    #[serde(rename = "16:9")]
    Wide,
    /// Upright.
    #[serde(rename = "9:16")]
    Tall,
}

/// What every input has, beside what its kind has.
macro_rules! input_form {
    ($(#[$doc:meta])* $name:ident { $($body:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, JsonSchema, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct $name {
            /// Its name: 1-32 of a-z, 0-9, '-' and '_'.
            #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
            pub id: String,
            /// Gain of its sound in dB.
            #[schemars(range(min = -60, max = 20))]
            pub gain_db: Option<f32>,
            /// Silent from the start.
            pub muted: Option<bool>,
            $($body)*
        }
    };
}

input_form! {
    /// A moving picture and a tone, made by hawker.
    TestForm {
        /// What moves; a ball unless told otherwise.
        pub pattern: Option<TestPattern>,
        /// The tone in hertz; silent without it.
        #[schemars(range(min = 20, max = 20_000))]
        pub tone_hz: Option<u32>,
    }
}
input_form! {
    /// A media file.
    FileForm {
        /// Where it is, from the folder of the show file.
        pub path: String,
        /// From the beginning again when it ends; true unless told otherwise.
        pub repeat: Option<bool>,
    }
}
input_form! {
    /// A still picture.
    ImageForm {
        /// Where it is, from the folder of the show file.
        pub path: String,
    }
}
input_form! {
    /// A screen of this machine.
    ScreenForm {
        /// The X display (`:0`); the one in the environment without it.
        pub display: Option<String>,
        /// A part of it: x, y, width and height in pixels, width and height even.
        pub region: Option<[u32; 4]>,
        /// Whether the pointer is seen; true unless told otherwise.
        pub pointer: Option<bool>,
        /// Frames per second; the program's without it.
        #[schemars(range(min = 1, max = 60))]
        pub fps: Option<u32>,
    }
}
input_form! {
    /// A camera.
    CameraForm {
        /// Its name or stable id as `hawker devices` prints it; the first without it.
        pub device: Option<String>,
    }
}
input_form! {
    /// A microphone.
    MicrophoneForm {
        /// Its name or stable id as `hawker devices` prints it; the system's default without it.
        pub device: Option<String>,
    }
}
input_form! {
    /// A stream from the network.
    NetworkForm {
        /// Its address: rtsp:, rtsps:, rtmp:, rtmps:, srt:, http: or https:.
        pub uri: String,
    }
}

/// Where pictures and sound come from.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum InputForm {
    /// A moving picture and a tone, made by hawker.
    Test(TestForm),
    /// A media file.
    File(FileForm),
    /// A still picture.
    Image(ImageForm),
    /// A screen of this machine.
    Screen(ScreenForm),
    /// A camera.
    Camera(CameraForm),
    /// A microphone.
    Microphone(MicrophoneForm),
    /// A stream from the network.
    Network(NetworkForm),
}

/// What can be shown.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SceneForm {
    /// Its name: 1-32 of a-z, 0-9, '-' and '_'.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub id: String,
    /// What the operator reads; the id without it.
    pub title: Option<String>,
    /// The key that previews it: a digit, or a letter that is no command's. The next free digit without it.
    #[schemars(regex(pattern = r"^[1-9a-z]$"))]
    pub key: Option<String>,
    /// How the layers share the canvas: `full` (the default), `picture-in-picture`, `side-by-side`,
    /// `stack`, `grid`, or a layout of your own.
    pub layout: Option<String>,
    /// The inputs that are seen, bottom first.
    #[schemars(length(min = 1))]
    pub layers: Vec<LayerForm>,
    /// The inputs that are heard; those that are seen without it, none if it is empty.
    pub hears: Option<Vec<String>>,
}

/// A layer: the name of an input, or a table that says more.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(untagged)]
pub enum LayerForm {
    /// The name of an input.
    Name(String),
    /// The name of an input, and how it fills its place.
    Table(LayerTable),
}

/// The name of an input, and how it fills its place.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LayerTable {
    /// The name of an input.
    pub input: String,
    /// The whole picture with bars (contain, the default), or the whole place filled (cover).
    pub fit: Option<FitForm>,
}

/// How a picture of another shape fills its place.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FitForm {
    /// The whole picture is seen; bars where the shapes differ.
    Contain,
    /// The whole place is filled; the picture is cut at its edges.
    Cover,
}

/// Where the program goes.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutputForm {
    /// Its name: 1-32 of a-z, 0-9, '-' and '_'.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub id: String,
    /// `stage`, or the address of a WHIP ingest.
    #[schemars(regex(pattern = r"^(stage$|https?://)"))]
    pub to: String,
    /// Where the bearer token is kept: `env:NAME` or `file:PATH`. Never the token itself.
    #[schemars(regex(pattern = r"^(env:[A-Za-z_][A-Za-z0-9_]*$|file:.)"))]
    pub token: Option<String>,
}
