//! A real TURN server (coturn) on loopback, with a certificate of its own, and a tap on the wire to it.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use tempfile::TempDir;

use crate::process::{Process, tool, until};

/// The user of the server; the password is in the environment's `TURN_WORD`.
pub const USER: &str = "hawker";
pub const WORD: &str = "hu5h:p@ss/w0rd";

/// A running TURN server.
pub struct Turn {
    _process: Process,
    folder: TempDir,
    /// UDP and TCP.
    pub port: u16,
    /// TLS.
    pub tls_port: u16,
}

/// Bound and let go: free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Turn {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificate(&folder);
        let (port, tls_port) = (free_port(), free_port());
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let mut command = tool("turnserver");
        command
            .args(["-n", "--no-cli", "--no-dtls", "--lt-cred-mech", "--realm", "test"])
            .args(["--allow-loopback-peers", "--simple-log", "--verbose", "--log-file"])
            .args([path("log"), "--pidfile".into(), path("pid"), "--userdb".into(), path("db")])
            .args(["--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--user"])
            .arg(format!("{USER}:{WORD}"))
            .args(["--listening-port".into(), port.to_string()])
            .args(["--tls-listening-port".into(), tls_port.to_string()])
            .args(["--cert".into(), path("cert.pem"), "--pkey".into(), path("key.pem")]);
        let process = Process::start(&mut command);
        let turn = Self { _process: process, folder, port, tls_port };
        until("coturn listens", 10, || {
            for port in [turn.port, turn.tls_port] {
                TcpStream::connect(("127.0.0.1", port)).map_err(|e| format!("{port}: {e}"))?;
            }
            Ok(())
        });
        turn
    }

    /// The authority that signed its certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// How many relays it has made.
    pub fn allocations(&self) -> usize {
        self.log().matches("ALLOCATE processed, success").count()
    }
}

fn certificate(folder: &TempDir) {
    let made = Command::new("openssl")
        .current_dir(folder.path())
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
        .args("-subj /CN=relay -addext subjectAltName=IP:127.0.0.1".split(' '))
        .args("-keyout key.pem -out cert.pem".split(' '))
        .output()
        .expect("the command openssl is needed (package openssl)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A wire to a port of this machine, on which everything that is sent there is seen.
pub struct Tap {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    pub fn on(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
        let ours = Arc::clone(&seen);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let ours = Arc::clone(&ours);
                thread::spawn(move || pass(near, far, |b| ours.lock().unwrap().extend(b)));
                thread::spawn(move || pass(far_too, near_too, |_| ()));
            }
        });
        Self { address, seen }
    }

    pub fn seen(&self) -> Vec<u8> {
        self.seen.lock().unwrap().clone()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, see: impl Fn(&[u8])) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(n) = from.read(&mut bytes) {
        see(&bytes[..n]);
        if n == 0 || to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
