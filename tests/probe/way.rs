//! A long way to a stage: HTTP and media are both delayed, in user space. A new connection costs two round trips
//! before its first request, as TCP and TLS do.

use std::{sync::Arc, time::Duration};

use hawker::stage::Stage;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use url::Url;

/// The stage's endpoint as it is seen from that far away.
pub async fn far_stage(stage: &Stage, each_way: Duration) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut url: Url = stage.whip_url().parse().unwrap();
    let to = url.port().unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(serve(stream, to, each_way));
        }
    });
    url
}

async fn serve(mut stream: TcpStream, to: u16, each_way: Duration) {
    let mut waits = each_way * 4;
    while let Some((head, body)) = message(&mut stream).await {
        sleep(waits + each_way).await;
        waits = Duration::ZERO;
        // The publisher's own candidates would lead the stage around the long way.
        let body: String =
            body.split_inclusive('\n').filter(|line| !line.starts_with("a=candidate")).collect();
        let reply = if head.starts_with("PATCH") {
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
        } else {
            ask(to, &head, &body, each_way).await
        };
        sleep(each_way).await;
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn ask(to: u16, head: &str, body: &str, each_way: Duration) -> String {
    let mut there = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
    there.write_all(with_body(head, body).as_bytes()).await.unwrap();
    let Some((head, body)) = message(&mut there).await else { return String::new() };
    let candidate =
        body.lines().find(|line| line.starts_with("a=candidate") && line.contains("127.0.0.1"));
    let Some(port) = candidate.and_then(|line| line.split(' ').nth(5)) else {
        return with_body(&head, &body);
    };
    let relay = relay(port.parse().unwrap(), each_way).await;
    with_body(&head, &body.replace(&format!(" {port} typ"), &format!(" {relay} typ")))
}

/// The head with the length of this body, and the body.
fn with_body(head: &str, body: &str) -> String {
    let mut text = String::new();
    for line in head.lines().filter(|line| !line.is_empty()) {
        if !line.to_ascii_lowercase().starts_with("content-length") {
            text += line;
            text += "\r\n";
        }
    }
    text + &format!("content-length: {}\r\n\r\n{body}", body.len())
}

/// Head and body of a request or a reply.
async fn message(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at + 4]).into_owned();
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse().unwrap());
            while bytes.len() < at + 4 + length {
                if stream.read_buf(&mut bytes).await.ok()? == 0 {
                    return None;
                }
            }
            return Some((head, String::from_utf8_lossy(&bytes[at + 4..]).into_owned()));
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Carries datagrams both ways between whoever sends to its port and that one.
async fn relay(to: u16, each_way: Duration) -> u16 {
    let (near, there) = (
        Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap()),
        Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap()),
    );
    there.connect(("127.0.0.1", to)).await.unwrap();
    let port = near.local_addr().unwrap().port();
    let (met, peer) = watch::channel(None);
    let (give, mut out) = mpsc::channel::<(Instant, Vec<u8>)>(4096);
    let from = Arc::clone(&near);
    tokio::spawn(async move {
        let mut datagram = [0; 2048];
        while let Ok((length, at)) = from.recv_from(&mut datagram).await {
            met.send_replace(Some(at));
            let _ = give.try_send((Instant::now() + each_way, datagram[..length].to_vec()));
        }
    });
    let far = Arc::clone(&there);
    tokio::spawn(async move {
        while let Some((due, datagram)) = out.recv().await {
            sleep_until(due).await;
            let _ = far.send(&datagram).await;
        }
    });
    let (give, mut back) = mpsc::channel::<(Instant, Vec<u8>)>(4096);
    tokio::spawn(async move {
        let mut datagram = [0; 2048];
        while let Ok(length) = there.recv(&mut datagram).await {
            let _ = give.try_send((Instant::now() + each_way, datagram[..length].to_vec()));
        }
    });
    tokio::spawn(async move {
        while let Some((due, datagram)) = back.recv().await {
            sleep_until(due).await;
            let at = *peer.borrow();
            if let Some(at) = at {
                let _ = near.send_to(&datagram, at).await;
            }
        }
    });
    port
}
