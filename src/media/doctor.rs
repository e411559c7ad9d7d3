//! What hawker wants of this machine, and what of it is there. Encoders are tried, not believed.

use std::path::{Path, PathBuf};

use gst::prelude::*;
use serde::Serialize;

use super::{
    aac::ENCODERS as ENCODERS_OF_AAC,
    input::child::{LAUNCHER, environment},
    outlet, packages,
    pipeline::{self, Need},
};

/// How a finding bears on the show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// There, and it works.
    Ok,
    /// Not there; some inputs or codecs cannot be used.
    Optional,
    /// Not there; no show can run.
    Missing,
}

/// What a finding is about. In the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// GStreamer and what every show uses.
    Program,
    /// What single kinds of input use.
    Inputs,
    /// What single kinds of output use, beside WHIP.
    Outputs,
    /// Decoders of files, cameras and streams.
    Decoders,
    /// Encoders, tried.
    Encoders,
    /// Devices, servers, places.
    Machine,
}

impl Group {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
            Self::Decoders => "decoders",
            Self::Encoders => "encoders",
            Self::Machine => "this machine",
        }
    }
}

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub group: Group,
    /// What was looked for.
    pub what: String,
    /// How it bears on the show.
    pub severity: Severity,
    /// What was found.
    pub found: String,
    /// What it is for.
    pub detail: String,
    /// What to do, when there is something to do.
    pub fix: Option<String>,
}

/// Group, element, what for. No show runs without those of the program.
const ELEMENTS: &[(Group, &str, &str)] = &[
    (Group::Program, "appsink", "handing over frames"),
    (Group::Program, "appsrc", "handing over frames"),
    (Group::Program, "videoconvertscale", "fitting pictures"),
    (Group::Program, "videoflip", "turning pictures as they were held"),
    (Group::Program, "audioconvert", "converting sound"),
    (Group::Program, "audioresample", "converting sound"),
    (Group::Program, "videotestsrc", "test inputs"),
    (Group::Program, "audiotestsrc", "test inputs"),
    (Group::Program, "uridecodebin", "file, image and network inputs"),
    (Group::Program, "opusenc", "sound on every output"),
    (Group::Program, "webrtcbin", "publishing by WHIP"),
    (Group::Program, "nicesrc", "publishing by WHIP"),
    (Group::Program, "rtph264pay", "publishing H.264"),
    (Group::Program, "rtpopuspay", "publishing sound"),
    (Group::Program, "h264parse", "publishing H.264"),
    (Group::Inputs, "clockoverlay", "the time on the test picture"),
    (Group::Inputs, "rtspsrc", "RTSP inputs"),
    (Group::Inputs, "rtmp2src", "RTMP inputs"),
    (Group::Inputs, "srtsrc", "SRT inputs"),
    (Group::Inputs, "souphttpsrc", "HTTP and HLS inputs"),
    (Group::Inputs, "hlsdemux", "HLS inputs"),
    (Group::Inputs, "tsdemux", "SRT and HLS inputs"),
    #[cfg(target_os = "linux")]
    (Group::Inputs, "ximagesrc", "screen inputs"),
    #[cfg(target_os = "linux")]
    (Group::Inputs, "gdpdepay", "screen inputs"),
    #[cfg(target_os = "linux")]
    (Group::Inputs, "v4l2src", "camera inputs"),
    #[cfg(target_os = "linux")]
    (Group::Inputs, "pulsesrc", "microphone inputs"),
    #[cfg(target_os = "linux")]
    (Group::Inputs, "alsasrc", "microphone inputs without a sound server"),
    (Group::Outputs, "flvmux", "RTMP outputs"),
    (Group::Outputs, "rtmp2sink", "RTMP outputs"),
    (Group::Outputs, "mpegtsmux", "SRT outputs"),
    (Group::Outputs, "srtsink", "SRT outputs"),
    (Group::Outputs, "matroskamux", "recording as mkv"),
    (Group::Outputs, "opusparse", "recording as mkv"),
    (Group::Outputs, "mp4mux", "recording as mp4"),
    (Group::Outputs, "aacparse", "RTMP and SRT outputs, recording as mp4"),
    (Group::Decoders, "avdec_h264", "H.264 files, cameras and streams"),
    (Group::Decoders, "avdec_aac", "AAC sound of files and streams"),
    (Group::Decoders, "vp8dec", "VP8 files"),
    (Group::Decoders, "opusdec", "hearing what `hawker watch` plays"),
    (Group::Decoders, "autoaudiosink", "hearing what `hawker watch` plays"),
    (Group::Decoders, "jpegdec", "JPEG pictures, most cameras"),
    (Group::Decoders, "pngdec", "PNG pictures"),
    (Group::Decoders, "webpdec", "WebP pictures"),
    (Group::Decoders, "rsvgdec", "SVG pictures"),
];

/// Encoders, and whether hardware does it.
const ENCODERS: &[(&str, bool)] = &[
    ("x264enc", false),
    ("openh264enc", false),
    ("vp8enc", false),
    ("vah264enc", true),
    ("vah264lpenc", true),
    ("vaapih264enc", true),
    ("nvh264enc", true),
    ("v4l2h264enc", true),
    ("vtenc_h264_hw", true),
    ("mfh264enc", true),
];

/// Looks at everything. Takes up to a few seconds: encoders are tried.
pub fn check() -> Vec<Finding> {
    if let Err(error) = super::init() {
        return vec![Finding {
            group: Group::Program,
            what: "GStreamer".to_owned(),
            severity: Severity::Missing,
            found: "does not start".to_owned(),
            detail: error.to_string(),
            fix: Some(packages::fix("queue")),
        }];
    }
    let mut findings = vec![Finding {
        group: Group::Program,
        what: "GStreamer".to_owned(),
        severity: Severity::Ok,
        found: gst::version_string().to_string(),
        detail: "all media".to_owned(),
        fix: None,
    }];
    findings.extend(ELEMENTS.iter().map(|(group, name, what_for)| element(*group, name, what_for)));
    findings.extend(launcher());
    findings.push(aac());
    findings.push(rtmps());
    findings.extend(encoders());
    findings.extend(places());
    findings.sort_by_key(|f| (f.group, f.severity));
    findings
}

/// The program that captures the screen.
fn launcher() -> Option<Finding> {
    if cfg!(any(target_os = "macos", target_os = "windows")) {
        return None;
    }
    let run = std::process::Command::new(LAUNCHER)
        .arg("--version")
        .env_clear()
        .envs(environment())
        .stdin(std::process::Stdio::null())
        .output();
    let version = run.as_ref().ok().filter(|o| o.status.success()).map(|o| {
        let text = String::from_utf8_lossy(&o.stdout);
        text.lines().next().unwrap_or("installed").to_owned()
    });
    let found = match (&version, run) {
        (Some(version), _) => version.clone(),
        (None, Err(e)) if e.kind() == std::io::ErrorKind::NotFound => "not installed".to_owned(),
        (None, Err(e)) => format!("does not start: {e}"),
        (None, Ok(o)) => format!("does not work: {}", o.status),
    };
    Some(Finding {
        group: Group::Inputs,
        what: LAUNCHER.to_owned(),
        severity: grade(version.is_some(), false),
        found,
        detail: "screen inputs, captured in a process of their own".to_owned(),
        fix: version.is_none().then(|| packages::fix(LAUNCHER)),
    })
}

/// One AAC encoder is enough.
fn aac() -> Finding {
    let [best, ..] = ENCODERS_OF_AAC;
    let there = ENCODERS_OF_AAC.into_iter().find(|e| gst::ElementFactory::find(e).is_some());
    element(Group::Outputs, there.unwrap_or(best), "sound of RTMP, SRT and mp4")
}

/// Whether RTMPS finds TLS.
fn rtmps() -> Finding {
    let found = outlet::try_tls();
    Finding {
        group: Group::Outputs,
        what: "glib-networking".to_owned(),
        severity: grade(found.is_ok(), false),
        fix: found.is_err().then(|| packages::fix("glib-networking")),
        found: found.map_or_else(|why| why, |()| "TLS works".to_owned()),
        detail: "RTMPS outputs".to_owned(),
    }
}

fn element(group: Group, name: &str, what_for: &str) -> Finding {
    let there = gst::ElementFactory::find(name).is_some();
    Finding {
        group,
        what: name.to_owned(),
        severity: grade(there, group == Group::Program),
        found: if there { "installed" } else { "not installed" }.to_owned(),
        detail: what_for.to_owned(),
        fix: (!there).then(|| packages::fix(name)),
    }
}

const fn grade(there: bool, needed: bool) -> Severity {
    match (there, needed) {
        (true, _) => Severity::Ok,
        (false, true) => Severity::Missing,
        (false, false) => Severity::Optional,
    }
}

fn encoders() -> Vec<Finding> {
    type Tried = (&'static str, bool, Option<Result<(), String>>);
    let tried: Vec<Tried> = ENCODERS
        .iter()
        .map(|(name, hard)| {
            (*name, *hard, gst::ElementFactory::find(name).is_some().then(|| try_encoder(name)))
        })
        .collect();
    let h264 = tried.iter().any(|(name, _, r)| *name != "vp8enc" && matches!(r, Some(Ok(()))));
    tried
        .into_iter()
        // Hardware that is not in this machine is no finding.
        .filter(|(_, hard, result)| !*hard || result.is_some())
        .map(|(name, hard, result)| {
            let works = matches!(result, Some(Ok(())));
            // One H.264 encoder is enough; the first is named when there is none.
            let needed = name == "x264enc" && !h264;
            Finding {
                group: Group::Encoders,
                what: name.to_owned(),
                severity: grade(works, needed),
                found: match &result {
                    None => "not installed".to_owned(),
                    Some(Ok(())) => "encodes".to_owned(),
                    Some(Err(why)) => format!("installed, but fails: {why}"),
                },
                detail: if hard { "encoding in hardware" } else { "encoding" }.to_owned(),
                fix: result.is_none().then(|| packages::fix(name)),
            }
        })
        .collect()
}

/// Encodes five frames.
fn try_encoder(name: &str) -> Result<(), String> {
    let line = format!(
        "videotestsrc num-buffers=5 ! video/x-raw,width=320,height=240,framerate=30/1 ! \
         videoconvertscale ! {name} ! fakesink name=out sync=false signal-handoffs=true"
    );
    let (pipeline, _claim) = pipeline::parse(&line, Need::Outside).map_err(|e| e.to_string())?;
    let out = pipeline.by_name("out").ok_or("no sink")?;
    let came = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let note = came.clone();
    out.connect("handoff", false, move |_| {
        note.store(true, std::sync::atomic::Ordering::Release);
        None
    });
    let started = pipeline.set_state(gst::State::Playing);
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = started
        .ok()
        .and_then(|_| pipeline.bus()?.timed_pop_filtered(gst::ClockTime::from_seconds(5), &kinds));
    // It goes away either way.
    let _ = pipeline.set_state(gst::State::Null);
    match end.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Eos(_)) if came.load(std::sync::atomic::Ordering::Acquire) => Ok(()),
        Some(gst::MessageView::Error(e)) => Err(e.error().to_string()),
        Some(_) => Err("gave no frame".to_owned()),
        None => Err("did not start, or gave nothing for 5 s".to_owned()),
    }
}

fn place(what: &str, detail: &str, result: Result<String, (String, &str)>) -> Finding {
    let (severity, found, fix) = match result {
        Ok(found) => (Severity::Ok, found, None),
        Err((found, fix)) => (Severity::Optional, found, Some(fix.to_owned())),
    };
    Finding {
        group: Group::Machine,
        what: what.to_owned(),
        severity,
        found,
        detail: detail.to_owned(),
        fix,
    }
}

#[cfg(not(target_os = "linux"))]
fn places() -> Vec<Finding> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn places() -> Vec<Finding> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let runtime = set("XDG_RUNTIME_DIR");
    vec![
        place(
            "X display",
            "screen inputs",
            match set("DISPLAY") {
                Some(display) => Ok(display.display().to_string()),
                None => {
                    Err(("DISPLAY is not set".to_owned(), "start hawker inside an X11 session"))
                }
            },
        ),
        place("cameras", "camera inputs", cameras()),
        place("sound server", "microphone inputs", sound_server(runtime.as_deref())),
        place(
            "XDG_RUNTIME_DIR",
            "the show's socket",
            match &runtime {
                Some(dir) if rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok() => {
                    Ok(dir.display().to_string())
                }
                Some(dir) => Err((
                    format!("{} cannot be written", dir.display()),
                    "make it belong to you, with mode 0700",
                )),
                None => Err((
                    "not set".to_owned(),
                    "log in through the system's login manager, or set it",
                )),
            },
        ),
    ]
}

#[cfg(target_os = "linux")]
fn cameras() -> Result<String, (String, &'static str)> {
    let nodes: Vec<PathBuf> = std::fs::read_dir("/dev")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|p| {
            p.file_name()
                .and_then(|n| n.to_str())
                .and_then(|n| n.strip_prefix("video"))
                .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        })
        .collect();
    let may = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK;
    if nodes.is_empty() {
        return Err(("no /dev/video* device".to_owned(), "connect a camera"));
    }
    match nodes.iter().find(|node| rustix::fs::access(node.as_path(), may).is_err()) {
        Some(node) => Err((
            format!("{} may not be opened", node.display()),
            "add yourself to the group 'video' and log in again",
        )),
        None => Ok(format!("{} device(s)", nodes.len())),
    }
}

#[cfg(target_os = "linux")]
fn sound_server(runtime: Option<&Path>) -> Result<String, (String, &'static str)> {
    let start = "start PulseAudio or pipewire-pulse in your session";
    if std::env::var_os("PULSE_SERVER").is_some_and(|v| !v.is_empty()) {
        return Ok("named by PULSE_SERVER".to_owned());
    }
    let Some(socket) = runtime.map(|dir| dir.join("pulse/native")) else {
        return Err(("not found: XDG_RUNTIME_DIR is not set".to_owned(), start));
    };
    std::os::unix::net::UnixStream::connect(&socket)
        .map(|_| "answers".to_owned())
        .map_err(|e| (format!("does not answer: {e}"), start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_that_is_not_ok_says_what_to_do_and_x264_really_encodes() {
        let findings = check();
        let x264 = findings.iter().find(|f| f.what == "x264enc").unwrap();
        assert_eq!((x264.severity, x264.found.as_str()), (Severity::Ok, "encodes"));
        for f in findings.iter().filter(|f| f.severity == Severity::Missing) {
            assert!(f.fix.is_some(), "{f:?}");
        }
        let tls = findings.iter().find(|f| f.what == "glib-networking").unwrap();
        assert_eq!(tls.found, "TLS works");
        let launcher = findings.iter().find(|f| f.what == LAUNCHER).unwrap();
        assert!(launcher.found.contains("version"), "{launcher:?}");
        assert!(findings.is_sorted_by_key(|f| (f.group, f.severity)));
        assert!(try_encoder("identity drop-probability=1.0").is_err());
    }
}
