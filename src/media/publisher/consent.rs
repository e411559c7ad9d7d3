//! ICE connectivity checks of our own, for an ingest that sends neither transport-wide feedback nor RTCP reports: their
//! answers are all that shows it is still there.
//!
//! libnice sends consent checks (RFC 7675) and keeps their answers to itself: it reports only that they have stayed out
//! for 50 s. These checks leave from a socket of their own, with the session's credentials and without a nomination. An
//! ICE agent answers a valid check from any address, and only for a session that it knows (RFC 8445, 7.3).

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};

use crate::{
    base::{Moment, Secret},
    flow::liveness::CHECK_INTERVAL,
    whip::{
        sdp,
        stun::{Check, Transaction},
    },
};

/// Priority of a peer-reflexive candidate of lowest local preference, component 1 (RFC 8445, 5.1.2.1): below that of every
/// candidate that was offered, so that no agent prefers this pair.
const PRIORITY: u32 = (110 << 24) | (256 - 1);
/// Answers that are read at one look: more than can be due.
const MOST_ANSWERS: usize = 16;
/// Checks whose answers are still taken.
const IN_FLIGHT: usize = 4;

/// The credentials of a session, and the checks that are on their way.
pub(super) struct Checks {
    /// The ingest's user fragment, a colon, and ours.
    user: String,
    /// The ingest's password.
    password: Secret,
    tie_breaker: u64,
    socket: Option<(UdpSocket, SocketAddr)>,
    sent: Vec<Transaction>,
    sent_at: Option<Moment>,
}

impl Checks {
    /// For the session of this offer and answer; `None` where one of them has no ICE credentials.
    pub(super) fn of(offer: &str, answer: &str) -> Option<Self> {
        let (ours, _) = sdp::ice_credentials(offer)?;
        let (theirs, password) = sdp::ice_credentials(answer)?;
        let mut tie_breaker = [0; 8];
        getrandom::fill(&mut tie_breaker).ok()?;
        Some(Self {
            user: format!("{theirs}:{ours}"),
            password: Secret::new(password),
            tie_breaker: u64::from_be_bytes(tie_breaker),
            socket: None,
            sent: Vec::new(),
            sent_at: None,
        })
    }

    /// Whether an answer has come since the last look. Sends the next check to `to` when it is due. Never blocks.
    pub(super) fn look(&mut self, now: Moment, to: SocketAddr) -> bool {
        if self.socket.as_ref().is_none_or(|(_, peer)| *peer != to) {
            self.socket = open(to).map(|socket| (socket, to));
            self.sent.clear();
        }
        let answered = self.read();
        if self.sent_at.is_none_or(|at| now.since(at) >= CHECK_INTERVAL) {
            self.sent_at = Some(now);
            self.send();
        }
        answered
    }

    fn read(&mut self) -> bool {
        let Some((socket, _)) = &self.socket else { return false };
        let mut answered = false;
        let mut datagram = [0; 1500];
        for _ in 0..MOST_ANSWERS {
            match socket.recv(&mut datagram) {
                Ok(length) => {
                    let datagram = datagram.get(..length).unwrap_or_default();
                    let of = |id: &Transaction| {
                        self.check(*id).is_answered_by(datagram, |b| mac(&self.password, b))
                    };
                    answered |= self.sent.iter().any(of);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // A connected socket reports that nobody listens at the other end (ICMP): no answer either.
                Err(_) => {}
            }
        }
        answered
    }

    fn send(&mut self) {
        let mut id = Transaction::default();
        if getrandom::fill(&mut id).is_err() {
            return;
        }
        let bytes = self.check(id).write(|b| mac(&self.password, b));
        if let Some((socket, _)) = &self.socket {
            // What cannot be sent has no answer, and is judged by that.
            let _ = socket.send(&bytes);
        }
        if self.sent.len() == IN_FLIGHT {
            self.sent.remove(0);
        }
        self.sent.push(id);
    }

    fn check(&self, transaction: Transaction) -> Check<'_> {
        Check { transaction, user: &self.user, priority: PRIORITY, tie_breaker: self.tie_breaker }
    }
}

fn open(to: SocketAddr) -> Option<UdpSocket> {
    let any = match to {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect(to).ok()?;
    Some(socket)
}

/// HMAC-SHA1 with the password. Where OpenSSL refuses (a build without SHA-1), the check has no valid signature and gets
/// no answer.
fn mac(password: &Secret, bytes: &[u8]) -> [u8; 20] {
    let sign = || -> Option<[u8; 20]> {
        let key = PKey::hmac(password.expose().as_bytes()).ok()?;
        let mut signer = Signer::new(MessageDigest::sha1(), &key).ok()?;
        signer.sign_oneshot_to_vec(bytes).ok()?.try_into().ok()
    };
    sign().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ID: Transaction = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";
    /// The sample answer of RFC 5769, 2.2.
    const ANSWER: &[u8] = b"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20\
        \x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\
        \x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7\
        \x80\x28\x00\x04\xc0\x7d\x4c\x96";

    #[test]
    fn the_signed_answer_of_rfc_5769_is_taken_and_no_other() {
        let password = Secret::new("VOkJxbRl1RmTxUk/WvJxBt");
        let check = Check { transaction: ID, user: "evtj:h6vY", priority: 1, tie_breaker: 7 };
        assert!(check.is_answered_by(ANSWER, |b| mac(&password, b)));
        assert!(!check.is_answered_by(ANSWER, |b| mac(&Secret::new("another"), b)));
        let other = Check { transaction: [0; 12], ..check };
        assert!(!other.is_answered_by(ANSWER, |b| mac(&password, b)));
        for at in 0..ANSWER.len() - 8 {
            let mut changed = ANSWER.to_vec();
            changed[at] ^= 1;
            assert!(!check.is_answered_by(&changed, |b| mac(&password, b)), "byte {at}");
        }
    }

    #[test]
    fn checks_are_sent_at_their_interval() {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let to = peer.local_addr().unwrap();
        let sdp = "v=0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n";
        let mut checks = Checks::of(sdp, sdp).unwrap();
        for at in (0..=10_000).step_by(100) {
            assert!(!checks.look(Moment::from_ms(at), to));
        }
        let mut datagram = [0; 1500];
        let mut came = 0;
        while peer.recv(&mut datagram).is_ok() {
            came += 1;
        }
        assert_eq!(came, 5);
        assert!(Checks::of("v=0\r\n", sdp).is_none());
    }
}
