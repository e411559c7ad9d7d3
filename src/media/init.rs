//! Starts GStreamer once: its log and GLib's go to ours, never to the terminal.

use std::sync::Once;

use gst::{glib, log};

use super::{
    error::{MediaError, without_secrets},
    outlet::refusal,
};
use crate::system::descriptors;

/// GStreamer's own start, its plugin scanner and its clocks, in descriptors.
const DESCRIPTORS: usize = 12;

/// Starts GStreamer. May be called again; only the first call does anything.
///
/// # Errors
/// When the library does not start.
pub fn init() -> Result<(), MediaError> {
    // Process-wide because GStreamer's own state is: a second log function would say everything twice.
    static LOG: Once = Once::new();
    static GLIB_LOG: Once = Once::new();
    GLIB_LOG.call_once(take_glib_log);
    // Without these GLib would end the process; see `pipeline`.
    let _claim = descriptors::claim(DESCRIPTORS).map_err(|e| MediaError::passing(e.to_string()))?;
    gst::init().map_err(|e| MediaError::Init(e.to_string()))?;
    LOG.call_once(|| {
        log::remove_default_log_function();
        if std::env::var_os("GST_DEBUG").is_none() {
            // This alone: `set_active` would have every statement of every level call the log, to be told there
            // that nobody asked. That was a tenth of what a session costs.
            log::set_default_threshold(gst::DebugLevel::Warning);
            // Why a server refuses us stands nowhere else.
            log::set_threshold_for_name(refusal::CATEGORY, gst::DebugLevel::Info);
        }
        log::add_log_function(|category, level, _file, _function, _line, _object, message| {
            // A dump of memory may hold a secret in pieces, where no line shows it whole.
            if level == gst::DebugLevel::Memdump {
                return;
            }
            let Some(text) = message.get() else { return };
            let text = without_secrets(text.as_str());
            let of = category.name();
            if of == refusal::CATEGORY {
                refusal::heard(&text);
            }
            // What matters to the show comes over the bus, in better words; the library's own log is
            // for finding out afterwards.
            match level {
                gst::DebugLevel::Error => tracing::warn!(target: "gstreamer", "{of}: {text}"),
                gst::DebugLevel::Warning => tracing::debug!(target: "gstreamer", "{of}: {text}"),
                _ => tracing::trace!(target: "gstreamer", "{of}: {text}"),
            }
        });
    });
    Ok(())
}

/// What GLib, libnice, libsoup and plugins say in their own way goes to the log, whichever of GLib's ways they use.
/// Left alone it goes to standard error, which may be a terminal with a console on it.
fn take_glib_log() {
    glib::log_set_writer_func(|level, fields| {
        let field = |name: &str| {
            let bytes = fields.iter().find(|f| f.key() == name)?.value_bytes()?;
            std::str::from_utf8(bytes).ok()
        };
        note(level, field("GLIB_DOMAIN"), field("MESSAGE").unwrap_or_default());
        glib::LogWriterOutput::Handled
    });
    glib::set_print_handler(|text| note(glib::LogLevel::Info, None, text));
    glib::set_printerr_handler(|text| note(glib::LogLevel::Warning, None, text));
}

fn note(level: glib::LogLevel, domain: Option<&str>, text: &str) {
    let (of, text) = (domain.unwrap_or("glib"), without_secrets(text.trim_end()));
    match level {
        // GLib ends the process after this one.
        glib::LogLevel::Error => tracing::error!(target: "glib", "{of}: {text}"),
        glib::LogLevel::Critical | glib::LogLevel::Warning => {
            tracing::warn!(target: "glib", "{of}: {text}");
        }
        glib::LogLevel::Message | glib::LogLevel::Info => {
            tracing::debug!(target: "glib", "{of}: {text}");
        }
        glib::LogLevel::Debug => {}
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_libraries_say_is_in_the_log_without_addresses() {
        init().unwrap();
        let kept = Kept::default();
        let writer = kept.clone();
        let log = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(log, || {
            glib::g_message!("libnice", "cannot ask stun://me:hu5h@a.example/x");
            glib::g_printerr!("said by a plugin");
        });
        let said = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(said.contains("libnice") && said.contains("a.example"), "{said}");
        assert!(said.contains("said by a plugin") && !said.contains("hu5h"), "{said}");
    }
}
