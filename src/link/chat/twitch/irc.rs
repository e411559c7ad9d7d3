//! A source of Twitch by anonymous IRC. While the server asks for a reconnect there are two connections.

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::interval,
};

use crate::{
    chat::{
        irc::LineBuffer,
        spec::{Server, Transport},
        twitch::{
            LinkId,
            irc::{Lost, Output, Session},
        },
    },
    link::{
        Authorities,
        chat::{
            Clock, Ended, Report, Reports, TICK,
            stream::{self, Stream},
        },
    },
};

/// Chunks of all connections that wait to be taken.
const WAITING: usize = 64;

type Opened = (LinkId, Result<Box<dyn Stream>, Ended>);
type Bytes = (LinkId, Vec<u8>);

/// A connection that stands.
struct Open {
    to: WriteHalf<Box<dyn Stream>>,
    lines: LineBuffer,
    reading: AbortHandle,
}

impl Drop for Open {
    /// The other half would keep it open.
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Serves the source until no connection is left.
pub async fn serve(
    server: &Server,
    transport: Transport,
    ca: Option<&Authorities>,
    session: &mut Session,
    clock: &Clock,
    reports: &Reports,
) -> Ended {
    run(server, transport, ca, session, clock, reports).await.unwrap_or_else(|ended| ended)
}

async fn run(
    server: &Server,
    transport: Transport,
    ca: Option<&Authorities>,
    session: &mut Session,
    clock: &Clock,
    reports: &Reports,
) -> Result<Ended, Ended> {
    let mut links: BTreeMap<LinkId, Open> = BTreeMap::new();
    // Dropped with this function, and with them every connection.
    let mut opening: JoinSet<Opened> = JoinSet::new();
    let mut reading: JoinSet<()> = JoinSet::new();
    let (give, mut taken): (mpsc::Sender<Bytes>, _) = mpsc::channel(WAITING);
    let mut tick = interval(TICK);
    let mut refused = None;
    session.start(clock.now());
    loop {
        while let Some(output) = session.poll() {
            match output {
                Output::Open(link) => {
                    let (server, ca) = (server.clone(), ca.cloned());
                    opening.spawn(async move {
                        (link, stream::connect(&server, transport, ca.as_ref()).await)
                    });
                }
                Output::Send(link, wire) => {
                    let sent = match links.get_mut(&link) {
                        Some(open) => open.to.write_all(wire.bytes()).await.is_ok(),
                        None => false,
                    };
                    if !sent {
                        session.closed(link);
                    }
                }
                Output::Close(link) => drop(links.remove(&link)),
                Output::Update(update) => reports.tell(Report::Update(update)).await?,
                Output::Live => reports.tell(Report::Live).await?,
                Output::Lost(why) => return Ok(lost(server, why, refused)),
            }
        }
        tokio::select! {
            Some(Ok((link, opened))) = opening.join_next() => match opened {
                Ok(stream) => {
                    let (from, to) = tokio::io::split(stream);
                    let reading = reading.spawn(read(link, from, give.clone()));
                    links.insert(link, Open { to, lines: LineBuffer::default(), reading });
                    session.connected(clock.now(), link);
                }
                Err(why) => {
                    refused = Some(why);
                    session.closed(link);
                }
            },
            Some((link, bytes)) = taken.recv() => {
                if bytes.is_empty() {
                    links.remove(&link);
                    session.closed(link);
                    continue;
                }
                let Some(open) = links.get_mut(&link) else { continue };
                let (now, mut unreadable) = (clock.now(), 0);
                open.lines.push(&bytes, |line| {
                    let taken = line.is_ok_and(|line| session.line(now, link, line).is_ok());
                    unreadable += usize::from(!taken);
                });
                reports.tell(Report::Heard).await?;
                for _ in 0..unreadable {
                    reports.tell(Report::Unreadable).await?;
                }
            }
            Some(_) = reading.join_next() => {}
            _ = tick.tick() => session.tick(clock.now()),
        }
    }
}

/// Hands over what comes; nothing at its end.
async fn read(link: LinkId, mut from: ReadHalf<Box<dyn Stream>>, to: mpsc::Sender<Bytes>) {
    let mut part = vec![0; 16 * 1024];
    loop {
        let n = from.read(&mut part).await.unwrap_or(0);
        let bytes = part.get(..n).unwrap_or_default().to_vec();
        if to.send((link, bytes)).await.is_err() || n == 0 {
            return;
        }
    }
}

fn lost(server: &Server, why: Lost, refused: Option<Ended>) -> Ended {
    match (why, refused) {
        (Lost::Closed, Some(refused)) => refused,
        (Lost::Closed, None) => Ended::passing(format!("{server} closed the connection")),
        (Lost::Silent, _) => Ended::passing(format!("{server} does not answer any more")),
        (Lost::NotJoined, _) => {
            Ended::passing(format!("{server}: no channel could be joined in time"))
        }
        (Lost::NoChannel, _) => {
            Ended::lasting("this channel of Twitch does not exist or is suspended: check its name")
        }
    }
}
