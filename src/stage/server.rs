//! The stage as the engine holds it: started, asked for its addresses and figures, stopped. Owns the thread
//! of the loop and the task of the HTTP server, and leaves neither behind.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle as Task,
};

use super::{
    clock, http,
    sfu::{
        Sfu, StageFigures,
        air::{SharedWeather, Weather},
        landing::{self, Near},
    },
};
use crate::{
    base::Secret,
    stats::ViewerFigures,
    system::{self, http::Bounds},
};

/// How the stage is to be started.
#[derive(Debug, Clone)]
pub struct StageOptions {
    /// Where it listens for HTTP. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// What viewers must know. Required beyond loopback.
    pub token: Option<Secret>,
    /// What publishers from outside must know. Without one only a stage on loopback that has no token takes any.
    pub publish_token: Option<Secret>,
    /// Nobody but the owner (see [`Stage::owner`]) may publish, from the start. Otherwise nobody else may from the
    /// owner's first session on.
    pub reserved: bool,
    /// Addresses of this machine, besides the listening one, that media may come to. With any, the media
    /// socket is open on all interfaces, though it answers only who knows a session's ICE password.
    pub extra_candidates: Vec<IpAddr>,
    /// What the network is to be like, for rehearsing and for tests.
    pub weather: Weather,
}

impl Default for StageOptions {
    /// Loopback, any port, no token.
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 0).into(),
            token: None,
            publish_token: None,
            reserved: false,
            extra_candidates: Vec::new(),
            weather: Weather::CLEAR,
        }
    }
}

/// Why the stage did not start.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Another program listens there.
    #[error(
        "the stage cannot listen on {0}: another program has that port. End it, give another port, or \
         port 0 for any free one"
    )]
    PortInUse(SocketAddr),
    /// Everybody could watch and publish.
    #[error(
        "the stage will not listen on {0} without a token: anybody on that network could watch and publish. \
         Set a token, or listen on 127.0.0.1"
    )]
    NeedsToken(SocketAddr),
    /// Who may watch could publish.
    #[error(
        "the stage's token and its publish token are the same, so every viewer could publish: give each its own"
    )]
    SameTokens,
    /// The address is not ours, or not allowed.
    #[error(
        "the stage cannot listen on {address}: {source}. Check the address and its permissions"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The machine has no thread, socket or memory for it.
    #[error("the stage cannot start: {0}. Close other programs, or raise the limits of this one")]
    System(std::io::Error),
}

/// How long a viewer's last post counts.
const VIEWER_FRESH: Duration = Duration::from_secs(5);
/// The state of a viewer who has said nothing for longer.
const LEFT: &str = "left";
/// Most viewers whose figures are kept, those who left among them.
const MAX_POSTERS: usize = 64;
/// Most connections of its HTTP listener: two for each viewer's page, and as many again.
const MAX_CONNECTIONS: usize = 256;
/// How long requests under way may take to end.
const FAREWELL: Duration = Duration::from_millis(500);

/// What viewer pages say of themselves. Bounded; the oldest makes room.
#[derive(Debug, Default)]
pub(super) struct Posts(Mutex<BTreeMap<String, (Instant, ViewerFigures)>>);

impl Posts {
    /// Keeps a post.
    pub fn keep(&self, figures: ViewerFigures, now: Instant) {
        let mut posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if posts.len() >= MAX_POSTERS && !posts.contains_key(&figures.id) {
            let oldest = posts.iter().min_by_key(|(_, (at, _))| *at).map(|(id, _)| id.clone());
            if let Some(id) = oldest {
                posts.remove(&id);
            }
        }
        posts.insert(figures.id.clone(), (now, figures));
    }

    /// Those of the last five seconds, by id.
    fn fresh(&self, now: Instant) -> Vec<ViewerFigures> {
        let posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = posts.values().filter(|(at, _)| is_fresh(*at, now));
        fresh.map(|(_, figures)| figures.clone()).collect()
    }

    /// All that are kept, by id; those that said nothing lately have left.
    fn all(&self, now: Instant) -> Vec<ViewerFigures> {
        let posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = posts.values().map(|(at, figures)| {
            let mut figures = figures.clone();
            if !is_fresh(*at, now) {
                figures.state = LEFT.into();
            }
            figures
        });
        told.collect()
    }
}

fn is_fresh(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) <= VIEWER_FRESH
}

/// The running stage.
#[derive(Debug)]
pub struct Stage {
    address: SocketAddr,
    sfu: Sfu,
    posts: Arc<Posts>,
    weather: SharedWeather,
    owner: Secret,
    thread: Option<JoinHandle<()>>,
    quit: Option<oneshot::Sender<()>>,
    server: Option<Task<()>>,
}

impl Stage {
    /// Starts it. Call within a tokio runtime.
    pub async fn start(options: StageOptions) -> Result<Self, StageError> {
        let listen = options.listen;
        if !listen.ip().is_loopback() && options.token.is_none() {
            return Err(StageError::NeedsToken(listen));
        }
        if let (Some(token), Some(publish)) = (&options.token, &options.publish_token)
            && token.is(publish.expose().as_bytes())
        {
            return Err(StageError::SameTokens);
        }
        let owner = one_time_secret().map_err(StageError::System)?;
        let listener = tokio::net::TcpListener::bind(listen).await.map_err(|source| {
            if source.kind() == ErrorKind::AddrInUse {
                StageError::PortInUse(listen)
            } else {
                StageError::Listen { address: listen, source }
            }
        })?;
        let address = listener.local_addr().map_err(StageError::System)?;
        let media =
            media_socket(address.ip(), &options.extra_candidates).map_err(StageError::System)?;
        let weather = Arc::new(Mutex::new(options.weather));
        let (sfu, thread) = Sfu::start(
            media.socket,
            media.candidates,
            media.near,
            Arc::clone(&weather),
            options.reserved,
        )
        .map_err(StageError::System)?;
        let posts = Arc::new(Posts::default());
        let router = http::router(http::Door {
            sfu: sfu.clone(),
            token: options.token,
            publish_token: options.publish_token,
            owner: owner.clone(),
            listen: address,
            boot: clock::this_boot(),
            posts: Arc::clone(&posts),
            weather: Arc::clone(&weather),
        });
        let (quit, asked) = oneshot::channel::<()>();
        let bounds = Bounds::for_at_most(MAX_CONNECTIONS);
        let server = tokio::spawn(system::http::serve(listener, router, bounds, async {
            let _ = asked.await;
        }));
        Ok(Self {
            address,
            sfu,
            posts,
            weather,
            owner,
            thread: Some(thread),
            quit: Some(quit),
            server: Some(server),
        })
    }

    /// What the show that runs this stage publishes with, as a bearer token. Made anew each time; it is in no file.
    pub fn owner(&self) -> Secret {
        self.owner.clone()
    }

    /// Where it listens for HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what the network is like, from now on.
    pub fn set_weather(&self, weather: Weather) {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// Where publishers go.
    pub fn whip_url(&self) -> String {
        format!("{}/whip", self.origin())
    }

    /// Where viewers go.
    pub fn whep_url(&self) -> String {
        format!("{}/whep", self.origin())
    }

    /// The page for a browser. It asks for the token itself; the address never holds it.
    pub fn viewer_url(&self) -> String {
        format!("{}/", self.origin())
    }

    /// What the pages that posted within the last five seconds say.
    pub fn viewers(&self) -> Vec<ViewerFigures> {
        self.posts.fresh(Instant::now())
    }

    /// What every page said last, the newest 64; one that has said nothing for five seconds is `left`.
    pub fn all_viewers(&self) -> Vec<ViewerFigures> {
        self.posts.all(Instant::now())
    }

    /// The publisher's side, at most 200 ms old.
    pub fn figures(&self) -> StageFigures {
        *self.sfu.figures().borrow()
    }

    /// The publisher's side as a watch: changes at once when a publisher comes or goes and when its first
    /// key frame is whole, else five times a second.
    pub fn watch(&self) -> watch::Receiver<StageFigures> {
        self.sfu.figures()
    }

    /// Ends every session with a goodbye, and everything that was started. Nothing is sent afterwards.
    pub async fn stop(mut self) {
        drop(self.quit.take());
        self.sfu.stop();
        if let Some(thread) = self.thread.take() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(FAREWELL, &mut server).await.is_err()
        {
            server.abort();
            let _ = server.await;
        }
    }

    /// Where a browser on this machine finds it.
    fn origin(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => [127, 0, 0, 1].into(),
                IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("http://{address}")
    }
}

impl Drop for Stage {
    /// OpenSSL takes a thread that outlives the process badly: it is joined here if `stop` was not called.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.sfu.stop();
            let _ = thread.join();
        }
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

/// 256 random bits.
fn one_time_secret() -> std::io::Result<Secret> {
    let half = || {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes)
            .map_err(|_| std::io::Error::other("the system gives no random numbers"))?;
        Ok::<_, std::io::Error>(u128::from_be_bytes(bytes))
    };
    Ok(Secret::new(format!("{:032x}{:032x}", half()?, half()?)))
}

/// Where media come to.
struct MediaSocket {
    socket: UdpSocket,
    candidates: Vec<SocketAddr>,
    near: Option<Near>,
}

/// The media socket for a stage that listens on `ip`, and the addresses it can be reached at.
///
/// Firefox uses no loopback address for media, so a stage on loopback has this machine's own address as well; what
/// comes from another machine is not looked at.
fn media_socket(ip: IpAddr, extra: &[IpAddr]) -> std::io::Result<MediaSocket> {
    let private = ip == IpAddr::V4(Ipv4Addr::LOCALHOST) && extra.is_empty();
    let mut ips = match ip {
        _ if private => landing::own(false),
        ip if ip.is_unspecified() => landing::own(ip.is_ipv6()),
        ip => vec![ip],
    };
    for more in extra {
        if !ips.contains(more) && !more.is_unspecified() {
            ips.push(*more);
        }
    }
    let bind = match ips[..] {
        [only] => only,
        _ if ips.iter().any(IpAddr::is_ipv6) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((bind, 0))?;
    let port = socket.local_addr()?.port();
    let candidates = ips.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
    Ok(MediaSocket { socket, candidates, near: private.then(|| Near::new(ips)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewers_who_left_are_told_as_such_at_the_end() {
        let (posts, began) = (Posts::default(), Instant::now());
        let viewer = |id: &str| ViewerFigures {
            id: id.into(),
            state: "connected".into(),
            ..ViewerFigures::default()
        };
        posts.keep(viewer("early"), began);
        let later = began + VIEWER_FRESH * 2;
        posts.keep(viewer("late"), later);
        let told = |figures: Vec<ViewerFigures>| -> Vec<(String, String)> {
            figures.into_iter().map(|f| (f.id, f.state)).collect()
        };
        let is = |id: &str, state: &str| (id.to_owned(), state.to_owned());
        assert_eq!(told(posts.fresh(later)), [is("late", "connected")]);
        assert_eq!(told(posts.all(later)), [is("early", LEFT), is("late", "connected")]);
        for n in 0..MAX_POSTERS as u32 * 2 {
            posts.keep(viewer(&n.to_string()), later + Duration::from_millis(n.into()));
        }
        assert_eq!(posts.all(later).len(), MAX_POSTERS, "it is bounded");
    }
}
