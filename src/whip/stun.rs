//! STUN's binding request and its answer (RFC 8489), to time the way by UDP; and which servers a `Link` header
//! names. Bytes and text only: `link::probe` has the socket.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

/// In every message (RFC 8489, 5).
const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const MAPPED_ADDRESS: u16 = 0x0001;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const HEADER: usize = 20;
/// Where STUN and TURN listen unless told otherwise (RFC 7064, RFC 7065).
const PORT: u16 = 3478;
/// More servers than anybody names with good reason.
const MAX_SERVERS: usize = 8;

/// What tells an answer to this request from all others: 96 bits of chance.
pub type Transaction = [u8; 12];

/// A binding request without attributes.
pub fn binding_request(transaction: Transaction) -> [u8; HEADER] {
    let mut message = [0; HEADER];
    message[..2].copy_from_slice(&BINDING_REQUEST.to_be_bytes());
    message[4..8].copy_from_slice(&MAGIC);
    message[8..].copy_from_slice(&transaction);
    message
}

/// Attributes of a connectivity check (RFC 8445, 16.1; RFC 8489, 18.3).
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const PRIORITY: u16 = 0x0024;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLING: u16 = 0x802a;
/// HMAC-SHA1.
const INTEGRITY: usize = 20;
/// What the CRC of a fingerprint is combined with (RFC 8489, 14.7).
const FINGERPRINT_MASK: u32 = 0x5354_554e;

/// An ICE connectivity check of the controlling agent, without a nomination (RFC 8445, 7.2.2).
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// What tells its answer from all others.
    pub transaction: Transaction,
    /// The peer's user fragment, a colon, and ours.
    pub user: &'a str,
    /// Of the candidate that it is sent from.
    pub priority: u32,
    /// Decides who controls where both think they do.
    pub tie_breaker: u64,
}

impl Check<'_> {
    /// As a datagram. `mac` is HMAC-SHA1 with the peer's password.
    pub fn write(&self, mac: impl Fn(&[u8]) -> [u8; INTEGRITY]) -> Vec<u8> {
        let mut message = binding_request(self.transaction).to_vec();
        attribute(&mut message, USERNAME, self.user.as_bytes());
        attribute(&mut message, PRIORITY, &self.priority.to_be_bytes());
        attribute(&mut message, ICE_CONTROLLING, &self.tie_breaker.to_be_bytes());
        // Both cover the header with the length that the message has after them (RFC 8489, 14.5 and 14.7).
        set_length(&mut message, INTEGRITY + 4);
        let integrity = mac(&message);
        attribute(&mut message, MESSAGE_INTEGRITY, &integrity);
        set_length(&mut message, 8);
        let fingerprint = crc32(&message) ^ FINGERPRINT_MASK;
        attribute(&mut message, FINGERPRINT, &fingerprint.to_be_bytes());
        message
    }

    /// Whether this datagram is the success that answers it, by one who knows the password.
    pub fn is_answered_by(&self, datagram: &[u8], mac: impl Fn(&[u8]) -> [u8; INTEGRITY]) -> bool {
        if !matches!(read_answer(datagram, self.transaction), Some(Answer::Success(_))) {
            return false;
        }
        let mut at = HEADER;
        while let Some(&[a, b, c, d]) = datagram.get(at..at + 4) {
            let length = usize::from(u16::from_be_bytes([c, d]));
            if u16::from_be_bytes([a, b]) == MESSAGE_INTEGRITY {
                let Some(given) = datagram.get(at + 4..at + 4 + INTEGRITY) else { return false };
                let mut covered = datagram[..at].to_vec();
                set_length(&mut covered, INTEGRITY + 4);
                return length == INTEGRITY && given == mac(&covered);
            }
            at += 4 + length.next_multiple_of(4);
        }
        false
    }
}

/// Appends an attribute, padded to four bytes.
fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
    set_length(message, 0);
}

/// Sets the header's length to what stands after it and `more` bytes to come.
fn set_length(message: &mut [u8], more: usize) {
    let length = (message.len().saturating_sub(HEADER) + more) as u16;
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// CRC-32 of ITU V.42, as FINGERPRINT asks for. A check has some hundred bytes: no table.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

/// What a server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Our address as it sees it; `None` when it says none that can be read.
    Success(Option<SocketAddr>),
    /// It does not want to; the way there and back is the same.
    Error,
}

/// The answer to the request of that transaction. `None` for anything else, whatever it is.
pub fn read_answer(datagram: &[u8], transaction: Transaction) -> Option<Answer> {
    let (header, body) = datagram.split_at_checked(HEADER)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[4..8] != MAGIC || header[8..] != transaction || length != body.len() {
        return None;
    }
    match u16::from_be_bytes([header[0], header[1]]) {
        BINDING_SUCCESS => Some(Answer::Success(mapped(body, transaction))),
        BINDING_ERROR => Some(Answer::Error),
        _ => None,
    }
}

/// XOR-MAPPED-ADDRESS, or the MAPPED-ADDRESS of a server older than 2008.
fn mapped(mut body: &[u8], transaction: Transaction) -> Option<SocketAddr> {
    let mut plain = None;
    while let Some((&[a, b, c, d], rest)) = body.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([c, d]));
        let value = rest.get(..length)?;
        match u16::from_be_bytes([a, b]) {
            XOR_MAPPED_ADDRESS => return address(value, Some(transaction)),
            MAPPED_ADDRESS => plain = address(value, None),
            _ => {}
        }
        // Attributes are padded to four bytes.
        body = rest.get(length.next_multiple_of(4)..)?;
    }
    plain
}

fn address(value: &[u8], masked: Option<Transaction>) -> Option<SocketAddr> {
    let (&[_, family, p, q], host) = value.split_first_chunk::<4>()?;
    let mut mask = [0; 16];
    if let Some(transaction) = masked {
        mask[..4].copy_from_slice(&MAGIC);
        mask[4..].copy_from_slice(&transaction);
    }
    let port = u16::from_be_bytes([p ^ mask[0], q ^ mask[1]]);
    let ip = match family {
        1 => {
            let mut bytes: [u8; 4] = host.try_into().ok()?;
            bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            IpAddr::V4(Ipv4Addr::from(bytes))
        }
        2 => {
            let mut bytes: [u8; 16] = host.try_into().ok()?;
            bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Where a STUN server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StunServer {
    /// A name, or an address (IPv6 without brackets).
    pub host: String,
    /// Its UDP port.
    pub port: u16,
}

impl fmt::Display for StunServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The text names no server that can be asked over UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no STUN server: write stun:HOST or stun:HOST:PORT")]
pub struct NoStunServer;

impl FromStr for StunServer {
    type Err = NoStunServer;

    /// Reads `stun:host[:port]`. A TURN server answers binding requests too, so `turn:` will do, unless it is
    /// reached over TCP only.
    fn from_str(text: &str) -> Result<Self, NoStunServer> {
        let (scheme, rest) = text.trim().split_once(':').ok_or(NoStunServer)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let turn = scheme.eq_ignore_ascii_case("turn");
        if !(turn || scheme.eq_ignore_ascii_case("stun"))
            || query.to_ascii_lowercase().contains("transport=tcp")
        {
            return Err(NoStunServer);
        }
        let (host, port) = if let Some(bracketed) = place.strip_prefix('[') {
            let (host, after) = bracketed.split_once(']').ok_or(NoStunServer)?;
            host.parse::<Ipv6Addr>().map_err(|_| NoStunServer)?;
            match after {
                "" => (host, None),
                _ => (host, Some(after.strip_prefix(':').ok_or(NoStunServer)?)),
            }
        } else {
            match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            }
        };
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || host.len() > 253 || !host.chars().all(sound) {
            return Err(NoStunServer);
        }
        let port = match port {
            None => PORT,
            Some(port) => port.parse().ok().filter(|p| *p != 0).ok_or(NoStunServer)?,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

/// The servers that the value of a `Link` header names for ICE and that can be asked over UDP, eight at most
/// (RFC 9725, 4.6; RFC 8288, 3).
pub fn servers_named(link: &str) -> Vec<StunServer> {
    let (mut servers, mut rest) = (Vec::new(), link);
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, after)) = after.split_once('>') else { break };
        let end = end_of_link(after);
        let params = after[..end].to_ascii_lowercase();
        let for_ice = params
            .split(';')
            .filter_map(|param| param.trim().strip_prefix("rel"))
            .filter_map(|value| value.trim_start().strip_prefix('='))
            .any(|value| value.trim().trim_matches('"').split(' ').any(|rel| rel == "ice-server"));
        if let Ok(server) = target.parse()
            && for_ice
            && servers.len() < MAX_SERVERS
            && !servers.contains(&server)
        {
            servers.push(server);
        }
        rest = &after[end..];
    }
    servers
}

/// Where the parameters of one link end: at a comma that is not within quotes.
fn end_of_link(params: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in params.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => return at,
            _ => {}
        }
    }
    params.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: Transaction = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";

    /// An answer with these attributes, each padded.
    fn answer(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in attributes {
            body.extend(name.to_be_bytes());
            body.extend((value.len() as u16).to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0x20);
        }
        let mut message = Vec::from(kind.to_be_bytes());
        message.extend((body.len() as u16).to_be_bytes());
        message.extend(MAGIC);
        message.extend(ID);
        message.extend(body);
        message
    }

    #[test]
    fn a_request_is_as_the_rfc_draws_it() {
        let request = binding_request(ID);
        assert_eq!(request[..8], [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
        assert_eq!(request[8..], ID);
    }

    /// The addresses of RFC 5769, 2.2 and 2.3.
    #[test]
    fn the_sample_answers_of_rfc_5769_are_read() {
        let software: (u16, &[u8]) = (0x8022, b"test vector");
        let v4: (u16, &[u8]) = (0x0020, b"\x00\x01\xa1\x47\xe1\x12\xa6\x43");
        let v6: (u16, &[u8]) = (
            0x0020,
            b"\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9",
        );
        let read = |attributes: &[_]| read_answer(&answer(BINDING_SUCCESS, attributes), ID);
        let want = |text: &str| Some(Answer::Success(Some(text.parse().unwrap())));
        assert_eq!(read(&[software, v4]), want("192.0.2.1:32853"));
        assert_eq!(read(&[software, v6]), want("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
        let old: (u16, &[u8]) = (0x0001, b"\x00\x01\x80\x55\xc0\x00\x02\x01");
        assert_eq!(read(&[old]), want("192.0.2.1:32853"));
    }

    #[test]
    fn a_check_has_its_length_and_its_fingerprint() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of CRC-32");
        let check =
            Check { transaction: ID, user: "evtj:h6vY", priority: 0x6e00_01ff, tie_breaker: 7 };
        let sent = check.write(|_| [9; INTEGRITY]);
        assert_eq!(sent.len() - HEADER, usize::from(u16::from_be_bytes([sent[2], sent[3]])));
        let (covered, fingerprint) = sent.split_at(sent.len() - 8);
        assert_eq!(fingerprint[..4], [0x80, 0x28, 0, 4]);
        assert_eq!(fingerprint[4..], (crc32(covered) ^ FINGERPRINT_MASK).to_be_bytes());
    }

    #[test]
    fn what_is_no_answer_of_ours_is_none() {
        let sound = answer(BINDING_SUCCESS, &[]);
        assert_eq!(read_answer(&sound, ID), Some(Answer::Success(None)));
        assert_eq!(read_answer(&answer(BINDING_ERROR, &[]), ID), Some(Answer::Error));
        assert_eq!(read_answer(&sound, [0; 12]), None, "another request's");
        assert_eq!(read_answer(&binding_request(ID), ID), None, "an echo");
        assert_eq!(read_answer(&sound[..19], ID), None);
        let mut longer = sound.clone();
        longer.push(0);
        assert_eq!(read_answer(&longer, ID), None);
    }

    #[test]
    fn servers_are_read_from_links_and_from_the_operator() {
        let at = |text: &str| text.parse::<StunServer>().map(|s| s.to_string());
        assert_eq!(at("stun:stun.example"), Ok("stun.example:3478".into()));
        assert_eq!(at("STUN:10.0.0.1:19302"), Ok("10.0.0.1:19302".into()));
        assert_eq!(at("turn:[2001:db8::1]:3479?transport=udp"), Ok("[2001:db8::1]:3479".into()));
        for wrong in [
            "",
            "stun:",
            "stun.example",
            "turns:a:5349",
            "turn:a?transport=tcp",
            "stun:a:0",
            "stun:a:b",
            "stun:[::1",
            "stun:[x]",
            "stun:[::1]3478",
            "stun:a b",
            "http://a",
        ] {
            assert_eq!(at(wrong), Err(NoStunServer), "{wrong}");
        }
        let link = "<https://a/b,c>; rel=\"self\", <stun:one.example>; rel=\"ice-server\", \
            <turn:two.example:1?transport=udp>; username=\"a,<b;\\\"\"; credential=\"x\"; \
            rel=\"ice-server\", <turns:three.example>; rel=ice-server, \
            <stun:one.example>; rel=\"ice-server\", <stun:four.example>; rel=\"other\"";
        let named: Vec<String> = servers_named(link).iter().map(ToString::to_string).collect();
        assert_eq!(named, ["one.example:3478", "two.example:1"]);
    }

    proptest! {
        #[test]
        fn garbage_is_read_without_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..200), head in any::<bool>()) {
            if head && bytes.len() >= HEADER {
                // Far enough in that the attributes are looked at.
                let length = (bytes.len() - HEADER) as u16;
                bytes[..2].copy_from_slice(&BINDING_SUCCESS.to_be_bytes());
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                bytes[4..8].copy_from_slice(&MAGIC);
                bytes[8..HEADER].copy_from_slice(&ID);
                prop_assert!(read_answer(&bytes, ID).is_some());
            } else {
                read_answer(&bytes, ID);
            }
        }

        #[test]
        fn an_address_comes_back_as_it_was_sent(v6 in any::<bool>(), host in any::<[u8; 16]>(), port in any::<u16>()) {
            let ip = if v6 { IpAddr::from(host) } else { IpAddr::from([host[0], host[1], host[2], host[3]]) };
            let mut value = vec![0, if v6 { 2 } else { 1 }];
            value.extend(port.to_be_bytes());
            match ip {
                IpAddr::V4(ip) => value.extend(ip.octets()),
                IpAddr::V6(ip) => value.extend(ip.octets()),
            }
            let mask: Vec<u8> = MAGIC.iter().chain(&ID).copied().collect();
            value[2] ^= mask[0];
            value[3] ^= mask[1];
            value[4..].iter_mut().zip(&mask).for_each(|(byte, mask)| *byte ^= mask);
            let message = answer(BINDING_SUCCESS, &[(XOR_MAPPED_ADDRESS, &value)]);
            let want = Answer::Success(Some(SocketAddr::new(ip, port)));
            prop_assert_eq!(read_answer(&message, ID), Some(want));
        }

        #[test]
        fn any_link_header_is_read_without_harm(link in "[<>;,=\"\\\\ a-z:é]{0,60}") {
            prop_assert!(servers_named(&link).len() <= MAX_SERVERS);
        }
    }
}
