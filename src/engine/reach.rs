//! How a session's two ends find each other: which addresses of this machine it sends from, and what the names in an
//! ingest's answer stand for. Names are resolved beside the session, with a deadline.

use std::{future::Future, net::IpAddr, pin::Pin, time::Duration};

use tokio::{net::lookup_host, time::timeout};
use url::{Host, Url};

use crate::{
    stage::local_address_toward,
    whip::{
        self,
        reach::{NamedCandidate, Reach},
    },
};

/// A name that takes longer stands for nothing.
const NAME_DEADLINE: Duration = Duration::from_secs(2);
/// An answer that names no address is waited on for so long: whoever wrote it knows ours, and begins at once if it
/// begins itself.
const NAMELESS: Duration = Duration::from_secs(4);
/// More addresses of one name are left out.
const MOST_PER_NAME: usize = 4;
/// More addresses of this machine are left out: each costs a session two sockets.
const MOST_OF_OURS: usize = 16;

/// The addresses of ours that a session to that ingest uses; none stands for all but loopback, which ICE finds by
/// itself. For an ingest at a loopback URL it is that address, and with `all` the others of this machine, too: each more
/// costs time, since ICE tries them all (at a round trip of 100 ms some two seconds). Reads files of the kernel's.
pub fn addresses_for(url: &Url, all: bool) -> Vec<IpAddr> {
    if !whip::is_loopback(url) {
        return Vec::new();
    }
    if !all {
        return ours(url, Vec::new());
    }
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut others = local_ipv4(&read("/proc/net/fib_trie"));
    others.extend(local_ipv6(&read("/proc/net/if_inet6")));
    if others.is_empty() {
        // Another kernel than Linux: the way to the world shows at least one. Documentation addresses; nobody is asked.
        let far = ["192.0.2.1:9", "[2001:db8::1]:9"].into_iter().filter_map(|a| a.parse().ok());
        others.extend(far.filter_map(local_address_toward));
    }
    ours(url, others)
}

/// Loopback as the address says it, and those others that packets can leave this machine from.
fn ours(url: &Url, others: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = match url.host() {
        Some(Host::Ipv4(ip)) => vec![ip.into()],
        Some(Host::Ipv6(ip)) => vec![ip.into()],
        _ => vec![std::net::Ipv4Addr::LOCALHOST.into()],
    };
    for ip in others {
        let usable = !ip.is_loopback() && !ip.is_unspecified() && !is_link_local(ip);
        if usable && all.len() < MOST_OF_OURS && !all.contains(&ip) {
            all.push(ip);
        }
    }
    all
}

/// They say nothing without an interface.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// The local addresses in the kernel's routing table (`/proc/net/fib_trie`): each is followed by `/32 host LOCAL`.
fn local_ipv4(table: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut last = None;
    for line in table.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<IpAddr>().ok();
        } else if line == "/32 host LOCAL"
            && let Some(ip) = last
            && !found.contains(&ip)
        {
            found.push(ip);
        }
    }
    found
}

/// The addresses in `/proc/net/if_inet6`: 32 hexadecimal digits, then interface, prefix, scope, flags and name. Of
/// scope 0 (global) only, and none that is not in use yet or any more (proc(5), `IFA_F_TENTATIVE`, `IFA_F_DADFAILED`,
/// `IFA_F_DEPRECATED`).
fn local_ipv6(table: &str) -> Vec<IpAddr> {
    const UNUSABLE: u8 = 0x40 | 0x08 | 0x20;
    let read = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = u128::from_str_radix(words.next().filter(|w| w.len() == 32)?, 16).ok()?;
        let (scope, flags) = (words.nth(2)?, words.next()?);
        let flags = u8::from_str_radix(flags, 16).ok()?;
        (scope == "00" && flags & UNUSABLE == 0).then(|| std::net::Ipv6Addr::from(address).into())
    };
    table.lines().filter_map(read).collect()
}

/// A candidate for webrtcbin: its m-line and its text.
pub type Found = (u32, String);

type Asking = Pin<Box<dyn Future<Output = (Vec<Found>, Vec<String>)> + Send>>;

/// What an answer says of the ingest's addresses, while its names are resolved.
#[derive(Default)]
pub struct Answered {
    /// What it says.
    pub reach: Reach,
    /// The names that stand for no address here.
    pub unresolved: Vec<String>,
    asking: Option<Asking>,
}

impl Answered {
    /// Reads an answer, and begins to resolve its names.
    pub fn read(sdp: &str) -> Self {
        let reach = Reach::of(sdp);
        let names = reach.names.clone();
        let asking = (!names.is_empty()).then(|| Box::pin(resolve(names)) as Asking);
        Self { reach, unresolved: Vec::new(), asking }
    }

    /// The candidates that its names stand for. For ever under way when there are none to wait for.
    pub async fn resolved(&mut self) -> Vec<Found> {
        let Some(asking) = &mut self.asking else { return std::future::pending().await };
        let (found, unresolved) = asking.await;
        self.asking = None;
        self.unresolved = unresolved;
        found
    }

    /// Whether an ingest at a loopback URL has its media at other addresses of this machine only.
    pub fn is_beside_loopback(&self, url: &Url) -> bool {
        let Reach { udp, names, .. } = &self.reach;
        let somewhere = !udp.is_empty() || !names.is_empty();
        whip::is_loopback(url) && somewhere && !udp.iter().any(|at| at.ip().is_loopback())
    }

    /// How long a path is waited for, usually `most`.
    pub fn deadline(&self, most: Duration) -> Duration {
        if self.reach.is_empty() { NAMELESS } else { most }
    }

    /// Whether no path can come about: names are all it has, and they stand for nothing; or it has nothing, and never
    /// begins itself.
    pub fn is_hopeless(&self) -> bool {
        let Reach { udp, tcp, names, lite } = &self.reach;
        let named = !names.is_empty()
            && self.asking.is_none()
            && names.iter().all(|name| self.unresolved.contains(&name.host));
        udp.is_empty() && tcp.is_empty() && (named || (names.is_empty() && *lite))
    }
}

/// Each name once, all at a time.
async fn resolve(names: Vec<NamedCandidate>) -> (Vec<Found>, Vec<String>) {
    let mut hosts: Vec<String> = names.iter().map(|name| name.host.clone()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let asked = hosts.into_iter().map(|host| async move {
        let asking = lookup_host((host.clone(), 0));
        let mut all: Vec<IpAddr> = match timeout(NAME_DEADLINE, asking).await {
            Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
            _ => Vec::new(),
        };
        all.retain(|ip| !ip.is_unspecified());
        all.sort_unstable();
        all.dedup();
        all.truncate(MOST_PER_NAME);
        (host, all)
    });
    let answers = futures::future::join_all(asked).await;
    let mut found = Vec::new();
    for name in &names {
        let of = answers.iter().filter(|(host, _)| *host == name.host).flat_map(|(_, all)| all);
        found.extend(of.map(|ip| (name.line, name.at(*ip))));
    }
    let unresolved = answers.into_iter().filter(|(_, all)| all.is_empty()).map(|(host, _)| host);
    (found, unresolved.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn loopback_is_one_more_address_for_an_ingest_on_this_machine() {
        let others = || {
            vec![
                ip("127.0.0.1"),
                ip("10.77.0.1"),
                ip("fe80::1"),
                ip("169.254.1.1"),
                ip("10.77.0.1"),
            ]
        };
        let of = |to: &str| ours(&url(to), others());
        assert_eq!(of("http://127.0.0.1:8088/whip"), [ip("127.0.0.1"), ip("10.77.0.1")]);
        assert_eq!(of("http://127.0.0.2/whip"), [ip("127.0.0.2"), ip("10.77.0.1")]);
        assert_eq!(of("http://localhost/whip"), [ip("127.0.0.1"), ip("10.77.0.1")]);
        assert_eq!(of("http://[::1]:1/whip"), [ip("::1"), ip("10.77.0.1")]);
        let many = (0..200).map(|n| ip(&format!("10.0.0.{n}"))).collect();
        assert_eq!(ours(&url("http://localhost/"), many).len(), MOST_OF_OURS);
    }

    #[test]
    fn an_ingest_elsewhere_is_left_to_ice() {
        for to in ["https://ingest.example/whip", "http://10.77.0.1/whip", "http://[2001:db8::1]/"]
        {
            assert!(addresses_for(&url(to), true).is_empty(), "{to}");
        }
        let stage = addresses_for(&url("http://127.0.0.1/whip"), false);
        assert_eq!(stage, [ip("127.0.0.1")]);
        let here = addresses_for(&url("http://127.0.0.1/whip"), true);
        assert_eq!(here[0], ip("127.0.0.1"));
        assert!(here[1..].iter().all(|ip| !ip.is_loopback()), "{here:?}");
    }

    #[test]
    fn the_kernels_tables_are_read() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
             \x20    +-- 10.77.0.0/24 2 0 2\n        |-- 10.77.0.0\n           /24 link UNICAST\n\
             \x20       |-- 10.77.0.1\n           /32 host LOCAL\n        |-- 10.77.0.255\n\
             \x20          /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\nLocal:\n\
             \x20       |-- 10.77.0.1\n           /32 host LOCAL\n";
        assert_eq!(local_ipv4(table), [ip("10.77.0.1"), ip("127.0.0.1")]);
        assert!(local_ipv4("/32 host LOCAL\n|-- x\n/32 host LOCAL").is_empty());
        let table = "00000000000000000000000000000001 01 80 10 80       lo\n\
             20010db8000000000000000000000007 02 40 00 80     eth0\n\
             20010db8000000000000000000000008 02 40 00 c0     eth0\n\
             fe800000000000000000000000000001 02 40 20 80     eth0\nnonsense\n";
        assert_eq!(local_ipv6(table), [ip("2001:db8::7")]);
    }

    fn answer(hosts: &[&str]) -> String {
        let candidates = hosts
            .iter()
            .enumerate()
            .map(|(n, host)| format!("a=candidate:{n} 1 udp 2130706431 {host} 4000 typ host\r\n"));
        format!("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n{}", candidates.collect::<String>())
    }

    #[test]
    fn an_answer_tells_whether_media_are_at_loopback() {
        let beside =
            |to: &str, hosts: &[&str]| Answered::read(&answer(hosts)).is_beside_loopback(&url(to));
        let here = "http://127.0.0.1:7080/whip";
        assert!(beside(here, &["10.77.0.1"]) && beside(here, &["10.77.0.1", "192.0.2.1"]));
        assert!(!beside(here, &["127.0.0.1"]) && !beside(here, &["10.77.0.1", "127.0.0.1"]));
        assert!(!beside(here, &[]), "it begins itself, with what it sees of us");
        assert!(!beside("http://10.77.0.1/whip", &["10.77.0.1"]));
    }

    #[tokio::test]
    async fn names_become_addresses() {
        let mut answered = Answered::read(&answer(&["localhost", "192.0.2.1", "localhost"]));
        assert_eq!((answered.reach.udp.len(), answered.reach.names.len()), (1, 2));
        let found = answered.resolved().await;
        let wanted = (0, "candidate:0 1 udp 2130706431 127.0.0.1 4000 typ host".to_owned());
        assert!(found.contains(&wanted), "{found:?}");
        assert!(answered.unresolved.is_empty() && !answered.is_hopeless());
    }

    #[tokio::test]
    async fn names_that_stand_for_nothing_are_hopeless_alone() {
        for (hosts, hopeless) in [
            (&["no-such-host.invalid"][..], true),
            (&["no-such-host.invalid", "192.0.2.1"], false),
            (&["no-such-host.invalid", "localhost"], false),
        ] {
            let mut answered = Answered::read(&answer(hosts));
            assert!(!answered.is_hopeless(), "while it is being asked");
            answered.resolved().await;
            assert_eq!(answered.unresolved, ["no-such-host.invalid"]);
            assert_eq!(answered.is_hopeless(), hopeless, "{hosts:?}");
        }
        assert!(!Answered::read(&answer(&[])).is_hopeless(), "it may begin itself");
        let lite = answer(&[]).replace("m=video", "a=ice-lite\r\nm=video");
        assert!(Answered::read(&lite).is_hopeless());
    }
}
