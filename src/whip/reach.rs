//! Where the writer of an answer can be reached: its candidates (RFC 8839), sorted by what can be done with them, and
//! what is to be said when no path came about. Names are found here, and resolved elsewhere.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{Failure, Kind, sdp, wording};
use crate::base::text::short;

/// More names than any server has; the rest is not asked for.
pub const MAX_NAMES: usize = 8;
/// So many addresses are named in a sentence.
const SHOWN: usize = 3;

/// A candidate of the first component, which is the only one with `rtcp-mux`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate<'a> {
    /// As it is written: `candidate:…`.
    pub text: &'a str,
    tcp: bool,
    host: &'a str,
    port: u16,
}

impl<'a> Candidate<'a> {
    /// Reads `candidate:foundation component transport priority address port typ kind …` (RFC 8839, section 5.1).
    /// `None` when it is none, or one that nothing can be sent to.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut words = text.strip_prefix("candidate:")?.split_ascii_whitespace();
        let (_foundation, component, transport) = (words.next()?, words.next()?, words.next()?);
        let (priority, host, port) = (words.next()?, words.next()?, words.next()?);
        let (typ, _kind) = (words.next()?, words.next()?);
        let tcp = match transport {
            word if word.eq_ignore_ascii_case("udp") => false,
            word if word.eq_ignore_ascii_case("tcp") => true,
            _ => return None,
        };
        // One that opens connections itself is at no port (RFC 6544, section 4.5).
        let calls = text.split_ascii_whitespace().skip_while(|w| *w != "tcptype").nth(1);
        let port: u16 = port.parse().ok()?;
        let address = host.parse::<IpAddr>().ok();
        let sound = component == "1"
            && priority.parse::<u32>().is_ok()
            && typ == "typ"
            && port > 0
            && !(tcp && calls == Some("active"))
            && !text.contains(char::is_control)
            && address.map_or_else(|| is_name(host), |ip| !ip.is_unspecified());
        sound.then_some(Self { text, tcp, host, port })
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.host.parse().ok()?, self.port))
    }
}

/// A host name (RFC 1123), not all digits and dots: that would be a broken address.
fn is_name(host: &str) -> bool {
    host.len() <= 253
        && host.bytes().any(|b| b.is_ascii_alphabetic())
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

/// A candidate whose address is a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCandidate {
    /// The index of its m-line.
    pub line: u32,
    /// The name.
    pub host: String,
    port: u16,
    text: String,
}

impl NamedCandidate {
    /// The same with the address that its name stands for: `candidate:…`.
    pub fn at(&self, ip: IpAddr) -> String {
        let mut words: Vec<String> =
            self.text.split_ascii_whitespace().map(str::to_owned).collect();
        // The fifth word is the address; see `Candidate::parse`.
        if let Some(word) = words.get_mut(4) {
            *word = ip.to_string();
        }
        words.join(" ")
    }
}

/// What an answer says of where its writer can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// By UDP.
    pub udp: Vec<SocketAddr>,
    /// By TCP.
    pub tcp: Vec<SocketAddr>,
    /// By name.
    pub names: Vec<NamedCandidate>,
    /// It never begins itself (ICE lite): without an address of its own there is no path.
    pub lite: bool,
}

impl Reach {
    /// Reads an answer.
    pub fn of(answer: &str) -> Self {
        let mut reach =
            Self { lite: answer.lines().any(|l| l.trim_end() == "a=ice-lite"), ..Self::default() };
        for (line, media) in sdp::media_lines(answer).iter().enumerate() {
            for text in media.lines.iter().filter_map(|line| line.strip_prefix("a=")) {
                let Some(candidate) = Candidate::parse(text) else { continue };
                match candidate.address() {
                    Some(address) if candidate.tcp => reach.tcp.push(address),
                    Some(address) => reach.udp.push(address),
                    None if reach.names.len() < MAX_NAMES => reach.names.push(NamedCandidate {
                        line: line as u32,
                        host: candidate.host.to_owned(),
                        port: candidate.port,
                        text: text.to_owned(),
                    }),
                    None => {}
                }
            }
        }
        reach
    }

    /// Whether it names nothing at all.
    pub const fn is_empty(&self) -> bool {
        self.udp.is_empty() && self.tcp.is_empty() && self.names.is_empty()
    }

    /// No path came about, or can: what of the answer says why. `unresolved` are the names that stand for no address
    /// here; `tried` is how long ago the answer came.
    pub fn no_path(&self, unresolved: &[String], tried: Duration) -> Failure {
        let peer = "the ingest";
        let waited = format!("within {} s", tried.as_secs().max(1));
        if self.is_empty() {
            return wording::failure(
                format!(
                    "{peer}'s answer names no address that media could be sent to (it holds no ICE candidate), \
                     and no connection came about {waited}: in its settings, name the address it is \
                     reached at (often called its public or NAT address)"
                ),
                Kind::Lasting,
            );
        }
        if self.udp.is_empty() && self.tcp.is_empty() && self.all_unresolved(unresolved) {
            let local = unresolved.iter().all(|name| is_multicast_name(name));
            let names = shown(unresolved.iter().map(|name| short(name, 60)).collect());
            return if local {
                wording::failure(
                    format!(
                        "{peer}'s answer names its address only by names of its own network ({names}), \
                         which cannot be resolved here: in its settings, name an IP address"
                    ),
                    Kind::Lasting,
                )
            } else {
                wording::failure(
                    format!(
                        "{peer}'s answer names its address as {names}, which cannot be resolved here: \
                         check this machine's name server, and the address in the ingest's settings"
                    ),
                    Kind::Passing,
                )
            };
        }
        let named =
            self.names.iter().map(|name| format!("{}:{}", short(&name.host, 60), name.port));
        let udp = self.udp.iter().map(ToString::to_string).chain(named).collect::<Vec<_>>();
        if udp.is_empty() {
            let addresses = shown(self.tcp.iter().map(ToString::to_string).collect());
            return wording::failure(
                format!(
                    "{peer}'s answer offers TCP only ({addresses}), and no connection came about {waited}: \
                     a firewall may block that port; the ingest should offer UDP too"
                ),
                Kind::Passing,
            );
        }
        let tcp = if self.tcp.is_empty() { "" } else { ", and TCP" };
        wording::failure(
            format!(
                "no media path to {peer} was found {waited}: it offers UDP at {}{tcp}; a firewall may \
                 block UDP, or these addresses cannot be reached from here",
                shown(udp)
            ),
            Kind::Passing,
        )
    }

    fn all_unresolved(&self, unresolved: &[String]) -> bool {
        self.names.iter().all(|name| unresolved.contains(&name.host))
    }
}

/// The names of multicast DNS are known in their own network only (RFC 6762).
fn is_multicast_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').as_bytes();
    host.len().checked_sub(6).is_some_and(|at| host[at..].eq_ignore_ascii_case(b".local"))
}

fn shown(mut all: Vec<String>) -> String {
    all.dedup();
    let rest = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    let all = all.join(", ");
    if rest > 0 { format!("{all} and {rest} more") } else { all }
}

/// The answer without the candidates whose addresses are names, for a reader that resolves none.
pub fn without_names(answer: &str) -> String {
    let mut out = String::with_capacity(answer.len());
    for line in answer.lines() {
        let candidate = line.trim_end().strip_prefix("a=").and_then(Candidate::parse);
        if candidate.is_none_or(|candidate| candidate.address().is_some()) {
            sdp::push(&mut out, line.trim_end());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(candidates: &[&str]) -> String {
        let lines: String = candidates.iter().flat_map(|c| ["a=", c, "\r\n"]).collect();
        format!(
            "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n{lines}"
        )
    }

    const UDP: &str = "candidate:1 1 UDP 2130706431 192.0.2.7 4000 typ host";
    const TCP: &str = "candidate:2 1 tcp 1518280447 192.0.2.7 443 typ host tcptype passive";
    const NAME: &str = "candidate:3 1 udp 1 media.example.com 5000 typ srflx raddr 0.0.0.0 rport 0";
    const LOCAL: &str =
        "candidate:4 1 udp 1 0a1b2c3d-1111-2222-3333-444455556666.local 5000 typ host";

    #[test]
    fn candidates_are_sorted_by_how_they_are_reached() {
        let reach =
            Reach::of(&answer(&[UDP, TCP, NAME, "candidate:5 1 udp 1 2001:db8::7 6000 typ host"]));
        let udp: Vec<String> = reach.udp.iter().map(ToString::to_string).collect();
        assert_eq!(udp, ["192.0.2.7:4000", "[2001:db8::7]:6000"]);
        assert_eq!(reach.tcp, ["192.0.2.7:443".parse().unwrap()]);
        let [name] = &reach.names[..] else { panic!("{reach:?}") };
        assert_eq!((name.line, name.host.as_str()), (1, "media.example.com"));
        let at = name.at("203.0.113.9".parse().unwrap());
        assert_eq!(at, "candidate:3 1 udp 1 203.0.113.9 5000 typ srflx raddr 0.0.0.0 rport 0");
        assert!(Reach::of(&answer(&[])).is_empty());
        let without = without_names(&answer(&[UDP, NAME, LOCAL]));
        assert!(
            without.contains(UDP) && !without.contains("example.com") && !without.contains("local")
        );
    }

    #[test]
    fn why_there_is_no_path_names_what_was_offered() {
        let seconds = Duration::from_secs(10);
        let said = |candidates: &[&str], unresolved: &[&str]| {
            let names: Vec<String> = unresolved.iter().map(|n| (*n).to_owned()).collect();
            Reach::of(&answer(candidates)).no_path(&names, seconds)
        };
        let cases = [
            (&[][..], &[][..], Kind::Lasting, "names no address that media could be sent to"),
            (
                &[UDP],
                &[],
                Kind::Passing,
                "within 10 s: it offers UDP at 192.0.2.7:4000; a firewall may block UDP",
            ),
            (&[UDP, TCP], &[], Kind::Passing, "192.0.2.7:4000, and TCP"),
            (&[TCP], &[], Kind::Passing, "offers TCP only (192.0.2.7:443)"),
            (
                &[NAME],
                &["media.example.com"],
                Kind::Passing,
                "names its address as media.example.com, which cannot be resolved",
            ),
            (
                &[LOCAL],
                &["0a1b2c3d-1111-2222-3333-444455556666.local"],
                Kind::Lasting,
                "only by names of its own network (0a1b2c3d-1111-2222-3333-444455556666.local)",
            ),
            (&[NAME], &[], Kind::Passing, "offers UDP at media.example.com:5000"),
            (&[NAME, UDP], &["media.example.com"], Kind::Passing, "offers UDP at 192.0.2.7:4000"),
        ];
        for (candidates, unresolved, kind, words) in cases {
            let failure = said(candidates, unresolved);
            assert!(failure.sentence.contains(words), "{} lacks {words}", failure.sentence);
            assert_eq!(failure.kind, kind, "{}", failure.sentence);
        }
        let firewall = |candidates: &[&str]| said(candidates, &[]).sentence.contains("block UDP");
        assert!(!firewall(&[]) && !firewall(&[TCP]));
        let many: Vec<String> = (0..9).map(|n| UDP.replace("4000", &format!("400{n}"))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(said(&many, &[]).sentence.contains("192.0.2.7:4002 and 6 more"));
    }

    proptest! {
        /// Any text is a candidate that can be used, or none.
        #[test]
        fn any_candidate_is_read_or_left_out(text in prop_oneof![
            ".{0,60}",
            "candidate:[!-~]{1,4} [12] (udp|TCP|x) [0-9]{1,11} [!-~]{1,20} [0-9]{1,6} typ (host|srflx)( [!-~]{1,9}){0,4}",
        ]) {
            if let Some(candidate) = Candidate::parse(&text) {
                prop_assert!(!text.contains(char::is_control));
                prop_assert!(candidate.port > 0 && candidate.text == text);
                let named = NamedCandidate { line: 0, host: candidate.host.into(), port: candidate.port, text: text.clone() };
                let at = named.at("192.0.2.1".parse().unwrap());
                let again = Candidate::parse(&at).unwrap();
                prop_assert_eq!(again.address(), Some(SocketAddr::new("192.0.2.1".parse().unwrap(), candidate.port)));
            }
        }
    }
}
