//! A WHIP server that follows a script, on a raw socket: it can be wrong in every way. It remembers each
//! request, and on which connection it came.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

/// What is done with a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answered with these bytes; the connection stays open. `{port}` stands for the server's own, `{n}` for the
    /// number of requests so far.
    Say(String),
    /// Answered with the first, waited, answered with the second.
    Slow(String, Duration, String),
    /// Answered with these bytes, then hung up.
    Hang(String),
    /// Answered with this head, then with `x` for ever.
    Flood(String),
    /// Answered with this head, then with one byte every 50 ms.
    Drip(String),
    /// Never answered.
    Never,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub connection: usize,
    pub method: String,
    pub path: String,
    pub head: String,
    pub body: String,
}

impl Seen {
    /// A header's value; names in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// The server; gone with its runtime.
pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1. For each request the script is searched for the first unused
    /// act with its method; the last one of a method is used again and again.
    pub async fn start(script: Vec<(&'static str, Act)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script));
        let all = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, _)) = listener.accept().await {
                connection += 1;
                tokio::spawn(serve(
                    stream,
                    connection,
                    port,
                    Arc::clone(&script),
                    Arc::clone(&all),
                ));
            }
        });
        Self { port, seen }
    }

    pub fn url(&self, path: &str) -> Url {
        format!("http://127.0.0.1:{}{path}", self.port).parse().unwrap()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until a request of this method has come.
    pub async fn saw(&self, method: &str) -> Seen {
        self.saw_nth(method, 0).await
    }

    pub async fn saw_nth(&self, method: &str, nth: usize) -> Seen {
        let look = async {
            loop {
                if let Some(seen) = self.seen().into_iter().filter(|s| s.method == method).nth(nth)
                {
                    return seen;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let limit = Duration::from_secs(10);
        tokio::time::timeout(limit, look).await.unwrap_or_else(|_| panic!("no {method} came"))
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    port: u16,
    script: Arc<Mutex<Vec<(&'static str, Act)>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer, connection).await {
        let act = {
            let mut script = script.lock().unwrap();
            let at = script.iter().position(|(method, _)| *method == request.method);
            let more = script.iter().filter(|(method, _)| *method == request.method).count() > 1;
            at.map(|at| if more { script.remove(at).1 } else { script[at].1.clone() })
        };
        let n = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.len().to_string()
        };
        let port = port.to_string();
        let own = |text: &str| text.replace("{port}", &port).replace("{n}", &n).into_bytes();
        match act {
            None => {
                let none = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
                let _ = stream.write_all(none).await;
            }
            Some(Act::Say(text)) => {
                let _ = stream.write_all(&own(&text)).await;
            }
            Some(Act::Slow(first, wait, second)) => {
                let _ = stream.write_all(&own(&first)).await;
                tokio::time::sleep(wait).await;
                let _ = stream.write_all(&own(&second)).await;
            }
            Some(Act::Hang(text)) => {
                let _ = stream.write_all(&own(&text)).await;
                let _ = stream.shutdown().await;
                return;
            }
            Some(Act::Flood(head)) => {
                let _ = stream.write_all(&own(&head)).await;
                while stream.write_all(&[b'x'; 16_384]).await.is_ok() {}
                return;
            }
            Some(Act::Drip(head)) => {
                let _ = stream.write_all(&own(&head)).await;
                while stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                return;
            }
            Some(Act::Never) => std::future::pending().await,
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Seen> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        if buffer[0] == 0x16 {
            // A TLS greeting: told off in plain text, as servers do.
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut words = head.split_ascii_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut seen = Seen { connection, method, path, head, body: String::new() };
    let length = seen.header("content-length").map_or(0, |n| n.parse::<usize>().unwrap());
    while buffer.len() < end + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    seen.body = String::from_utf8_lossy(&buffer[end..end + length]).into_owned();
    buffer.drain(..end + length);
    Some(seen)
}
