//! Which package brings which GStreamer element. Names only; nothing is installed from here.

/// The packages that bring an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packages {
    /// Debian and Ubuntu.
    pub apt: &'static str,
    /// Fedora.
    pub dnf: &'static str,
    /// Arch.
    pub pacman: &'static str,
    /// macOS.
    pub brew: &'static str,
}

const fn row(apt: &'static str, dnf: &'static str, pacman: &'static str) -> Packages {
    Packages { apt, dnf, pacman, brew: "gstreamer" }
}

const BASE: Packages =
    row("gstreamer1.0-plugins-base", "gstreamer1-plugins-base", "gst-plugins-base");
const GOOD: Packages =
    row("gstreamer1.0-plugins-good", "gstreamer1-plugins-good", "gst-plugins-good");
const BAD: Packages =
    row("gstreamer1.0-plugins-bad", "gstreamer1-plugins-bad-free", "gst-plugins-bad");
const UGLY: Packages =
    row("gstreamer1.0-plugins-ugly", "gstreamer1-plugins-ugly", "gst-plugins-ugly");

/// The packages that bring `element`.
pub fn of(element: &str) -> Packages {
    match element {
        "x264enc" => UGLY,
        "pulsesrc" => row("gstreamer1.0-pulseaudio", "gstreamer1-plugins-good", "gst-plugins-good"),
        "alsasrc" | "alsasink" => {
            row("gstreamer1.0-alsa", "gstreamer1-plugins-base", "gst-plugins-base")
        }
        "pipewiresrc" => row("gstreamer1.0-pipewire", "pipewire-gstreamer", "gst-plugin-pipewire"),
        "nicesrc" | "nicesink" => row("gstreamer1.0-nice", "libnice-gstreamer1", "libnice"),
        "avdec_h264" | "avdec_aac" | "avenc_aac" | "avdec_h265" => {
            row("gstreamer1.0-libav", "gstreamer1-plugin-libav", "gst-libav")
        }
        "v4l2src" | "v4l2h264enc" | "vp8enc" | "vp8dec" | "vp9dec" | "jpegdec" | "pngdec"
        | "rtspsrc" | "souphttpsrc" | "matroskademux" | "qtdemux" | "flvdemux" | "flvmux"
        | "matroskamux" | "mp4mux" | "aacparse" | "level" | "videoflip" | "ximagesrc"
        | "rtph264pay" | "rtpopuspay" | "rtpbin" | "osxaudiosrc" | "autoaudiosink" => GOOD,
        "videotestsrc" | "audiotestsrc" | "videoconvertscale" | "videoconvert" | "videoscale"
        | "audioconvert" | "audioresample" | "appsink" | "appsrc" | "uridecodebin"
        | "decodebin3" | "opusenc" | "opusdec" | "clockoverlay" | "vorbisdec" => BASE,
        "queue" | "capsfilter" | "filesrc" | "filesink" | "fdsrc" | "fakesink" | "typefind" => {
            row("libgstreamer1.0-0", "gstreamer1", "gstreamer")
        }
        // Not elements.
        "glib-networking" => row("glib-networking", "glib-networking", "glib-networking"),
        "gst-launch-1.0" => row("gstreamer1.0-tools", "gstreamer1", "gstreamer"),
        _ => BAD,
    }
}

/// What to do about a missing element, in half a sentence.
pub fn fix(element: &str) -> String {
    let p = of(element);
    if cfg!(target_os = "macos") {
        format!("install '{}' with brew", p.brew)
    } else {
        format!(
            "install '{}' (Debian, Ubuntu), '{}' (Fedora) or '{}' (Arch)",
            p.apt, p.dnf, p.pacman
        )
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_missing_element_names_its_package() {
        assert!(super::fix("x264enc").contains("gstreamer1.0-plugins-ugly"));
        assert!(super::fix("pulsesrc").contains("gstreamer1.0-pulseaudio"));
    }
}
