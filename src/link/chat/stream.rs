//! A byte stream to a chat server, by TCP or TLS.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{CONNECT, Ended};
use crate::link::Authorities;

/// How the bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// In clear.
    Tcp,
    /// Encrypted, the server's certificate checked.
    Tls,
}

/// A host name or address with a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Server {
    /// A name, or an address (IPv6 without brackets).
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The text names no server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write the server as HOST:PORT, an IPv6 address in brackets")]
pub struct NoServer;

impl FromStr for Server {
    type Err = NoServer;

    fn from_str(text: &str) -> Result<Self, NoServer> {
        let (host, port) = text.rsplit_once(':').ok_or(NoServer)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(NoServer)?,
            None if host.contains(':') => return Err(NoServer),
            None => host,
        };
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(NoServer)?;
        if host.is_empty() || host.len() > 253 || !host.chars().all(sound) {
            return Err(NoServer);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl TryFrom<String> for Server {
    type Error = NoServer;

    fn try_from(text: String) -> Result<Self, NoServer> {
        text.parse()
    }
}

impl From<Server> for String {
    fn from(server: Server) -> Self {
        server.to_string()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Both halves of a connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Connects, within [`CONNECT`].
pub(super) async fn connect(
    server: &Server,
    transport: Transport,
    ca: Option<&Authorities>,
) -> Result<Box<dyn Stream>, Ended> {
    let connecting = async {
        let tcp = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(|e| {
            Ended::passing(format!("{server} cannot be reached: {}", plain_words(&e)))
        })?;
        // Lines are short, and each is to leave at once.
        let _ = tcp.set_nodelay(true);
        let stream: Box<dyn Stream> = match transport {
            Transport::Tcp => Box::new(tcp),
            Transport::Tls => {
                let ca = ca.cloned();
                // The machine's authorities are read here: hundreds of milliseconds.
                let connector =
                    tokio::task::spawn_blocking(move || crate::link::tunnel::connector(ca.as_ref()))
                        .await
                        .map_err(|e| Ended::passing(e.to_string()))?
                        .map_err(|e| Ended::lasting(e.to_string()))?;
                let tls = connector.connect(&server.host, tcp).await;
                Box::new(tls.map_err(|e| {
                    Ended::passing(format!("TLS with {server} failed: {e}; check its certificate, or name its authority by ca"))
                })?)
            }
        };
        Ok(stream)
    };
    timeout(CONNECT, connecting).await.unwrap_or_else(|_| {
        Err(Ended::passing(format!("{server} did not answer within {} s", CONNECT.as_secs())))
    })
}

fn plain_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_host_and_port() {
        let read = |text: &str| text.parse::<Server>().map(|server| server.to_string());
        assert_eq!(read("irc.example:6697"), Ok("irc.example:6697".into()));
        assert_eq!(read("[::1]:6667"), Ok("[::1]:6667".into()));
        for wrong in ["", "irc.example", ":6667", "::1:6667", "a:0", "a:b", "a b:1", "[::1:1"] {
            assert_eq!(read(wrong), Err(NoServer), "{wrong}");
        }
    }
}
