//! What goes wrong in this room, in words an operator can act on. Never holds an address with a password.

use super::packages;
use crate::show::FailureKind;

/// Why a pipeline could not be made or does not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// GStreamer itself does not start.
    #[error("GStreamer does not start: {0}. `hawker doctor` says what is missing")]
    Init(String),
    /// An element is not installed.
    #[error("the GStreamer element '{element}' is missing: {}", packages::fix(element))]
    Missing {
        /// Its name.
        element: String,
    },
    /// It broke, or was refused.
    #[error("{reason}")]
    Broken {
        /// What, why, and what to do.
        reason: String,
        /// Whether to try again.
        kind: FailureKind,
    },
}

impl MediaError {
    /// It may work the next time.
    pub fn passing(reason: impl Into<String>) -> Self {
        Self::Broken { reason: reason.into(), kind: FailureKind::Passing }
    }

    /// It will not work until somebody changes something.
    pub fn lasting(reason: impl Into<String>) -> Self {
        Self::Broken { reason: reason.into(), kind: FailureKind::Lasting }
    }

    /// Whether to try again.
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Broken { kind, .. } => *kind,
            Self::Init(_) | Self::Missing { .. } => FailureKind::Lasting,
        }
    }
}

/// What is said when hawker itself broke: the panic is in its log.
pub const DEFECT: &str = "a defect in hawker; its log has the place";

/// An element by its factory's name, or the error that says what to install.
pub fn element(factory: &str) -> Result<gst::Element, MediaError> {
    gst::ElementFactory::make(factory)
        .build()
        .map_err(|_| MediaError::Missing { element: factory.to_owned() })
}

/// `text` with every address in it cut to scheme and host: user names, passwords, paths and queries may
/// be secrets.
pub fn without_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')' | ','))
            .unwrap_or(after.len());
        let (address, tail) = after.split_at(end);
        let local = before.ends_with("file://");
        if local {
            out.push_str(address);
        } else {
            let authority = address.split(['/', '?', '#']).next().unwrap_or_default();
            // A password may hold a slash unescaped: look for the last '@' of the whole address.
            let host = match address.rsplit_once('@') {
                Some((_, host)) => host.split(['/', '?', '#']).next().unwrap_or_default(),
                None => authority,
            };
            out.push_str(host);
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_only_their_host() {
        let said =
            without_secrets("cannot open rtsp://me:pa/ss@cam.local:554/live?key=1 (refused)");
        assert_eq!(said, "cannot open rtsp://cam.local:554 (refused)");
        assert_eq!(without_secrets("no address here"), "no address here");
    }
}
