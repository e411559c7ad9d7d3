//! Ingests on loopback, as threads: one that refuses everybody, and the door of a real one at which the
//! requests are counted.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What came in at a door, byte by byte.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// How many requests of a method came.
    pub fn count(&self, method: &str) -> usize {
        self.text().lines().filter(|l| is_request(l, method)).count()
    }

    fn add(&self, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }
}

fn is_request(line: &str, method: &str) -> bool {
    line.strip_prefix(method).is_some_and(|rest| rest.starts_with(" /"))
        && line.ends_with("HTTP/1.1")
}

/// Refuses every token. Where it listens, and what it heard.
pub fn refusing() -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, heard) = (listener.local_addr().unwrap(), Heard::default());
    let ours = heard.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 16 * 1024];
            let mut head = Vec::new();
            // The offer after the head is of no interest: it is answered as soon as the head is whole.
            while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                match stream.read(&mut bytes) {
                    Ok(n) if n > 0 => head.extend_from_slice(&bytes[..n]),
                    _ => break,
                }
            }
            ours.add(&head);
            let body = r#"{"title":"Unauthorized","detail":"this stream key has expired"}"#;
            let _ = write!(
                stream,
                "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\nconnection: close\r\n\
                 content-type: application/problem+json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.shutdown(Shutdown::Write);
            // Read to the end, so that the answer is not lost to a reset.
            while stream.read(&mut bytes).is_ok_and(|n| n > 0) {}
        }
    });
    (address, heard)
}

/// A door to a real ingest: passes everything on, and hears the requests.
pub fn door_to(ingest: SocketAddr) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, heard) = (listener.local_addr().unwrap(), Heard::default());
    let ours = heard.clone();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(ingest) else { continue };
            let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let ours = ours.clone();
            thread::spawn(move || pass(near, far, |bytes| ours.add(bytes)));
            thread::spawn(move || pass(far_too, near_too, |_| ()));
        }
    });
    (address, heard)
}

fn pass(mut from: TcpStream, mut to: TcpStream, hear: impl Fn(&[u8])) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(n) = from.read(&mut bytes) {
        hear(&bytes[..n]);
        if n == 0 || to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
