//! Addresses of the stage's socket: which of them a packet was sent to, and how to ring its bell.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// Buffers of the socket in bytes: a key frame to many viewers at once must fit.
const BUFFER: usize = 2 << 20;
/// Most routes remembered.
const ROUTES: usize = 256;

/// Which of our addresses a packet was sent to. A socket bound to every address does not say; the address
/// we would answer from is the one the peer knows.
#[derive(Debug)]
pub struct Landing {
    candidates: Vec<SocketAddr>,
    routes: HashMap<IpAddr, SocketAddr>,
    wide: bool,
}

impl Landing {
    /// For a socket reachable at `candidates` (at least one).
    pub fn new(socket: &UdpSocket, candidates: &[SocketAddr]) -> io::Result<Self> {
        let wide = socket.local_addr()?.is_ipv6();
        Ok(Self { candidates: candidates.to_vec(), routes: HashMap::new(), wide })
    }

    /// The address of ours that a packet from `source` was sent to.
    pub fn of(&mut self, source: SocketAddr) -> SocketAddr {
        if let [only] = self.candidates[..] {
            return only;
        }
        if let Some(known) = self.routes.get(&source.ip()) {
            return *known;
        }
        let facing = toward(source);
        let found = self.candidates.iter().find(|c| Some(c.ip()) == facing);
        let same = |c: &&SocketAddr| c.is_ipv4() == source.is_ipv4();
        let found = found.or_else(|| self.candidates.iter().find(same)).copied();
        let found = found.unwrap_or(source);
        if self.routes.len() >= ROUTES {
            self.routes.clear();
        }
        self.routes.insert(source.ip(), found);
        found
    }

    /// The form of an address the socket takes.
    pub fn to_socket(&self, address: SocketAddr) -> SocketAddr {
        match address.ip() {
            IpAddr::V4(ip) if self.wide => (ip.to_ipv6_mapped(), address.port()).into(),
            _ => address,
        }
    }
}

/// An IPv4 address that came over an IPv6 socket, as IPv4.
pub fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The address of this machine that packets to `peer` leave from; `None` when there is no way to it.
pub fn toward(peer: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr =
        if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let probe = UdpSocket::bind((any, 0)).ok()?;
    // Connecting a UDP socket sends nothing: it only looks the route up.
    probe.connect(peer).ok()?;
    Some(probe.local_addr().ok()?.ip())
}

/// This machine alone. A stage that listens on loopback is open to nobody else, though its media socket has an
/// address of another interface too. What comes from outside under an address of our own the kernel drops.
#[derive(Debug, Clone)]
pub struct Near(Vec<IpAddr>);

impl Near {
    /// This machine, with these addresses.
    pub fn new(own: Vec<IpAddr>) -> Self {
        Self(own)
    }

    /// Whether `source` is one of them.
    pub fn holds(&self, source: IpAddr) -> bool {
        source.is_loopback() || self.0.contains(&source)
    }
}

/// This machine's own addresses as far as the way to the world shows them, loopback first.
pub fn own(ipv6: bool) -> Vec<IpAddr> {
    // Documentation addresses: nobody is there, and nobody is asked.
    let mut own = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    own.extend(toward(SocketAddr::from(([192, 0, 2, 1], 9))));
    if ipv6 {
        own.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
        own.extend(toward(SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9))));
    }
    let mut seen = Vec::new();
    own.retain(|ip| {
        !ip.is_unspecified() && !seen.contains(ip) && {
            seen.push(*ip);
            true
        }
    });
    own
}

/// The kernel counts the wait of a socket in its own ticks, of 10 ms at most, and begins with a full one.
const TICKS: Duration = Duration::from_millis(20);
/// How exactly what is in the air comes down.
const EXACTLY: Duration = Duration::from_millis(1);

/// Receives, or fails with `WouldBlock` or `TimedOut` after that wait: `exactly`, or a few ticks later.
pub fn hear(
    socket: &UdpSocket,
    buffer: &mut [u8],
    wait: Duration,
    exactly: bool,
) -> io::Result<(usize, SocketAddr)> {
    if !exactly || wait > TICKS {
        let wait = if exactly { wait.saturating_sub(TICKS) } else { wait };
        socket.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        return socket.recv_from(buffer);
    }
    let until = Instant::now() + wait;
    loop {
        let heard = rustix::net::recvfrom(socket, &mut *buffer, rustix::net::RecvFlags::DONTWAIT);
        match heard {
            Ok((n, _, source)) => {
                let source = source.and_then(|source| SocketAddr::try_from(source).ok());
                return source.map(|source| (n, source)).ok_or(io::ErrorKind::WouldBlock.into());
            }
            Err(error) if error == rustix::io::Errno::AGAIN => {}
            Err(error) => return Err(error.into()),
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        std::thread::sleep(left.min(EXACTLY));
    }
}

/// A socket that sends to `socket`.
pub fn waker(socket: &UdpSocket) -> io::Result<UdpSocket> {
    let mut at = socket.local_addr()?;
    if at.ip().is_unspecified() {
        at.set_ip(match at.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let waker = UdpSocket::bind((at.ip(), 0))?;
    waker.connect(at)?;
    Ok(waker)
}

/// Asks for larger buffers; the kernel gives what it allows.
pub fn roomy(socket: &UdpSocket) {
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(socket, BUFFER);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(socket, BUFFER);
    // A viewer behind a full queue must not hold up the others.
    let _ = socket.set_write_timeout(Some(Duration::from_millis(2)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_always_an_address_of_ours_and_faces_itself() {
        assert_eq!(own(false)[0], IpAddr::V4(Ipv4Addr::LOCALHOST));
        let facing = toward(SocketAddr::from(([127, 0, 0, 1], 9)));
        assert_eq!(facing, Some(Ipv4Addr::LOCALHOST.into()));
    }

    #[test]
    fn a_wait_is_as_long_as_was_said_where_it_matters() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let waker = waker(&socket).unwrap();
        let mut buffer = [0; 16];
        let began = Instant::now();
        let error = hear(&socket, &mut buffer, Duration::from_millis(7), true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(began.elapsed() >= Duration::from_millis(7), "{:?}", began.elapsed());
        for exactly in [true, false] {
            waker.send(b"now").unwrap();
            let heard = hear(&socket, &mut buffer, Duration::from_secs(5), exactly).unwrap();
            assert_eq!(heard, (3, waker.local_addr().unwrap()));
            waker.send(&[]).unwrap();
            let woken = hear(&socket, &mut buffer, Duration::from_millis(9), exactly).unwrap();
            assert_eq!(woken.0, 0);
        }
    }

    #[test]
    fn near_is_this_machine_alone() {
        let near = Near::new(vec!["192.0.2.7".parse().unwrap()]);
        for (ip, own) in
            [("127.0.0.1", true), ("127.9.9.9", true), ("192.0.2.7", true), ("192.0.2.8", false)]
        {
            assert_eq!(near.holds(ip.parse().unwrap()), own, "{ip}");
        }
    }

    #[test]
    fn mapped_addresses_are_made_plain() {
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:5".parse().unwrap();
        assert_eq!(plain(mapped), "192.0.2.7:5".parse().unwrap());
    }
}
