//! Real sockets against a listener with short deadlines and little room.

use std::time::Duration;

use axum::routing::{get, post};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::*;

const SHORT: Bounds = Bounds {
    connections: 16,
    per_peer: 4,
    head: Duration::from_millis(400),
    request: Duration::from_millis(800),
};

struct Served {
    at: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

async fn served(bounds: Bounds) -> Served {
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/take", post(|body: String| async move { body.len().to_string() }))
        .route("/much", get(|| async { "x".repeat(32 << 20) }))
        .route(
            "/slow",
            get(|| async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                "slow"
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let task = tokio::spawn(serve(listener, router, bounds, async {
        let _ = ended.await;
    }));
    Served { at, end: Some(end), task }
}

async fn sends(at: SocketAddr, text: &str) -> TcpStream {
    let mut to = TcpStream::connect(at).await.unwrap();
    to.write_all(text.as_bytes()).await.unwrap();
    to
}

/// Everything that comes until the other end closes, within five seconds.
async fn rest(from: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // A reset is an end, too.
    let _ = timeout(Duration::from_secs(5), from.read_to_end(&mut all)).await.expect("it closes");
    String::from_utf8_lossy(&all).into_owned()
}

async fn asks(at: SocketAddr) -> String {
    rest(&mut sends(at, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await).await
}

#[tokio::test]
async fn whatever_is_left_undone_is_closed_in_time() {
    let served = served(SHORT).await;
    let head = |rest: &str| format!("POST /take HTTP/1.1\r\nhost: x\r\n{rest}");
    for (what, text, most) in [
        ("nothing at all", String::new(), SHORT.head),
        ("half a request line", "GET".into(), SHORT.head),
        ("half a head", "GET / HTTP/1.1\r\nx: ".into(), SHORT.head),
        ("a head without its end", head("a: b\r\n"), SHORT.head),
        ("no body", head("content-length: 9\r\n\r\n"), SHORT.request),
        ("half a body", head("content-length: 9\r\n\r\nhalf"), SHORT.request),
        ("half a chunk", head("transfer-encoding: chunked\r\n\r\n9\r\nhalf"), SHORT.request),
        ("a second request never sent", "GET / HTTP/1.1\r\nhost: x\r\n\r\n".into(), SHORT.head),
        (
            "a second request half sent",
            "GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HT".into(),
            SHORT.head,
        ),
    ] {
        let began = Instant::now();
        let mut to = sends(served.at, &text).await;
        rest(&mut to).await;
        let took = began.elapsed();
        let about = most.mul_f32(0.8)..most + Duration::from_millis(900);
        assert!(about.contains(&took), "{what}: {took:?}, wanted {most:?}");
    }
}

#[tokio::test]
async fn a_head_that_drips_has_no_longer_than_one_that_stands() {
    let served = served(SHORT).await;
    let mut to = sends(served.at, "GET / HTTP/1.1\r\n").await;
    let began = Instant::now();
    let closed = timeout(Duration::from_secs(5), async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if to.write_all(b"a: b\r\n").await.is_err() {
                break;
            }
        }
    });
    closed.await.expect("it is closed in spite of the drip");
    assert!(began.elapsed() < SHORT.head + Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_answer_nobody_reads_is_given_up() {
    let served = served(SHORT).await;
    let mut to = sends(served.at, "GET /much HTTP/1.1\r\nhost: x\r\n\r\n").await;
    tokio::time::sleep(SHORT.request + Duration::from_millis(600)).await;
    let got = rest(&mut to).await.len();
    assert!(got < 32 << 20, "what was in the sockets and no more: {got}");
}

#[tokio::test]
async fn a_head_without_end_takes_little_memory_and_is_refused() {
    let served = served(SHORT).await;
    let mut to = sends(served.at, "GET / HTTP/1.1\r\nhost: x\r\nx: ").await;
    let flood = "y".repeat(1 << 20);
    let _ = timeout(Duration::from_secs(3), to.write_all(flood.as_bytes())).await;
    let answer = rest(&mut to).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn half_requests_make_room_for_whole_ones_and_for_nobody_else() {
    let bounds = Bounds { head: Duration::from_mins(1), request: Duration::from_mins(1), ..SHORT };
    let served = served(bounds).await;
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(sends(served.at, "GET / HTTP/1.1\r\nx: ").await);
    }
    for _ in 0..20 {
        let began = Instant::now();
        assert!(asks(served.at).await.ends_with("here"));
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    // Bodies that never come make room, too.
    for _ in 0..100 {
        held.push(
            sends(served.at, "POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").await,
        );
    }
    assert!(asks(served.at).await.ends_with("here"));
    // What is being answered is not closed for those who come later.
    let mut slow =
        sends(served.at, "GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..100 {
        held.push(sends(served.at, "GET / HTTP/1.1\r\nx: ").await);
    }
    assert!(rest(&mut slow).await.ends_with("slow"));
}

#[tokio::test]
async fn when_all_are_being_answered_the_next_one_is_told_so() {
    let served = served(Bounds { connections: 4, ..SHORT }).await;
    let mut busy = Vec::new();
    for _ in 0..4 {
        busy.push(
            sends(served.at, "GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await,
        );
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut late = TcpStream::connect(served.at).await.unwrap();
    let answer = rest(&mut late).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
    assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{body}");
    for one in &mut busy {
        assert!(rest(one).await.ends_with("slow"));
    }
}

#[tokio::test]
async fn one_that_is_kept_is_served_again_and_the_end_does_not_wait_for_it() {
    let mut served = served(SHORT).await;
    let mut to = sends(served.at, "").await;
    for _ in 0..3 {
        to.write_all(b"POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc")
            .await
            .unwrap();
        let mut answer = [0; 1024];
        let n = to.read(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer[..n]).ends_with("\r\n\r\n3"));
        tokio::time::sleep(SHORT.head / 2).await;
    }
    drop(served.end.take());
    let began = Instant::now();
    timeout(Duration::from_secs(2), served.task).await.expect("it ends").unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(rest(&mut to).await, "");
}

#[test]
fn one_address_beyond_this_machine_does_not_take_all() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut room = Room { bounds: SHORT, open: BTreeMap::new(), next: 0, warned: None };
    let mut come = |ip: [u8; 4]| {
        let peer = SocketAddr::from((ip, 4000));
        let (id, progress) = room.admit(peer)?;
        let abort = runtime.spawn(std::future::pending::<()>()).abort_handle();
        room.open.insert(id, Place { peer: peer.ip(), progress: Arc::clone(&progress), abort });
        let of_it = room.open.values().filter(|p| p.peer == peer.ip()).count();
        Some((of_it, room.open.len(), progress))
    };
    for _ in 0..10 {
        assert!(come([192, 0, 2, 1]).unwrap().0 <= SHORT.per_peer);
    }
    for n in 0..40 {
        assert!(come([192, 0, 2, 2 + n]).unwrap().1 <= SHORT.connections);
    }
    let answered: Vec<_> =
        (0..SHORT.per_peer).map(|_| come([198, 51, 100, 1]).unwrap().2).collect();
    for progress in &answered {
        progress.enter(Phase::Answer);
    }
    assert!(come([198, 51, 100, 1]).is_none(), "all of its own are being answered");
    assert!(come([198, 51, 100, 2]).is_some());
}
