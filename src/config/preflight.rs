//! What the servers of a show's WHIP outputs would refuse, by what is known of them. It asks no server.

use super::{
    Diagnostics, Dirs,
    presets::{Bearer, Server, server_of},
};
use crate::{
    base::OutputId,
    show::{IngestSpec, Profile, ShowSpec, Target, VideoCodec},
};

/// One ingest, looked at beforehand.
#[derive(Debug, Clone, PartialEq)]
pub struct Preflight {
    /// The output it belongs to.
    pub output: OutputId,
    /// The ingest, by host and port.
    pub to: String,
    /// Its server profile; `None` when the server is not known.
    pub server: Option<Server>,
    /// What the server would refuse, and what to change; a sentence each.
    pub objections: Vec<String>,
}

/// Looks at every ingest of every WHIP output.
///
/// # Errors
/// A server profile of the user's has problems.
pub fn preflight(show: &ShowSpec, dirs: &Dirs) -> Result<Vec<Preflight>, Diagnostics> {
    let mut looked_at = Vec::new();
    for output in &show.outputs {
        let Target::Whip(whip) = &output.target else { continue };
        let profile = output.profile.as_deref().unwrap_or(&show.profile);
        for (way, ingest) in whip.ingests.iter().enumerate() {
            let server = server_of(ingest, dirs)?;
            let objections =
                server.as_ref().map(|s| objections(s, profile, ingest)).unwrap_or_default();
            let (output, to) = (output.id.clone(), output.target.shown(way));
            looked_at.push(Preflight { output, to, server, objections });
        }
    }
    Ok(looked_at)
}

/// What that server would refuse of that profile.
fn objections(server: &Server, profile: &Profile, ingest: &IngestSpec) -> Vec<String> {
    let (canvas, title) = (profile.canvas, &server.title);
    let mut all = Vec::new();
    match (server.bearer, &ingest.token) {
        (Bearer::Required, None) => all.push(format!(
            "{title} asks for a token: write token = \"env:NAME\" or \"file:PATH\" at this ingest"
        )),
        (Bearer::Never, Some(_)) => {
            all.push(format!("{title} takes no token, its address is the key: take token out"));
        }
        _ => {}
    }
    if !server.codecs.is_empty() && !server.codecs.contains(&profile.codec) {
        let takes: Vec<&str> = server.codecs.iter().map(|c| word(*c)).collect();
        all.push(format!(
            "{title} does not take {}: write codec = \"{}\" in [program]",
            word(profile.codec),
            takes.join("\" or \"")
        ));
    }
    if let Some((long, short)) = server.max_size {
        let (ours_long, ours_short) =
            (canvas.width.max(canvas.height), canvas.width.min(canvas.height));
        if ours_long > long || ours_short > short {
            all.push(format!(
                "{title} takes pictures of {long}x{short} at most, and '{}' sends {canvas}: choose a profile \
                 with a smaller canvas",
                profile.name
            ));
        }
    }
    let fps = |limit: u32, word: &str| {
        format!(
            "{title} takes {limit} frames per second at {word}, and '{}' sends {}: choose a profile with another \
             canvas",
            profile.name, canvas.fps
        )
    };
    all.extend(server.min_fps.filter(|min| canvas.fps < *min).map(|min| fps(min, "least")));
    all.extend(server.max_fps.filter(|max| canvas.fps > *max).map(|max| fps(max, "most")));
    if let Some(level) = server.h264_level
        && profile.codec == VideoCodec::H264
        && !level.holds(canvas)
    {
        all.push(format!(
            "{title} takes H.264 up to level {}, which {canvas} does not fit in: choose a profile with a smaller \
             canvas or fewer frames",
            level.name
        ));
    }
    let ours = profile.max_kbps.0 + profile.audio_kbps.0;
    if let Some(max) = server.max_kbps.filter(|max| ours > max.0) {
        all.push(format!(
            "{title} takes {max} kbit/s at most, and '{}' may send {ours}: choose a profile with max-kbps = {} or \
             less",
            profile.name,
            max.0.saturating_sub(profile.audio_kbps.0),
            max = max.0
        ));
    }
    if let Some(most) = server.keyframe_ms.filter(|most| profile.keyframe_ms > *most) {
        all.push(format!(
            "{title} wants a key frame every {most} ms at least, and '{}' makes one every {}: choose a profile \
             with keyframe-ms = {most} or less",
            profile.name, profile.keyframe_ms
        ));
    }
    all
}

const fn word(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::H264 => "h264",
        VideoCodec::Vp8 => "vp8",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse_show;

    fn looked_at(profile: &str, program: &str, output: &str) -> Vec<Preflight> {
        let dirs = Dirs::below(Path::new("/dev/null"));
        let text = format!(
            "title = \"t\"\nprofile = \"{profile}\"\n{program}\n[[input]]\nid = \"a\"\nkind = \"test\"\n\
             [[scene]]\nid = \"s\"\nlayers = [\"a\"]\n[[output]]\nid = \"o\"\n{output}"
        );
        let show =
            parse_show(&text, "t.toml", Path::new("/"), &dirs).unwrap_or_else(|e| panic!("{e}"));
        preflight(&show, &dirs).unwrap()
    }

    #[test]
    fn what_a_server_would_refuse_is_said_with_what_to_change() {
        let ivs = "to = \"https://global.whip.live-video.net/s3cret\"";
        let all = looked_at("quality", "[program]\ncodec = \"vp8\"", ivs);
        let said = all[0].objections.join("\n");
        assert_eq!((all.len(), all[0].to.as_str()), (1, "global.whip.live-video.net"));
        for part in ["asks for a token", "codec = \"h264\"", "1280x720 at most"] {
            assert!(said.contains(part), "{part}\n{said}");
        }
        assert!(!said.contains("s3cret"), "{said}");
    }

    #[test]
    fn a_show_that_fits_meets_no_objection() {
        let output = "to = \"https://global.whip.live-video.net\"\ntoken = \"env:T\"\n\
                      standby = [{ to = \"https://own.example/x\" }, \
                      { to = \"https://other.example/x\", server = \"srs\" }]";
        let all = looked_at("lively", "", output);
        assert!(all.iter().all(|p| p.objections.is_empty()), "{all:?}");
        let names: Vec<_> =
            all.iter().map(|p| p.server.as_ref().map(|s| s.name.as_str())).collect();
        assert_eq!(names, [Some("ivs"), None, Some("srs")]);
    }

    #[test]
    fn upright_pictures_count_the_same() {
        let output = "to = \"https://h/x\"\nserver = \"ivs\"\ntoken = \"env:T\"";
        assert!(
            looked_at("lively", "[program]\ncanvas = \"9:16\"", output)[0].objections.is_empty()
        );
    }

    #[test]
    fn a_level_is_a_limit_too() {
        let output = "to = \"https://g.webrtc.live-video.net:4443/v2/offer\"\ntoken = \"env:T\"";
        let said = looked_at("quality", "", output)[0].objections.join("\n");
        assert!(said.contains("level 3.1"), "{said}");
    }
}
