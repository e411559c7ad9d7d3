//! A source of Twitch by EventSub: WebSockets that only listen, and the requests by which their session is subscribed.
//! While the server asks for a reconnect there are two sockets, and the old one is read to its end.

use std::collections::{BTreeMap, VecDeque};

use futures::StreamExt;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, interval, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Bytes, Error, Message, protocol::WebSocketConfig},
};
use url::Url;

use super::helix::{Api, unauthorized};
use crate::{
    chat::{
        request::Request,
        spec::{Server, Transport},
        twitch::{
            LinkId,
            eventsub::{ADDRESS, Ask, LEAVE, Lost, Output, Session},
        },
    },
    link::chat::{
        CONNECT, Clock, Ended, Report, Reports, TICK,
        stream::{self, Stream},
    },
};

/// Frames of all sockets that wait to be taken.
const WAITING: usize = 64;
/// The longest frame, in bytes. A message of 500 characters, each a fragment of its own, has less than that.
const MOST_FRAME: usize = 256 * 1024;
/// Requests that are under way at the same time. Twitch takes 800 a minute.
const MOST_ASKED: usize = 4;

type Socket = WebSocketStream<Box<dyn Stream>>;

/// What a socket's task tells.
enum Came {
    /// A frame; `None` for one without a message, which says only that the link lives.
    Frame(Option<Bytes>),
    /// It is gone: the code of the close frame, or why it never stood.
    Gone(Option<u16>, Option<Ended>),
}

/// Serves the source until no socket is left. `at` is a stand-in of [`ADDRESS`].
pub async fn serve(
    api: &Api,
    at: Option<&Url>,
    session: &mut Session,
    clock: &Clock,
    reports: &Reports,
) -> Ended {
    run(api, at, session, clock, reports).await.unwrap_or_else(|ended| ended)
}

async fn run(
    api: &Api,
    at: Option<&Url>,
    session: &mut Session,
    clock: &Clock,
    reports: &Reports,
) -> Result<Ended, Ended> {
    let begin = at.map_or(ADDRESS, Url::as_str);
    // Dropped with this function, and with them every socket.
    let mut sockets: JoinSet<()> = JoinSet::new();
    let mut closing: BTreeMap<LinkId, oneshot::Sender<()>> = BTreeMap::new();
    let (give, mut taken) = mpsc::channel(WAITING);
    let mut asking: JoinSet<(Ask, u16, Vec<u8>)> = JoinSet::new();
    // The session asks for each of its subscriptions once at a time.
    let mut to_ask: VecDeque<(Ask, Request)> = VecDeque::new();
    let mut tick = interval(TICK);
    let mut refused = None;
    session.start(clock.now(), &api.accounts());
    loop {
        while let Some(output) = session.poll() {
            match output {
                Output::Open(link, address) => {
                    let (close, closed) = oneshot::channel();
                    closing.insert(link, close);
                    let address = address.unwrap_or_else(|| begin.to_owned());
                    sockets.spawn(socket(link, address, closed, give.clone()));
                }
                Output::Close(link) => drop(closing.remove(&link)),
                Output::Request(ask, request) => to_ask.push_back((ask, request)),
                Output::Update(update) => reports.tell(Report::Update(update)).await?,
                Output::Live => reports.tell(Report::Live).await?,
                Output::Without(topic, status) => tracing::warn!(
                    channel = api.channel(topic.channel),
                    kind = topic.kind,
                    status,
                    "Twitch refuses a subscription: the rest is read without it"
                ),
                Output::Lost(why) => return Ok(lost(&why, refused)),
            }
        }
        while asking.len() < MOST_ASKED
            && let Some((ask, request)) = to_ask.pop_front()
        {
            let api = api.clone();
            asking.spawn(async move {
                let (status, body) = api.call(&request).await;
                (ask, status, body)
            });
        }
        tokio::select! {
            Some((link, came)) = taken.recv() => match came {
                Came::Frame(Some(frame)) => {
                    if session.text(clock.now(), link, &frame).is_err() {
                        reports.tell(Report::Unreadable).await?;
                    }
                    reports.tell(Report::Heard).await?;
                }
                Came::Frame(None) => session.alive(clock.now(), link),
                Came::Gone(code, why) => {
                    refused = why.or(refused);
                    session.closed(clock.now(), link, code);
                }
            },
            Some(Ok((ask, status, body))) = asking.join_next() => {
                session.answered(clock.now(), &ask, status, &body);
            }
            Some(_) = sockets.join_next() => {}
            _ = tick.tick() => session.tick(clock.now()),
        }
    }
}

/// One socket, from its opening to its end. It is closed when `close` is dropped, and then still read to its end: what
/// was sent before the other side heard of it is not lost.
async fn socket(
    link: LinkId,
    address: String,
    mut close: oneshot::Receiver<()>,
    to: mpsc::Sender<(LinkId, Came)>,
) {
    let mut socket = match open(&address).await {
        Ok(socket) => socket,
        Err(why) => {
            let _ = to.send((link, Came::Gone(None, Some(why)))).await;
            return;
        }
    };
    let mut until: Option<Instant> = None;
    let mut code = None;
    loop {
        let next = tokio::select! {
            next = socket.next() => next,
            _ = &mut close, if until.is_none() => {
                until = Some(Instant::now() + LEAVE);
                // Whether it can still be said is seen by the reading.
                let _ = timeout(LEAVE, socket.close(None)).await;
                continue;
            }
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => break,
        };
        let frame = match next {
            Some(Ok(Message::Text(text))) => Some(Bytes::from(text)),
            Some(Ok(Message::Binary(bytes))) => Some(bytes),
            Some(Ok(Message::Close(frame))) => {
                code = frame.map(|frame| frame.code.into()).or(code);
                continue;
            }
            // A ping is answered by the reading.
            Some(Ok(_)) => None,
            Some(Err(_)) | None => break,
        };
        if to.send((link, Came::Frame(frame))).await.is_err() {
            return;
        }
    }
    let _ = to.send((link, Came::Gone(code, None))).await;
}

async fn open(address: &str) -> Result<Socket, Ended> {
    let bad = || Ended::passing("Twitch named no address of a WebSocket");
    let url = Url::parse(address).map_err(|_| bad())?;
    let host = url.host_str().ok_or_else(bad)?;
    let port = url.port_or_known_default().ok_or_else(bad)?;
    let server = Server { host: host.trim_matches(['[', ']']).to_owned(), port };
    let transport = if url.scheme() == "wss" { Transport::Tls } else { Transport::Tcp };
    let stream = stream::connect(&server, transport, None).await?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MOST_FRAME))
        .max_frame_size(Some(MOST_FRAME));
    // The stream below is encrypted already where it must be.
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let inner = format!("ws://{host}{port}{}{query}", url.path());
    match timeout(CONNECT, client_async_with_config(inner, stream, Some(config))).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(answer))) => Err(Ended::passing(format!(
            "EventSub at {server} answered with status {}",
            answer.status().as_u16()
        ))),
        Ok(Err(_)) => Err(Ended::passing(format!("{server} does not speak WebSocket"))),
        Err(_) => Err(Ended::passing(format!(
            "EventSub at {server} did not answer within {} s",
            CONNECT.as_secs()
        ))),
    }
}

fn lost(why: &Lost, refused: Option<Ended>) -> Ended {
    match (why, refused) {
        (Lost::Closed(None), Some(refused)) => refused,
        (Lost::Closed(code), _) => Ended::passing(match code {
            Some(code) => format!("EventSub closed the connection ({})", meaning(*code)),
            None => "EventSub closed the connection".to_owned(),
        }),
        (Lost::NotWelcomed, _) => Ended::passing("EventSub does not welcome a session in time"),
        (Lost::Silent, _) => Ended::passing("EventSub has sent no keepalive in time"),
        (Lost::NotSubscribed(status), _) => Ended {
            why: format!("Twitch does not let this chat be subscribed to (status {status})"),
            lasting: why.is_lasting(),
        },
        (Lost::Unauthorized(said), _) => unauthorized(said),
    }
}

/// Twitch's close codes (Getting Events Using WebSockets, Close message).
fn meaning(code: u16) -> String {
    let words = match code {
        4000 => "fault of the server",
        4001 => "something was sent to it",
        4002 => "a ping was not answered",
        4003 => "nothing was subscribed to in time",
        4004 => "the reconnect took too long",
        4005 | 4006 => "fault of the network",
        4007 => "wrong address of the reconnect",
        _ => return code.to_string(),
    };
    format!("{code}: {words}")
}
