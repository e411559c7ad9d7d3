//! Times the way to an ingest, step by step: name, TCP, TLS, OPTIONS, and STUN by UDP. One connection a round,
//! straight to the ingest: never through a proxy, whose distance it would be. The token is not sent, no
//! redirect is followed, and what was found is judged by `whip::probe`.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UdpSocket, lookup_host},
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_native_tls::TlsConnector;
use url::{Host, Position, Url};

use super::{
    Authorities, LinkError,
    http::{by_io, by_tls},
};
use crate::whip::{
    Transport,
    probe::Round,
    stun::{StunServer, binding_request, read_answer, servers_named},
};

/// An address that has not answered by now is not waited for alone (RFC 8305, 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// More addresses than these are not tried.
const MAX_ADDRESSES: usize = 8;
/// The longest head of a reply that is read, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// A binding request is sent again after this long (RFC 8489, 6.2.1), and then given up.
const STUN_TIMEOUT: Duration = Duration::from_millis(500);

/// What TLS needs, made once: reading the machine's authorities takes up to half a second.
#[derive(Debug, Clone)]
pub struct Prober {
    tls: TlsConnector,
}

impl Prober {
    /// Reads the machine's authorities, and those of a PEM file. It blocks.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn new(ca: Option<&Path>) -> Result<Self, LinkError> {
        Self::trusting(ca.map(Authorities::read).transpose()?.as_ref())
    }

    /// Reads the machine's authorities, and trusts these too. It blocks.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn trusting(ca: Option<&Authorities>) -> Result<Self, LinkError> {
        let mut builder = native_tls::TlsConnector::builder();
        for authority in ca.map(Authorities::certificates).transpose()?.unwrap_or_default() {
            builder.add_root_certificate(authority);
        }
        let tls = builder.build().map_err(|error| LinkError::Tls(error.to_string()))?;
        Ok(Self { tls: tls.into() })
    }

    /// One round: everything timed once, within `limit` together. A failure ends it; what was timed before
    /// stays.
    pub async fn round(&self, url: &Url, limit: Duration) -> Round {
        let mut round = Round::default();
        let deadline = Instant::now() + limit;
        match timeout_at(deadline, self.ask(url, limit, &mut round)).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => round.failure = Some(failure),
            Err(_) => round.failure = Some(Transport::Timeout),
        }
        round
    }

    async fn ask(&self, url: &Url, limit: Duration, round: &mut Round) -> Result<(), Transport> {
        let (addresses, took) = resolve(url, limit).await?;
        round.dns_ms = took;
        let (stream, tcp_ms) = connect(&addresses).await?;
        round.address = stream.peer_addr().ok().map(|at| at.ip());
        round.tcp_ms = Some(tcp_ms);
        let began = Instant::now();
        let head = if url.scheme() == "https" {
            let stream = self.tls.connect(&name(url), stream).await.map_err(|e| untrusted(&e))?;
            round.tls_ms = Some(ms(began));
            timed_options(stream, url, round).await?
        } else {
            timed_options(stream, url, round).await?
        };
        round.stun_servers = head.links.iter().flat_map(|link| servers_named(link)).collect();
        round.status = Some(head.status);
        Ok(())
    }
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// The host as TLS wants it: IPv6 without brackets.
fn name(url: &Url) -> String {
    match url.host() {
        Some(Host::Ipv6(ip)) => ip.to_string(),
        _ => url.host_str().unwrap_or_default().to_owned(),
    }
}

/// The addresses behind a URL, and how long it took to find them; no time where there was nothing to find.
async fn resolve(url: &Url, limit: Duration) -> Result<(Vec<SocketAddr>, Option<f64>), Transport> {
    let port = url.port_or_known_default().ok_or(Transport::Dns)?;
    let ip: IpAddr = match url.host().ok_or(Transport::Dns)? {
        Host::Ipv4(ip) => ip.into(),
        Host::Ipv6(ip) => ip.into(),
        Host::Domain(name) => {
            let began = Instant::now();
            let lookup = timeout(limit.mul_f32(0.9), lookup_host((name, port))).await;
            let found = lookup.map_err(|_| Transport::DnsSilent)?.map_err(|_| Transport::Dns)?;
            let addresses = in_turn(found);
            let took = ms(began);
            return if addresses.is_empty() {
                Err(Transport::Dns)
            } else {
                Ok((addresses, Some(took)))
            };
        }
    };
    Ok((vec![SocketAddr::new(ip, port)], None))
}

/// IPv6 and IPv4 in turn, the family that the system prefers first (RFC 8305, 4).
fn in_turn(found: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let found: Vec<SocketAddr> = found.into_iter().collect();
    let first = found.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = found.into_iter().partition(|a| a.is_ipv6() == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut all = Vec::new();
    while all.len() < MAX_ADDRESSES {
        match (one.next(), other.next()) {
            (None, None) => break,
            (a, b) => all.extend(a.into_iter().chain(b)),
        }
    }
    all
}

/// Connects to whichever address answers first. They are begun one after the other, so that a family that
/// leads nowhere costs a quarter of a second, not the whole time. The time is that of the winner alone.
async fn connect(addresses: &[SocketAddr]) -> Result<(TcpStream, f64), Transport> {
    let mut waiting = addresses.iter().copied();
    let mut under_way = FuturesUnordered::new();
    let mut failure = Transport::Dns;
    let mut next_at = Instant::now();
    loop {
        if (under_way.is_empty() || next_at <= Instant::now())
            && let Some(address) = waiting.next()
        {
            next_at = Instant::now() + NEXT_ADDRESS;
            under_way.push(async move {
                let began = Instant::now();
                TcpStream::connect(address).await.map(|stream| (stream, ms(began)))
            });
        }
        let more = waiting.len() > 0;
        tokio::select! {
            ended = under_way.next() => match ended {
                None => return Err(failure),
                Some(Ok((stream, took))) => {
                    // A request is one small write; it is not to wait for an acknowledgement.
                    let _ = stream.set_nodelay(true);
                    return Ok((stream, took));
                }
                Some(Err(error)) => {
                    failure = by_io(&error, true)
                        .unwrap_or_else(|| match error.kind() {
                            io::ErrorKind::TimedOut => Transport::NoConnection,
                            _ => Transport::Other(error.to_string()),
                        });
                }
            },
            () = sleep_until(next_at), if more => {}
        }
    }
}

fn untrusted(error: &native_tls::Error) -> Transport {
    let mut chain = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && let Some(known) = by_io(io, false)
        {
            return known;
        }
        chain.push('\n');
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    by_tls(&chain).unwrap_or_else(|| {
        let cut = ["unexpected eof", "end of file"];
        let lower = chain.to_ascii_lowercase();
        if cut.iter().any(|sign| lower.contains(sign)) {
            Transport::Cut
        } else {
            Transport::Other(chain.lines().next_back().unwrap_or_default().to_owned())
        }
    })
}

/// What of a reply's head matters.
struct Head {
    status: u16,
    links: Vec<String>,
}

async fn timed_options(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    url: &Url,
    round: &mut Round,
) -> Result<Head, Transport> {
    let request = format!(
        "OPTIONS {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: hawker/{}\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n",
        &url[Position::BeforePath..Position::AfterQuery],
        &url[Position::BeforeHost..Position::AfterPort],
        env!("CARGO_PKG_VERSION"),
    );
    let broken = |error: io::Error| by_io(&error, false).unwrap_or(Transport::Cut);
    let began = Instant::now();
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut head = Vec::new();
    loop {
        if let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") {
            round.options_ms = Some(ms(began));
            return read_head(&String::from_utf8_lossy(&head[..end])).ok_or_else(not_http);
        }
        if head.len() > MAX_HEAD || (head.len() > 5 && !head.starts_with(b"HTTP/")) {
            return Err(not_http());
        }
        match stream.read_buf(&mut head).await {
            Ok(0) if head.is_empty() => return Err(Transport::Cut),
            Ok(0) => return Err(not_http()),
            Ok(_) => {}
            Err(error) => return Err(broken(error)),
        }
    }
}

fn not_http() -> Transport {
    Transport::Other("what it answers is not HTTP".into())
}

fn read_head(head: &str) -> Option<Head> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    let status = words.next().filter(|code| code.len() == 3)?.parse().ok()?;
    let links = lines
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("link"))
        .map(|(_, value)| value.to_owned())
        .collect();
    Some(Head { status, links })
}

/// One round trip by UDP to a STUN server, in milliseconds; `None` when no answer came to two requests.
pub async fn stun(server: &StunServer) -> Option<f64> {
    let found = timeout(STUN_TIMEOUT * 4, lookup_host((server.host.as_str(), server.port)));
    let to = found.await.ok()?.ok()?.next()?;
    let any: SocketAddr = if to.is_ipv6() {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await.ok()?;
    socket.connect(to).await.ok()?;
    for _ in 0..2 {
        // A transaction of its own: a late answer to the first is not taken for a quick one to the second.
        let mut transaction = [0; 12];
        getrandom::fill(&mut transaction).ok()?;
        let began = Instant::now();
        socket.send(&binding_request(transaction)).await.ok()?;
        let answered = async {
            let mut datagram = [0; 1500];
            loop {
                let length = socket.recv(&mut datagram).await.ok()?;
                if read_answer(&datagram[..length], transaction).is_some() {
                    return Some(ms(began));
                }
            }
        };
        if let Ok(answer) = timeout(STUN_TIMEOUT, answered).await {
            return answer;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_or_are_not_http() {
        let head = read_head(
            "HTTP/1.1 204 No Content\r\nLINK: <stun:a>; rel=\"ice-server\"\r\nDate: x\r\nLink: <b>",
        )
        .unwrap();
        assert_eq!((head.status, head.links.len()), (204, 2));
        for no in
            ["", "SSH-2.0-OpenSSH_9.2", "HTTP/1.1 ", "HTTP/1.1 2000", "HTTP/2 200", "HTTP/1.1 abc"]
        {
            assert!(read_head(no).is_none(), "{no}");
        }
    }

    #[test]
    fn families_take_turns() {
        let at = |text: &str| format!("{text}:1").parse::<SocketAddr>().unwrap();
        let (a, b, c) = (at("[2001:db8::1]"), at("[2001:db8::2]"), at("192.0.2.1"));
        assert_eq!(in_turn([a, b, c]), [a, c, b]);
        assert_eq!(in_turn([c, a, b]), [c, a, b]);
        assert_eq!(in_turn([]), []);
    }

    #[tokio::test]
    async fn an_address_that_leads_nowhere_does_not_hold_up_the_next() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        // Bound and let go: refused at once.
        let gone =
            tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (stream, took) = connect(&[gone, good]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert!(took < 250.0, "{took} ms: the winner's own time");
        assert_eq!(connect(&[gone]).await.unwrap_err(), Transport::Refused);
    }
}
