//! A source of IRC: moves bytes between a socket and the session.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::interval,
};

use super::{Clock, Ended, Orders, Report, Reports, TICK, stream};
use crate::{
    base::Secret,
    chat::{
        irc::{Ended as Left, LineBuffer, Output, Session, Stage},
        spec::{Server, Transport},
    },
    link::Authorities,
};

/// How a network is reached.
#[derive(Debug)]
pub struct Network<'a> {
    /// Where.
    pub server: &'a Server,
    /// In clear or encrypted.
    pub transport: Transport,
    /// Authorities to trust besides the machine's own.
    pub ca: Option<&'a Authorities>,
    /// The password of the account, for SASL.
    pub password: Option<&'a Secret>,
}

/// Serves the source until its connection ends.
pub async fn serve(
    network: &Network<'_>,
    session: &mut Session,
    clock: &Clock,
    reports: &Reports,
    orders: &mut Orders,
) -> Ended {
    let ended = run(network, session, clock, reports, orders).await;
    session.disconnected();
    // What is left are updates: they came before the end.
    while let Some(output) = session.poll() {
        if let Output::Update(update) = output {
            let _ = reports.tell(Report::Update(update)).await;
        }
    }
    ended.unwrap_or_else(|ended| ended)
}

async fn run(
    network: &Network<'_>,
    session: &mut Session,
    clock: &Clock,
    reports: &Reports,
    orders: &mut Orders,
) -> Result<Ended, Ended> {
    let stream = stream::connect(network.server, network.transport, network.ca).await?;
    let (mut from, mut to) = tokio::io::split(stream);
    session.connected(clock.now(), network.password, network.transport == Transport::Tls);
    let mut lines = LineBuffer::default();
    let mut part = vec![0; 16 * 1024];
    let mut tick = interval(TICK);
    let closed = || Ended::passing(format!("{} closed the connection", network.server));
    loop {
        while let Some(output) = session.poll() {
            match output {
                Output::Send(wire) => to.write_all(wire.bytes()).await.map_err(|_| closed())?,
                Output::Update(update) => reports.tell(Report::Update(update)).await?,
                Output::Stage(Stage::Live) => reports.tell(Report::Live).await?,
                Output::Stage(_) | Output::Sent { .. } => {}
                Output::Refused { numeric, .. } => {
                    tracing::warn!(server = %network.server, numeric, "a line of ours was refused");
                }
                Output::Kicked { channel, reason } => {
                    tracing::warn!(%channel, %reason, "kicked; joining again after a wait");
                }
                Output::Close(why) => return Ok(left(network.server, &why)),
            }
        }
        tokio::select! {
            read = from.read(&mut part) => {
                let n = read.map_err(|_| closed())?;
                if n == 0 {
                    return Ok(closed());
                }
                let (now, mut unreadable) = (clock.now(), 0);
                lines.push(part.get(..n).unwrap_or_default(), |line| {
                    let taken = line.is_ok_and(|line| session.line(now, line).is_ok());
                    unreadable += usize::from(!taken);
                });
                reports.tell(Report::Heard).await?;
                for _ in 0..unreadable {
                    reports.tell(Report::Unreadable).await?;
                }
            }
            Some(order) = orders.recv() => reports.cannot(&order).await?,
            _ = tick.tick() => session.tick(clock.now()),
        }
    }
}

fn left(server: &Server, why: &Left) -> Ended {
    let text = match why {
        Left::Rejected(why) => format!("{server} does not let us in: {why:?}"),
        Left::NotWelcomed => format!("{server} did not welcome us in time"),
        Left::NotJoined => format!("{server}: no channel could be joined in time"),
        Left::NoChannel(numeric) => {
            format!("{server} keeps us out of every channel (numeric {numeric})")
        }
        Left::Kicked(reason) => format!("{server}: kicked too often ({reason})"),
        Left::Server(text) => format!("{server} closed the connection: {text}"),
        Left::Silent => format!("{server} does not answer any more"),
    };
    Ended { why: text, lasting: why.is_lasting() }
}
