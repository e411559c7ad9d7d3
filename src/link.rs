//! Floor 4: the network beyond this machine: HTTP towards ingests. It decides nothing: the state machines of
//! floor 2 say what is sent, and what the reply means.

mod http;
pub mod metrics;
pub mod probe;
mod standing;
pub mod tunnel;
pub mod webhook;
pub mod whip;

use std::path::{Path, PathBuf};

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The file of authorities cannot be read.
    #[error(
        "the certificate file {path} cannot be read ({why}): name a PEM file that hawker may read"
    )]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// The file holds no certificate.
    #[error("the file {0} holds no certificate in PEM form: it must begin with BEGIN CERTIFICATE")]
    NotPem(PathBuf),
    /// No port of this machine's own can be opened.
    #[error("no port on loopback can be opened for a relay by TLS ({0}): close what holds so many")]
    NoDoor(std::io::Error),
    /// TLS does not start on this machine.
    #[error("TLS does not start on this machine ({0}): check its OpenSSL installation")]
    Tls(String),
}

/// The text of a file of authorities.
fn authorities(path: &Path) -> Result<Vec<u8>, LinkError> {
    std::fs::read(path).map_err(|why| LinkError::Unreadable { path: path.to_owned(), why })
}
