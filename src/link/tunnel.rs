//! A TURN server over TLS as one on this machine: libnice says `turns:` and sends in clear, so it is sent to a door
//! on loopback, and what comes in there goes on over TLS. It reads nothing of what passes.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_native_tls::TlsConnector;

use super::{Authorities, LinkError};
use crate::whip::{IceKind, IceServer};

/// A session opens one for each of its transports; the rest is turned away.
const CONNECTIONS: usize = 8;
/// For name, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(5);

/// An open door. It closes when it is dropped, with everything that goes through it.
#[derive(Debug)]
pub struct Tunnel {
    /// The server as a session may be given it.
    pub server: IceServer,
    task: AbortHandle,
    trouble: Trouble,
}

/// Why the last one who knocked was not let through.
type Trouble = Arc<Mutex<Option<String>>>;

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tunnel {
    /// Opens a door to a `turns:` server, whose certificate must be signed for its host by an authority this machine
    /// trusts, or by one of `ca`. Nothing is sent before somebody knocks. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn open(server: &IceServer, ca: Option<&Authorities>) -> Result<Self, LinkError> {
        let ca = ca.cloned();
        // The machine's authorities are read here: hundreds of milliseconds.
        let connector = tokio::task::spawn_blocking(move || connector(ca.as_ref()))
            .await
            .map_err(|e| LinkError::Tls(e.to_string()))??;
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = bound.map_err(LinkError::NoDoor)?;
        let door = listener.local_addr().map_err(LinkError::NoDoor)?;
        let (to, trouble) = (Arc::new(server.clone()), Trouble::default());
        let serve = serve(listener, connector, to, Arc::clone(&trouble));
        let task = tokio::spawn(serve).abort_handle();
        let server = IceServer {
            kind: IceKind::TurnTcp,
            host: door.ip().to_string(),
            port: door.port(),
            ..server.clone()
        };
        Ok(Self { server, task, trouble })
    }

    /// Why the relay could not be reached, if it was tried: a sentence for the operator.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(super) fn connector(ca: Option<&Authorities>) -> Result<TlsConnector, LinkError> {
    let tls = |e: native_tls::Error| LinkError::Tls(e.to_string());
    let mut builder = native_tls::TlsConnector::builder();
    builder.min_protocol_version(Some(native_tls::Protocol::Tlsv12));
    for certificate in ca.map(Authorities::certificates).transpose()?.unwrap_or_default() {
        builder.add_root_certificate(certificate);
    }
    Ok(builder.build().map_err(tls)?.into())
}

async fn serve(
    listener: TcpListener,
    connector: TlsConnector,
    to: Arc<IceServer>,
    trouble: Trouble,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped with this task, and with it every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((near, _)) = accepted else {
                    // Out of descriptors, perhaps: that passes.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
                let (connector, to) = (connector.clone(), Arc::clone(&to));
                let trouble = Arc::clone(&trouble);
                connections.spawn(async move {
                    if let Err(why) = pass(near, connector, &to).await {
                        let why = format!(
                            "the relay {to} cannot be used: {why}; check its address, and its certificate's \
                             authority (ca)"
                        );
                        tracing::warn!("{why}");
                        *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                    }
                    drop(place);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn pass(mut near: TcpStream, connector: TlsConnector, to: &IceServer) -> Result<(), String> {
    let connect = async {
        let far =
            TcpStream::connect((to.host.as_str(), to.port)).await.map_err(|e| e.to_string())?;
        // Frames of media wait for no more.
        let _ = far.set_nodelay(true);
        connector.connect(&to.host, far).await.map_err(|e| e.to_string())
    };
    let mut far = match timeout(CONNECT, connect).await {
        Ok(connected) => connected?,
        Err(_) => return Err(format!("no connection within {} s", CONNECT.as_secs())),
    };
    let _ = near.set_nodelay(true);
    // Either side may hang up at any time; that is the end and no failure.
    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    Ok(())
}
