//! The form of a show file, for editors that complete it, and of the reports. It describes and does not
//! read: `config::show` reads, and a test holds the two to the same keys.

pub mod plan;

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

use crate::{
    chat::told::Row,
    planner::{Foretold, export::Accepted, schedule::Repair},
    show::{Container, Pick, VideoCodec, spec::TestPattern},
    stats::{Report, history::Told},
    whip::probe::ProbeReport,
};

/// The JSON Schema of a show file.
pub fn show_schema() -> serde_json::Value {
    schema_for!(ShowForm).to_value()
}

/// The JSON Schema of a show's report.
pub fn report_schema() -> serde_json::Value {
    schema_for!(Report).to_value()
}

/// The JSON Schema of a show as it was kept.
pub fn history_schema() -> serde_json::Value {
    schema_for!(Told).to_value()
}

/// The JSON Schema of a plan as it is made, kept and told.
pub fn made_plan_schema() -> serde_json::Value {
    schema_for!(Accepted).to_value()
}

/// The JSON Schema of forecasts.
pub fn forecast_schema() -> serde_json::Value {
    schema_for!(Vec<Foretold>).to_value()
}

/// The JSON Schema of a mended plan.
pub fn repair_schema() -> serde_json::Value {
    schema_for!(Repair).to_value()
}

/// The JSON Schema of a probe of ingests.
pub fn probe_schema() -> serde_json::Value {
    schema_for!(ProbeReport).to_value()
}

/// The JSON Schema of a line of the chat.
pub fn chat_schema() -> serde_json::Value {
    schema_for!(Row).to_value()
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
    /// The rundown, in order.
    #[schemars(length(max = 200))]
    pub segment: Option<Vec<SegmentForm>>,
    /// Where the program goes. None means the built-in stage alone.
    pub output: Option<Vec<OutputForm>>,
    /// Who watches from outside, beside what `watch` at an output names.
    #[schemars(length(max = 16))]
    pub monitor: Option<Vec<MonitorForm>>,
    /// Where the audience writes.
    #[schemars(length(max = 32))]
    pub chat: Option<Vec<ChatForm>>,
    /// By which rules the chat is moderated.
    pub moderation: Option<ModerationForm>,
    /// How claims of orders are treated.
    pub claims: Option<ClaimsForm>,
    /// Items that can be claimed from the beginning.
    #[schemars(length(max = 1000))]
    pub item: Option<Vec<ItemForm>>,
}

/// By which rules the chat is moderated.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModerationForm {
    /// The file of the rules.
    pub rules: String,
}

/// How claims of orders are treated.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClaimsForm {
    /// A second claim of one person on one item: `ignore` it (the default), `add` it, or let it `replace` the first.
    #[schemars(regex(pattern = r"^(ignore|add|replace)$"))]
    pub duplicates: Option<String>,
    /// Grant a part of a claim when there is no more; false by default.
    pub partial: Option<bool>,
    /// Items that were not opened are opened by their first claim, without a limit; false by default.
    pub any_item: Option<bool>,
    /// For so long a claim may still be overtaken by one that was written earlier, in seconds; 3 by default.
    #[schemars(range(min = 0.0, max = 60.0))]
    pub settle_s: Option<f32>,
    /// The largest quantity of one claim; 99 by default.
    #[schemars(range(min = 1, max = 10_000))]
    pub most: Option<u32>,
}

/// An item that can be claimed.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ItemForm {
    /// What viewers write to claim it: 1-32 letters, digits, '-' or '_'.
    pub code: String,
    /// Other names by which viewers call it.
    #[schemars(length(max = 20))]
    pub names: Option<Vec<String>>,
    /// How many there are; without a limit where it is left out.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub stock: Option<u32>,
}

/// A chat source.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChatForm {
    /// What it is called.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub id: String,
    /// What is read.
    #[schemars(regex(
        pattern = r"^(twitch|youtube|irc|bridge|facebook|shopee|webhook|kick|lines)$"
    ))]
    pub kind: String,
    /// The market whose people write there, for the language of a line.
    pub market: Option<String>,
    /// Names of programs that write there: shown, but never taken for a customer.
    pub bots: Option<Vec<String>>,
    /// How long a line is held before it is shown to viewers, in seconds.
    #[schemars(range(min = 0.0, max = 60.0))]
    pub hold_s: Option<f32>,
    /// How many days after the show began its lines stay in the store; 30 by default, 0 stores nothing of this source.
    #[schemars(range(min = 0, max = 3660))]
    pub keep_days: Option<u32>,
    /// `twitch`, `irc`: channels.
    pub channels: Option<Vec<String>>,
    /// `irc`: HOST or HOST:PORT. `twitch` without a token: a stand-in for Twitch's IRC.
    pub server: Option<String>,
    /// `irc`: encrypted, which is the default.
    pub tls: Option<bool>,
    /// `irc`: the name to go by; `hawker` by default.
    pub nick: Option<String>,
    /// `irc`: the account of SASL. `youtube`: the token of the account that writes and moderates, `env:NAME` or
    /// `file:PATH`; it needs the scope `https://www.googleapis.com/auth/youtube.force-ssl`.
    pub account: Option<String>,
    /// `irc`: its password, `env:NAME` or `file:PATH`.
    pub password: Option<String>,
    /// `irc`: a file of authorities to trust besides the machine's own, PEM.
    pub ca: Option<String>,
    /// `youtube`: what follows `watch?v=` in the video's address. `facebook`: the number of the live video.
    pub video: Option<String>,
    /// `youtube`: the API key. `shopee`: the partner's key. `env:NAME` or `file:PATH`.
    pub key: Option<String>,
    /// `twitch` with a token, `youtube`, `facebook`, `shopee`, `kick`: another address than the API's own.
    pub api: Option<String>,
    /// `youtube`: units of quota a day; 10000 by default.
    #[schemars(range(min = 100, max = 100_000_000))]
    pub quota: Option<u32>,
    /// `bridge`: which, `social-stream`, `streamer-bot` or `restream`.
    #[schemars(regex(pattern = r"^(social-stream|streamer-bot|restream)$"))]
    pub bridge: Option<String>,
    /// `bridge`: its WebSocket, `wss://HOST`, or `ws://` on this machine. It holds no secret.
    pub url: Option<String>,
    /// `bridge`: the name of Social Stream Ninja's session, `env:NAME` or `file:PATH`.
    pub session: Option<String>,
    /// `bridge`: the access token of Restream. `webhook`: what a sender must show. `facebook`: the page's token,
    /// which needs `pages_manage_engagement` to delete. `shopee`: the shop's token. `kick`: the token that writes and
    /// moderates; it needs the scopes `chat:write`, `moderation:chat_message:manage` and `moderation:ban`. `twitch`: the
    /// account's token, with which the chat is also written and moderated. `env:NAME` or `file:PATH`.
    pub token: Option<String>,
    /// `twitch` with a token: the Client ID of the application that the token was made for.
    #[schemars(regex(pattern = r"^[A-Za-z0-9]{1,64}$"))]
    pub client_id: Option<String>,
    /// `twitch` with a token: another address than that of EventSub's WebSocket.
    pub eventsub: Option<String>,
    /// `shopee`: the number of the live session.
    #[schemars(range(min = 1))]
    pub live: Option<u64>,
    /// `shopee`: the number of the partner.
    #[schemars(range(min = 1))]
    pub partner: Option<u64>,
    /// `shopee`: the number of the shop.
    #[schemars(range(min = 1))]
    pub shop: Option<u64>,
    /// `webhook`, `kick`: the address and port that are listened on.
    pub listen: Option<String>,
    /// `kick`: the channel that is written to, by its broadcaster's user id.
    #[schemars(range(min = 1))]
    pub channel: Option<u64>,
    /// `kick`: the file of the key with which Kick signs, `file:PATH`.
    pub public_key: Option<String>,
    /// `lines`: a file of JSON lines that is followed as it grows, or `-` for standard input. `webhook`, `kick`: the
    /// path of the address, `/chat` and `/kick` by default.
    pub path: Option<String>,
    /// `lines`, `webhook`: the platform of lines that name none.
    pub platform: Option<String>,
}

/// A part of the show that stands alone.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SegmentForm {
    /// What it is, for the operator and for the report.
    #[schemars(length(min = 1, max = 400))]
    pub title: String,
    /// How long it is meant to be, in seconds.
    #[schemars(range(min = 5, max = 86_400))]
    pub length_s: u32,
    /// The scene that is taken when it begins; without it the program stays as it is.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub scene: Option<String>,
    /// The next one begins when its time is up; else when the operator says so.
    pub by_itself: Option<bool>,
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
    /// `stage`; `record` for files; or an address: `https:` for a WHIP ingest, `rtmp:` or `rtmps:` with the
    /// application's path, `srt://host:port`.
    #[schemars(regex(pattern = r"^(stage$|record$|https?://|rtmps?://|srt://)"))]
    pub to: String,
    /// WHIP: where the bearer token is kept, `env:NAME` or `file:PATH`. Never the token itself.
    #[schemars(regex(pattern = r"^(env:[A-Za-z_][A-Za-z0-9_]*$|file:.)"))]
    pub token: Option<String>,
    /// What kind of server the ingest is, one of `hawker print ingests`; found by its address without it.
    pub server: Option<String>,
    /// Ingests that stand by: the next one takes over when one is off the air for longer than the allowance.
    #[schemars(length(max = 8))]
    pub standby: Option<Vec<StandbyForm>>,
    /// In which order ingests are tried: as they are written (the default), or the nearest good one first.
    pub pick: Option<Pick>,
    /// How long an ingest may be off the air before the next one takes its place, in milliseconds; 3000 without it.
    #[schemars(range(min = 0, max = 60_000))]
    pub allowance_ms: Option<u32>,
    /// Whether to go back to the first ingest once it takes sessions again.
    pub return_to_first: Option<bool>,
    /// Hosts that a redirect may carry the token to, beyond the ingest's own registrable domain.
    pub token_may_go_to: Option<Vec<String>>,
    /// A PEM file of authorities to trust besides the machine's own, from the folder of the show file.
    pub ca: Option<String>,
    /// How a path for media is found.
    pub ice: Option<IceForm>,
    /// RTMP: where the stream key is kept, `env:NAME` or `file:PATH`. Never the key itself.
    #[schemars(regex(pattern = r"^(env:[A-Za-z_][A-Za-z0-9_]*$|file:.)"))]
    pub key: Option<String>,
    /// SRT: where the stream id is kept, `env:NAME` or `file:PATH`.
    #[schemars(regex(pattern = r"^(env:[A-Za-z_][A-Za-z0-9_]*$|file:.)"))]
    pub stream_id: Option<String>,
    /// SRT: where the passphrase is kept, `env:NAME` or `file:PATH`. Without it nothing is encrypted.
    #[schemars(regex(pattern = r"^(env:[A-Za-z_][A-Za-z0-9_]*$|file:.)"))]
    pub passphrase: Option<String>,
    /// A profile of its own, no larger than the show's: it is then encoded once more, for all outputs that name it.
    pub profile: Option<String>,
    /// Where its viewers watch by WHEP: hawker watches there as one of them.
    #[schemars(regex(pattern = r"^https?://"))]
    pub watch: Option<String>,
    /// Where the bearer token for watching is kept: `env:NAME` or `file:PATH`.
    #[schemars(regex(pattern = r"^(env:[A-Za-z_][A-Za-z0-9_]*$|file:.)"))]
    pub watch_token: Option<String>,
    /// SRT: how long a lost packet may be asked for again, in ms; 250 unless told otherwise.
    #[schemars(range(min = 20, max = 8000))]
    pub latency_ms: Option<u32>,
    /// Record: the folder the files go to, from the folder of the show file.
    pub folder: Option<String>,
    /// Record: the kind of file; `mkv` unless told otherwise.
    pub container: Option<Container>,
    /// Record: a new file after so many minutes.
    #[schemars(range(min = 1, max = 1440))]
    pub split_minutes: Option<u32>,
    /// Record: a new file after so many megabytes.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub split_mb: Option<u32>,
    /// Record: a new file with each segment of the rundown.
    pub split_at_segments: Option<bool>,
    /// Record: what stays free on the disk, in megabytes; 1000 unless told otherwise.
    #[schemars(range(max = 10_000_000))]
    pub keep_free_mb: Option<u32>,
}

/// One who watches the show from outside, as a viewer does.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MonitorForm {
    /// Its name: 1-32 of a-z, 0-9, '-' and '_'.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub id: String,
    /// Where it watches, by WHEP.
    #[schemars(regex(pattern = r"^https?://"))]
    pub url: String,
    /// Where the bearer token is kept: `env:NAME` or `file:PATH`.
    #[schemars(regex(pattern = r"^(env:[A-Za-z_][A-Za-z0-9_]*$|file:.)"))]
    pub token: Option<String>,
    /// The output that it watches; the show as a whole without it.
    pub output: Option<String>,
    /// The market whose viewers watch there.
    pub market: Option<String>,
}

/// An ingest that stands by: its address, or a table that says more.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(untagged)]
pub enum StandbyForm {
    /// Its address; no token is sent there.
    Address(String),
    /// Its address, and what it asks for.
    Table(StandbyTable),
}

/// An ingest that stands by.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StandbyTable {
    /// Its address.
    #[schemars(regex(pattern = r"^https?://"))]
    pub to: String,
    /// Where its bearer token is kept: `env:NAME` or `file:PATH`.
    #[schemars(regex(pattern = r"^(env:[A-Za-z_][A-Za-z0-9_]*$|file:.)"))]
    pub token: Option<String>,
    /// What kind of server it is, one of `hawker print ingests`.
    pub server: Option<String>,
}

/// How a path for media is found.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IceForm {
    /// Media go by a relay, or not at all.
    pub relay_only: Option<bool>,
    /// STUN and TURN servers of your own. With any, those that the ingest names are not used.
    #[schemars(length(max = 16))]
    pub servers: Option<Vec<IceServerForm>>,
}

/// A STUN or TURN server.
#[derive(Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IceServerForm {
    /// `stun:host:port`, `turn:host:port`, with `?transport=tcp` for TCP, or `turns:host:port` for TLS.
    #[schemars(regex(pattern = r"^(stun|turns?):"))]
    pub url: String,
    /// The user, for TURN.
    pub user: Option<String>,
    /// Where the password is kept, for TURN: `env:NAME` or `file:PATH`.
    #[schemars(regex(pattern = r"^(env:[A-Za-z_][A-Za-z0-9_]*$|file:.)"))]
    pub credential: Option<String>,
}
