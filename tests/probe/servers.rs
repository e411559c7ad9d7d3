//! What there is to be probed: servers that are well, slow, mute or wrongly certified, all on loopback.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_native_tls::{TlsAcceptor, native_tls};

pub const OFFER: &str = "v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:0123456789012345678901\r\na=rtcp-mux\r\na=sendonly\r\na=rtpmap:96 H264/90000\r\n\
    a=mid:v\r\na=fingerprint:sha-256 AA:BB\r\n";
const ANSWER: &str = "v=0\r\no=- 2 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v\r\n\
    a=fingerprint:sha-256 CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:\
    CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC:CC\r\na=ice-ufrag:wxyz\r\na=ice-pwd:9876543210987654321098\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=recvonly\r\na=setup:passive\r\n";

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Bound and let go: nobody listens there now.
pub async fn closed() -> u16 {
    listen().await.1
}

/// Takes connections and never says a word.
pub async fn mute() -> u16 {
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    port
}

/// A name that no resolver can ask for: its first label is longer than 63 characters.
pub fn no_such_name() -> String {
    format!("{}.invalid", "n".repeat(64))
}

/// A way of that length, each way, to another port.
pub async fn far(to: u16, each_way: Duration) -> u16 {
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(there) = TcpStream::connect(("127.0.0.1", to)).await else { return };
            let _ = (near.set_nodelay(true), there.set_nodelay(true));
            let ((a, b), (c, d)) = (near.into_split(), there.into_split());
            tokio::spawn(pump(a, d, each_way));
            tokio::spawn(pump(c, b, each_way));
        }
    });
    port
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    delay: Duration,
) {
    let (give, mut take) = mpsc::channel::<(Instant, Vec<u8>)>(256);
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(n) = from.read(&mut buffer).await {
            if n == 0 || give.send((Instant::now() + delay, buffer[..n].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = take.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}

/// An https server with an authority of its own.
pub struct Tls {
    pub port: u16,
    pub ca: tempfile::NamedTempFile,
    connections: Arc<AtomicUsize>,
}

impl Tls {
    /// Answers POST with a session description and everything else with 204, after `thinks`.
    pub async fn start(thinks: Duration) -> Self {
        let (key, ca) =
            (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
        certificate(key.path(), ca.path());
        let read = |file: &tempfile::NamedTempFile| std::fs::read(file.path()).unwrap();
        let identity = native_tls::Identity::from_pkcs8(&read(&ca), &read(&key)).unwrap();
        let acceptor = TlsAcceptor::from(native_tls::TlsAcceptor::new(identity).unwrap());
        let (listener, port) = listen().await;
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.set_nodelay(true);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, thinks).await;
                    }
                });
            }
        });
        Self { port, ca, connections }
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn certificate(key: &Path, ca: &Path) {
    let made = std::process::Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
        .args("-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout".split(' '))
        .args([key.as_os_str(), "-out".as_ref(), ca.as_os_str()])
        .output()
        .expect("the command openssl is needed (package openssl)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

async fn serve(mut stream: tokio_native_tls::TlsStream<TcpStream>, thinks: Duration) {
    let mut buffer = Vec::new();
    loop {
        let head = loop {
            if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
                return;
            }
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0_usize);
        while buffer.len() < head + length {
            if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
                return;
            }
        }
        buffer.drain(..head + length);
        sleep(thinks).await;
        let reply = if text.starts_with("post") {
            format!(
                "HTTP/1.1 201 Created\r\ncontent-type: application/sdp\r\nlocation: /s/1\r\n\
                 content-length: {}\r\n\r\n{ANSWER}",
                ANSWER.len()
            )
        } else {
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
        };
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A STUN server that answers after that long; it remembers how often it was asked.
pub async fn stun(thinks: Duration) -> (u16, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut datagram = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut datagram).await {
            // A binding request with the magic cookie; what it said is the transaction.
            assert_eq!((length, &datagram[..8]), (20, &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..]));
            counted.fetch_add(1, Ordering::SeqCst);
            sleep(thinks).await;
            let mut answer = vec![1, 1, 0, 0];
            answer.extend(&datagram[4..20]);
            let _ = socket.send_to(&answer, from).await;
        }
    });
    (port, asked)
}
