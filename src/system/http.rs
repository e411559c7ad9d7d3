//! The one way hawker serves HTTP: deadlines for everything a client may leave undone, and a bound on connections
//! that the unfinished ones are closed for first. What is answered is the router's.

mod connection;

use std::{
    collections::BTreeMap,
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::Request, http::header, middleware, response::Response};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use self::connection::{Counted, Phase, Progress};
use super::descriptors;

/// What a client may take its time for, and how many may be there.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Most connections at a time.
    pub connections: usize,
    /// Most of them from one address beyond this machine. All local users share loopback's, so there the bound on
    /// all connections is the only one.
    pub per_peer: usize,
    /// From the opening of a connection, or the end of the answer before, to the end of a request's head.
    pub head: Duration,
    /// From the end of the head to the end of the answer as the client has read it.
    pub request: Duration,
}

impl Bounds {
    /// For up to `wanted` connections, but never more than an eighth of the descriptors of this process.
    pub fn for_at_most(wanted: usize) -> Self {
        let connections = wanted.min(descriptors::limit() / 8).max(4);
        Self {
            connections,
            per_peer: (connections / 4).max(4),
            head: Duration::from_secs(10),
            request: Duration::from_secs(30),
        }
    }
}

/// Largest head of a request, in bytes. Browsers send 1-2 KB.
const MAX_HEAD: usize = 16 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// How long connections may take to end when the listener is closed.
const FAREWELL: Duration = Duration::from_millis(400);
/// Between two warnings of the same kind in the log.
const WARN_EVERY: Duration = Duration::from_secs(10);
/// After a refused accept: out of descriptors, most likely.
const PAUSE: Duration = Duration::from_millis(50);

const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 2\r\n\
connection: close\r\ncontent-length: 98\r\n\r\n\
{\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"too many connections: try again in seconds\"}";

/// Serves `router` on `listener` until `end` is done or dropped, then lets what is under way finish for a moment.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    end: impl Future<Output = ()>,
) {
    let (stop, stopped) = watch::channel(false);
    let mut room = Room { bounds, open: BTreeMap::new(), next: 0, warned: None };
    let mut tasks: JoinSet<u64> = JoinSet::new();
    let router = router.layer(middleware::map_response(harden));
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(done) = tasks.join_next() => room.forget(done),
            came = listener.accept() => match came {
                Ok((stream, peer)) => {
                    let Some((id, progress)) = room.admit(peer) else {
                        turn_away(&mut tasks, bounds, stream);
                        continue;
                    };
                    let one = converse(stream, router.clone(), bounds, Arc::clone(&progress), stopped.clone());
                    let abort = tasks.spawn(async move { one.await; id });
                    room.open.insert(id, Place { peer: peer.ip().to_canonical(), progress, abort });
                }
                Err(error) => {
                    // One that is only waited for gives its descriptor back.
                    room.close_one(None);
                    room.warn(&format!("a connection could not be taken: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let _ = stop.send(true);
    let finish = async { while tasks.join_next().await.is_some() {} };
    // What is not done by then is aborted with the set.
    let _ = tokio::time::timeout(FAREWELL, finish).await;
}

/// No connection has this number.
const NOBODY: u64 = 0;

/// Says why, without waiting for a request; not even that to a flood.
fn turn_away(tasks: &mut JoinSet<u64>, bounds: Bounds, mut stream: TcpStream) {
    if tasks.len() >= bounds.connections + bounds.connections / 4 {
        return;
    }
    tasks.spawn(async move {
        let say = async {
            let _ = stream.write_all(BUSY).await;
            let _ = stream.shutdown().await;
        };
        let _ = tokio::time::timeout(PAUSE, say).await;
        NOBODY
    });
}

/// What every answer says, whoever gives it.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers
        .entry(header::X_CONTENT_TYPE_OPTIONS)
        .or_insert(axum::http::HeaderValue::from_static("nosniff"));
    response
}

/// One connection from its first byte to its last.
async fn converse(
    stream: TcpStream,
    router: Router,
    bounds: Bounds,
    progress: Arc<Progress>,
    mut stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let inner = TowerToHyperService::new(router);
    let of_service = Arc::clone(&progress);
    let service =
        hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let progress = Arc::clone(&of_service);
            progress.enter(Phase::Body);
            let request: Request =
                request.map(|body| Body::new(Counted::incoming(body, &progress)));
            let answer = hyper::service::Service::call(&inner, request);
            async move {
                let answer = answer.await;
                // A body that was not read to its end is of no more interest.
                progress.enter(Phase::Answer);
                answer.map(|response: Response| {
                    response.map(|body| Counted::outgoing(body, &progress))
                })
            }
        });
    let connection = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        // The deadlines below hold for what this one would measure, and for all the rest.
        .header_read_timeout(None)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut ending = false;
    loop {
        let overdue = progress.overdue_at(&bounds);
        tokio::select! {
            // A client that is gone, or speaks something else, is no news.
            _ = &mut connection => return,
            () = tokio::time::sleep_until(overdue.into()) => {
                if progress.overdue_at(&bounds) <= Instant::now() {
                    tracing::debug!("a connection was closed: its request was not complete in time");
                    return;
                }
            }
            _ = stopped.wait_for(|stop| *stop), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// A connection that is open.
struct Place {
    peer: IpAddr,
    progress: Arc<Progress>,
    abort: AbortHandle,
}

/// Who is there.
struct Room {
    bounds: Bounds,
    open: BTreeMap<u64, Place>,
    next: u64,
    warned: Option<Instant>,
}

impl Room {
    /// A place for a connection from `peer`: where there is none, the one that has been unfinished longest goes.
    /// `None` when all are being answered.
    fn admit(&mut self, peer: SocketAddr) -> Option<(u64, Arc<Progress>)> {
        let ip = peer.ip().to_canonical();
        let of_peer = self.open.values().filter(|place| place.peer == ip).count();
        if !ip.is_loopback() && of_peer >= self.bounds.per_peer && !self.close_one(Some(ip)) {
            return None;
        }
        if self.open.len() >= self.bounds.connections {
            let crowded = self.crowded();
            if !(self.close_one(crowded) || self.close_one(None)) {
                self.warn("all connections are busy: another one was turned away");
                return None;
            }
        }
        self.next += 1;
        Some((self.next, Arc::new(Progress::new())))
    }

    /// The address with the most connections, if it has more than its share.
    fn crowded(&self) -> Option<IpAddr> {
        let mut by_peer: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for place in self.open.values() {
            *by_peer.entry(place.peer).or_default() += 1;
        }
        let (ip, most) = by_peer.into_iter().max_by_key(|(_, n)| *n)?;
        (most * 2 > self.bounds.connections).then_some(ip)
    }

    /// Closes the connection that has been unfinished longest: first those that never sent a request, then those
    /// whose body is still to come, then those that are kept for later. Never one that is being answered.
    fn close_one(&mut self, of: Option<IpAddr>) -> bool {
        let candidates = self.open.iter().filter(|(_, p)| of.is_none_or(|ip| p.peer == ip));
        let worst = candidates
            .filter_map(|(id, place)| Some((place.progress.unfinished()?, *id)))
            .min_by_key(|(unfinished, _)| *unfinished);
        let Some((_, id)) = worst else { return false };
        if let Some(place) = self.open.remove(&id) {
            place.abort.abort();
        }
        true
    }

    fn forget(&mut self, done: Result<u64, tokio::task::JoinError>) {
        match done {
            Ok(id) => drop(self.open.remove(&id)),
            Err(error) if error.is_panic() => {
                tracing::error!(%error, "a connection broke in hawker");
                self.open.retain(|_, place| !place.abort.is_finished());
            }
            Err(_) => {}
        }
    }

    fn warn(&mut self, what: &str) {
        let now = Instant::now();
        if self.warned.is_none_or(|at| now.duration_since(at) >= WARN_EVERY) {
            self.warned = Some(now);
            tracing::warn!("{what} ({} are open)", self.open.len());
        }
    }
}

#[cfg(test)]
mod tests;
