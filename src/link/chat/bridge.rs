//! A source of a bridge: a WebSocket to a program of others. A link that has gone silent is found by pings.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::time::{interval, timeout};
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{Bytes, Error, Message, error::CapacityError, protocol::WebSocketConfig},
};

use super::{CONNECT, Clock, Ended, Orders, Report, Reports, TICK, api::whole_line, stream};
use crate::{
    base::Secret,
    chat::{
        PlatformAction,
        bridge::{self, Reader},
        send::{Answer, Failure},
        spec::{Bridge, Server, Transport},
    },
};

/// The longest frame, in bytes: a line with a picture of its author as a data address. A longer one ends the connection.
const MOST_FRAME: usize = 256 * 1024;
/// Silence after which a ping is sent. Bridges on one machine answer in milliseconds, Restream's beat is slower.
pub const PING: Duration = Duration::from_secs(20);

/// How a bridge is reached.
#[derive(Debug)]
pub struct Endpoint<'a> {
    /// Which.
    pub bridge: Bridge,
    /// Where.
    pub server: &'a Server,
    /// In clear or encrypted.
    pub transport: Transport,
    /// The path of its address.
    pub path: &'a str,
    /// The session of Social Stream Ninja, or the token of Restream.
    pub secret: Option<&'a Secret>,
    /// Silence after which a ping is sent ([`PING`]); without an answer for as long, the link counts as dead.
    pub ping: Duration,
}

impl Endpoint<'_> {
    /// May hold a token: never shown.
    fn address(&self) -> String {
        let Server { host, port } = self.server;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let usual = if self.transport == Transport::Tls { 443 } else { 80 };
        let port = if *port == usual { String::new() } else { format!(":{port}") };
        let query = match (self.bridge, self.secret) {
            (Bridge::Restream, Some(token)) => {
                let mut query = url::form_urlencoded::Serializer::new(String::new());
                format!("?{}", query.append_pair("accessToken", token.expose()).finish())
            }
            _ => String::new(),
        };
        // The stream below is encrypted already where it must be.
        format!("ws://{host}{port}{}{query}", self.path)
    }
}

/// Serves the source until its connection ends.
pub async fn serve(
    endpoint: &Endpoint<'_>,
    reader: &mut Reader,
    clock: &Clock,
    reports: &Reports,
    orders: &mut Orders,
) -> Ended {
    run(endpoint, reader, clock, reports, orders).await.unwrap_or_else(|ended| ended)
}

async fn run(
    endpoint: &Endpoint<'_>,
    reader: &mut Reader,
    clock: &Clock,
    reports: &Reports,
    orders: &mut Orders,
) -> Result<Ended, Ended> {
    let (name, server) = (endpoint.bridge.name(), endpoint.server);
    let closed = || Ended::passing(format!("{name} at {server} closed the connection"));
    let tcp = stream::connect(server, endpoint.transport, None).await?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MOST_FRAME))
        .max_frame_size(Some(MOST_FRAME));
    let opening = client_async_with_config(endpoint.address(), tcp, Some(config));
    let (mut socket, _) = match timeout(CONNECT, opening).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return Err(refused(endpoint, &error)),
        Err(_) => {
            return Err(Ended::passing(format!(
                "{name} at {server} did not answer within {} s",
                CONNECT.as_secs()
            )));
        }
    };
    if let Some(hello) = endpoint.bridge.hello(endpoint.secret) {
        let sent = timeout(CONNECT, socket.send(Message::text(hello))).await;
        sent.map_err(|_| closed())?.map_err(|_| closed())?;
    }
    reports.tell(Report::Live).await?;
    let mut tick = interval(TICK.min(endpoint.ping / 4));
    let (mut heard, mut pinged) = (clock.now().mono, None);
    loop {
        tokio::select! {
            next = socket.next() => {
                let now = clock.now();
                (heard, pinged) = (now.mono, None);
                let frame = match next {
                    Some(Ok(Message::Text(text))) => Bytes::from(text),
                    Some(Ok(Message::Binary(bytes))) => bytes,
                    Some(Ok(_)) => {
                        reports.tell(Report::Heard).await?;
                        continue;
                    }
                    Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                        reports.tell(Report::Unreadable).await?;
                        return Ok(Ended::passing(format!(
                            "{name} at {server} sent a frame of more than {} KiB",
                            MOST_FRAME / 1024
                        )));
                    }
                    Some(Err(_)) | None => return Ok(closed()),
                };
                match reader.frame(now.wall, &frame) {
                    Ok(Some(update)) => reports.tell(Report::Update(update)).await?,
                    Ok(None) => reports.tell(Report::Heard).await?,
                    Err(_) => reports.tell(Report::Unreadable).await?,
                }
            }
            Some(order) = orders.recv() => {
                let frame = match frame(endpoint.bridge, &order.action) {
                    Ok(frame) => frame,
                    Err(answer) => {
                        reports.answer(&order, answer).await?;
                        continue;
                    }
                };
                let sent = timeout(CONNECT, socket.send(Message::text(frame))).await;
                if !matches!(sent, Ok(Ok(()))) {
                    reports.answer(&order, Answer::Failed(Failure::Network)).await?;
                    return Ok(closed());
                }
                // There is no more to learn: it is not confirmed.
                reports.answer(&order, Answer::Taken(None)).await?;
            }
            _ = tick.tick() => {
                let now = clock.now().mono;
                match pinged {
                    Some(at) if now.since(at) >= endpoint.ping => {
                        return Ok(Ended::passing(format!(
                            "{name} at {server} does not answer any more"
                        )));
                    }
                    None if now.since(heard) >= endpoint.ping => {
                        pinged = Some(now);
                        let ping = socket.send(Message::Ping(Bytes::new()));
                        let sent = timeout(endpoint.ping, ping).await;
                        sent.map_err(|_| closed())?.map_err(|_| closed())?;
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The frame for an action: only Social Stream Ninja takes any, and says a line in all its chats.
fn frame(bridge: Bridge, action: &PlatformAction) -> Result<String, Answer> {
    match (bridge, action) {
        (Bridge::SocialStream, PlatformAction::Say { text, .. }) => {
            whole_line(text, bridge::social_stream_send(text))
        }
        _ => Err(Answer::Failed(Failure::NotAllowed)),
    }
}

/// Says nothing of the address, which may hold a token.
fn refused(endpoint: &Endpoint<'_>, error: &Error) -> Ended {
    let (name, server) = (endpoint.bridge.name(), endpoint.server);
    match error {
        Error::Http(answer) if matches!(answer.status().as_u16(), 401 | 403) => {
            let status = answer.status().as_u16();
            Ended::lasting(format!(
                "{name} at {server} refuses the token (status {status}): get a new one"
            ))
        }
        Error::Http(answer) => Ended::passing(format!(
            "{name} at {server} answered with status {}",
            answer.status().as_u16()
        )),
        Error::Url(_) | Error::HttpFormat(_) => {
            Ended::lasting(format!("the address of {name} holds what no address may hold"))
        }
        _ => Ended::passing(format!("{server} does not speak WebSocket: is {name} running there?")),
    }
}
