//! A byte stream to a chat server, by TCP or TLS.

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{CONNECT, Ended};
use crate::{
    chat::spec::{Server, Transport},
    link::Authorities,
};

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
                let connector = tokio::task::spawn_blocking(move || {
                    crate::link::tunnel::connector(ca.as_ref())
                })
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
