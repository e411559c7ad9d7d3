//! Floor 4: the network beyond this machine: HTTP towards ingests. It decides nothing: the state machines of
//! floor 2 say what is sent, and what the reply means.

pub mod chat;
mod guard;
mod http;
pub mod metrics;
mod names;
pub mod page;
pub mod probe;
mod standing;
pub mod tunnel;
pub mod webhook;
pub mod whip;

pub use guard::ListenError;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::config::{Unreadable, read_file};

/// The greatest file of authorities, in bytes.
const MAX_CA: u64 = 1024 * 1024;

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
        why: Unreadable,
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

/// Authorities to trust besides the machine's own.
#[derive(Debug, Clone)]
pub struct Authorities {
    path: PathBuf,
    pem: Arc<[u8]>,
}

impl Authorities {
    /// Reads a PEM file. Blocks as long as its storage does.
    ///
    /// # Errors
    /// It cannot be read, or holds no certificate.
    pub fn read(path: &Path) -> Result<Self, LinkError> {
        let pem = read_file(path, MAX_CA)
            .map_err(|why| LinkError::Unreadable { path: path.to_owned(), why })?;
        let all = native_tls::Certificate::stack_from_pem(&pem).unwrap_or_default();
        if all.is_empty() {
            return Err(LinkError::NotPem(path.to_owned()));
        }
        Ok(Self { path: path.to_owned(), pem: pem.into() })
    }

    fn certificates(&self) -> Result<Vec<native_tls::Certificate>, LinkError> {
        native_tls::Certificate::stack_from_pem(&self.pem)
            .map_err(|_| LinkError::NotPem(self.path.clone()))
    }
}
