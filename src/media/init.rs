//! Starts GStreamer once: its log goes to ours, never to the terminal.

use std::sync::Once;

use gst::log;

use super::{
    error::{MediaError, without_secrets},
    outlet::refusal,
};

/// Starts GStreamer. May be called again; only the first call does anything.
///
/// # Errors
/// When the library does not start.
pub fn init() -> Result<(), MediaError> {
    // Process-wide because GStreamer's own state is: a second log function would say everything twice.
    static LOG: Once = Once::new();
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
