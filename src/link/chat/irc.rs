//! A source of IRC: moves bytes between a socket and the session, and carries out orders. What is answered when is
//! decided in `chat::irc`: a line is taken when it comes back or, without echo-message, when the server has passed it
//! without a refusal; a ban when the server has set it; nothing is answered twice.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{interval, timeout},
};

use super::{CONNECT, Clock, Ended, Order, Orders, Report, Reports, TICK, stream};
use crate::{
    base::Secret,
    chat::{
        irc::{Ended as Left, LineBuffer, OpenOrders, Output, Rejection, Session, Stage},
        send::Answer,
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
    let mut open = OpenOrders::default();
    let ended = run(network, session, clock, reports, orders, &mut open).await;
    session.disconnected();
    // What is left came before the end.
    while let Some(output) = session.poll() {
        let _ = answered(reports, open.output(&output)).await;
        if let Output::Update(update) = output {
            let _ = reports.tell(Report::Update(update)).await;
        }
    }
    for answer in open.end() {
        let _ = answered(reports, Some(answer)).await;
    }
    ended.unwrap_or_else(|ended| ended)
}

async fn answered(reports: &Reports, answer: Option<(u64, Answer)>) -> Result<(), Ended> {
    match answer {
        Some((order, answer)) => reports.tell(Report::Answered { order, answer }).await,
        None => Ok(()),
    }
}

async fn run(
    network: &Network<'_>,
    session: &mut Session,
    clock: &Clock,
    reports: &Reports,
    orders: &mut Orders,
    open: &mut OpenOrders,
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
            answered(reports, open.output(&output)).await?;
            match output {
                Output::Send(wire) => {
                    // A server that takes nothing is not waited for: silence could not be noticed meanwhile.
                    let sent = timeout(CONNECT, to.write_all(wire.bytes())).await;
                    sent.map_err(|_| closed())?.map_err(|_| closed())?;
                }
                Output::Update(update) => reports.tell(Report::Update(update)).await?,
                Output::Stage(Stage::Live) => reports.tell(Report::Live).await?,
                // Orders: answered above.
                Output::Stage(_)
                | Output::Done { .. }
                | Output::Refused { .. }
                | Output::Unanswered { .. } => {}
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
            Some(Order { number, action }) = orders.recv() => {
                let answer = open.begin(session, clock.now(), number, &action);
                answered(reports, answer.map(|answer| (number, answer))).await?;
            }
            _ = tick.tick() => session.tick(clock.now()),
        }
    }
}

fn left(server: &Server, why: &Left) -> Ended {
    let text = match why {
        Left::Rejected(why) => format!("{server}: {why}{}", advice(*why)),
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

/// What to do about it.
const fn advice(why: Rejection) -> &'static str {
    match why {
        Rejection::LoginRefused => "; check the account and its password",
        Rejection::PasswordRefused => "; check it",
        Rejection::NoSasl => "; leave out the account, or ask the network's operators",
        Rejection::NoNick => "; choose another nick",
        Rejection::LoginUnsafe | Rejection::Banned => "",
    }
}
