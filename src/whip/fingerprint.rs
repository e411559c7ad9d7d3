//! Certificate fingerprints of a session description (RFC 8122): which there are, which can be relied on, and
//! whether a certificate is the one they name. Text and bytes only: whoever has a certificate hashes it.

use std::fmt::{self, Write as _};

use super::sdp::{self, MediaLine};
use crate::base::text::short;

/// More than any section names (one for each hash function of RFC 8122, twice).
const MAX_FINGERPRINTS: usize = 16;

/// A hash function that a fingerprint can be relied on with, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashFunction {
    /// SHA-224.
    Sha224,
    /// SHA-256, which every implementation has (RFC 8122, section 5).
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Functions by which another certificate can be given the same fingerprint: RFC 8122, section 5, forbids MD2 and MD5;
/// collisions of SHA-1 are known since (RFC 9155).
const WEAK: [&str; 3] = ["sha-1", "md5", "md2"];

impl HashFunction {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// As SDP writes it (IANA, "Hash Function Textual Names").
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha224 => "sha-224",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// Length of its result, in bytes.
    pub const fn size(self) -> usize {
        match self {
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| name.eq_ignore_ascii_case(hash.name()))
    }
}

/// What is wrong with a description's fingerprints, in words that follow "the offer" or "the answer".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// A section has none.
    #[error("holds no certificate fingerprint for the {0}")]
    Missing(String),
    /// A section has only such as can be forged.
    #[error(
        "names its certificate by {0} only, which can be forged: a sha-256 fingerprint is needed"
    )]
    Weak(&'static str),
    /// A section has only such as nobody here knows.
    #[error(
        "names its certificate by a hash function that is not known here ({0}): a sha-256 fingerprint is \
         needed"
    )]
    Unknown(String),
    /// One is no fingerprint.
    #[error("holds a broken {0} fingerprint: it must be {1} bytes in hexadecimal, with colons")]
    Broken(&'static str, usize),
    /// The sections name certificates that cannot be one.
    #[error(
        "names one certificate for one track and another for the other, though both share a path (something may have \
         changed it on its way)"
    )]
    Differ,
    /// There are too many.
    #[error("holds more than {MAX_FINGERPRINTS} certificate fingerprints for the {0}")]
    TooMany(String),
}

/// One certificate fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    hash: HashFunction,
    digest: Vec<u8>,
}

impl Fingerprint {
    /// Of a digest that was made with that function; `None` when it is not as long as that function makes it.
    pub fn new(hash: HashFunction, digest: Vec<u8>) -> Option<Self> {
        (digest.len() == hash.size()).then_some(Self { hash, digest })
    }
}

impl fmt::Display for Fingerprint {
    /// As SDP writes it after `a=fingerprint:` (RFC 8122, section 5).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.hash.name())?;
        for (i, byte) in self.digest.iter().enumerate() {
            if i > 0 {
                f.write_char(':')?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

/// The certificates that a whole description names. Tracks that share a path are shown one certificate, so it has to
/// be one that each section names, by the strongest hash function that the section has (RFC 8122, section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprints(Vec<Named>);

/// Digests of one function. Several name several certificates, of which one is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    hash: HashFunction,
    digests: Vec<Vec<u8>>,
}

impl Fingerprints {
    /// Reads a description, for somebody who has these hash functions. A section without fingerprints has those of the
    /// session; one that is refused needs none.
    ///
    /// # Errors
    /// A section has none that can be relied on, or a broken one, or no certificate could be that of each section.
    pub fn of(sdp: &str, supported: &[HashFunction]) -> Result<Self, FingerprintError> {
        let none = || FingerprintError::Missing("media".into());
        let (session, media) = sdp::parse(sdp).map_err(|_| none())?;
        let mut all: Vec<Named> = Vec::new();
        for section in media.iter().filter(|section| sdp::is_alive(&session, section)) {
            let named = strongest(section, &session, supported)?;
            match all.iter_mut().find(|known| known.hash == named.hash) {
                Some(known) => known.digests.retain(|digest| named.digests.contains(digest)),
                None => all.push(named),
            }
        }
        if all.iter().any(|named| named.digests.is_empty()) {
            return Err(FingerprintError::Differ);
        }
        if all.is_empty() { Err(none()) } else { Ok(Self(all)) }
    }

    /// Whether the certificate that has these digests is the one that is named.
    pub fn match_digests(&self, digest: impl Fn(HashFunction) -> Option<Vec<u8>>) -> bool {
        !self.0.is_empty()
            && self.0.iter().all(|named| {
                digest(named.hash).is_some_and(|digest| named.digests.contains(&digest))
            })
    }

    /// One of them.
    pub fn first(&self) -> Option<Fingerprint> {
        let Named { hash, digests } = self.0.first()?;
        Fingerprint::new(*hash, digests.first()?.clone())
    }
}

/// What a section names by the strongest function that it has.
fn strongest(
    section: &MediaLine<'_>,
    session: &[&str],
    supported: &[HashFunction],
) -> Result<Named, FingerprintError> {
    let own = values(&section.lines);
    let lines = if own.is_empty() { values(session) } else { own };
    // Kinds and names are a stranger's words.
    let kind = || short(section.kind, 20);
    if lines.is_empty() {
        return Err(FingerprintError::Missing(kind()));
    }
    if lines.len() > MAX_FINGERPRINTS {
        return Err(FingerprintError::TooMany(kind()));
    }
    let (mut good, mut weak, mut unknown) = (Vec::new(), None, None);
    for line in lines {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        if let Some(hash) = HashFunction::named(name) {
            let broken = || FingerprintError::Broken(hash.name(), hash.size());
            let (Some(value), None) = (words.next(), words.next()) else { return Err(broken()) };
            let digest = bytes(value).filter(|digest| digest.len() == hash.size());
            good.push((hash, digest.ok_or_else(broken)?));
        } else if let Some(name) = WEAK.into_iter().find(|weak| name.eq_ignore_ascii_case(weak)) {
            weak.get_or_insert(name);
        } else {
            unknown.get_or_insert_with(|| short(name, 20));
        }
    }
    let best = good.iter().map(|(hash, _)| *hash).filter(|h| supported.contains(h)).max();
    match (best, good.first(), weak) {
        (Some(hash), ..) => {
            good.retain(|(other, _)| *other == hash);
            Ok(Named { hash, digests: good.into_iter().map(|(_, digest)| digest).collect() })
        }
        (None, Some((hash, _)), _) => Err(FingerprintError::Unknown(hash.name().to_owned())),
        (None, None, Some(weak)) => Err(FingerprintError::Weak(weak)),
        (None, None, None) => Err(FingerprintError::Unknown(unknown.unwrap_or_default())),
    }
}

fn values<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix("a=fingerprint:")).collect()
}

/// `AA:bb:01` as bytes.
fn bytes(text: &str) -> Option<Vec<u8>> {
    text.split(':')
        .map(|pair| {
            let hex = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
        })
        .collect()
}

/// The description with one SHA-256 fingerprint that every section agrees on, for a reader that takes the first one it
/// finds and knows no other function.
///
/// # Errors
/// There is none.
pub fn only_sha256(sdp: &str) -> Result<String, FingerprintError> {
    let named = Fingerprints::of(sdp, &[HashFunction::Sha256])?;
    let one = named.first().ok_or_else(|| FingerprintError::Missing("media".into()))?;
    Ok(replace(sdp, &one))
}

/// The description with this one instead of its own fingerprints, in every section and not for the session.
pub fn replace(sdp: &str, by: &Fingerprint) -> String {
    let mut out = String::with_capacity(sdp.len() + 128);
    let mut section = false;
    let put = |out: &mut String, section: bool| {
        if section {
            let _ = write!(out, "a=fingerprint:{by}\r\n");
        }
    };
    for line in sdp.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if line.starts_with("a=fingerprint:") {
            continue;
        }
        if line.starts_with("m=") {
            put(&mut out, section);
            section = true;
        }
        out.push_str(line);
        out.push_str("\r\n");
    }
    put(&mut out, section);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(digest: &[u8]) -> String {
        digest.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
    }

    fn line(name: &str, byte: u8, len: usize) -> String {
        format!("a=fingerprint:{name} {}\r\n", hex(&vec![byte; len]))
    }

    fn described(session: &str, video: &str, audio: &str) -> String {
        format!(
            "v=0\r\n{session}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{video}\
             m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{audio}"
        )
    }

    fn of(sdp: &str) -> Result<Fingerprints, FingerprintError> {
        Fingerprints::of(sdp, &HashFunction::ALL)
    }

    /// A certificate whose digests are all of one byte.
    fn shown(byte: u8) -> impl Fn(HashFunction) -> Option<Vec<u8>> {
        move |hash| Some(vec![byte; hash.size()])
    }

    #[test]
    fn the_certificate_must_be_the_one_that_is_named() {
        for hash in HashFunction::ALL {
            for name in [hash.name().to_owned(), hash.name().to_uppercase()] {
                let own = line(&name, 7, hash.size());
                for sdp in [described(&own, "", ""), described("", &own, &own)] {
                    let named = of(&sdp).unwrap();
                    assert!(
                        named.match_digests(shown(7)) && !named.match_digests(shown(8)),
                        "{sdp}"
                    );
                    assert!(
                        !named.match_digests(|_| None),
                        "a digest that cannot be made proves nothing"
                    );
                    assert!(!named.match_digests(|_| Some(vec![])));
                }
            }
        }
        let small = described(&line("sha-256", 0xab, 32).to_lowercase(), "", "");
        assert!(of(&small).unwrap().match_digests(shown(0xab)));
    }

    #[test]
    fn a_sections_own_fingerprint_stands_above_the_sessions() {
        let (right, wrong) = (line("sha-256", 1, 32), line("sha-256", 2, 32));
        let named = of(&described(&wrong, &right, &right)).unwrap();
        assert!(named.match_digests(shown(1)) && !named.match_digests(shown(2)));
        assert_eq!(of(&described(&wrong, &right, "")), Err(FingerprintError::Differ));
    }

    #[test]
    fn each_section_must_name_the_certificate() {
        let (one, two) = (line("sha-256", 1, 32), line("sha-256", 2, 32));
        assert_eq!(of(&described("", &one, &two)), Err(FingerprintError::Differ));
        let named = of(&described("", &one, &line("sha-512", 2, 64))).unwrap();
        assert!(
            !named.match_digests(shown(1)) && !named.match_digests(shown(2)),
            "two certificates on one path"
        );
        let named = of(&described("", &one, &line("sha-512", 1, 64))).unwrap();
        assert!(named.match_digests(shown(1)), "the same, named by two functions");
        // A refused section has no path.
        let refused = described("", &one, &two).replace("m=audio 9", "m=audio 0");
        assert!(of(&refused).unwrap().match_digests(shown(1)));
    }

    #[test]
    fn the_strongest_function_decides() {
        let both = line("sha-256", 1, 32) + &line("sha-512", 2, 64) + &line("sha-1", 3, 20);
        let named = of(&described(&both, "", "")).unwrap();
        assert!(named.match_digests(shown(2)) && !named.match_digests(shown(1)));
        let known = Fingerprints::of(&described(&both, "", ""), &[HashFunction::Sha256]).unwrap();
        assert!(known.match_digests(shown(1)), "of those that are supported");
        // Several of one function: any of them.
        let many = line("sha-256", 1, 32) + &line("sha-256", 2, 32);
        let named = of(&described(&many, "", "")).unwrap();
        assert!(
            named.match_digests(shown(1))
                && named.match_digests(shown(2))
                && !named.match_digests(shown(3))
        );
    }

    #[test]
    fn what_proves_nothing_is_refused_in_words() {
        let refused = |lines: &str| of(&described(lines, "", "")).unwrap_err().to_string();
        for weak in ["sha-1", "SHA-1", "md5", "MD2"] {
            let said = refused(&line(weak, 1, 20));
            assert!(said.contains(&weak.to_lowercase()) && said.contains("forged"), "{said}");
        }
        assert!(refused(&line("sha3-256", 1, 32)).contains("not known here (sha3-256)"));
        assert!(refused("a=fingerprint:\r\n").contains("not known here"));
        assert!(refused("").contains("no certificate fingerprint for the video"));
        let only =
            Fingerprints::of(&described(&line("sha-512", 1, 64), "", ""), &[HashFunction::Sha256]);
        assert!(only.unwrap_err().to_string().contains("not known here (sha-512)"));
        for value in [
            "",
            " ",
            " AB",
            " zz:zz",
            &format!(" {}:", hex(&[1; 32])),
            &format!(" {}", hex(&[1; 31])),
            &format!(" {}", hex(&[1; 33])),
            &format!(" {} {}", hex(&[1; 32]), hex(&[1; 32])),
            &format!(" {}", hex(&[1; 32]).replace(':', "")),
            &format!(" {}", hex(&[1; 32]).replace("01", "+1")),
        ] {
            let said = refused(&format!("a=fingerprint:sha-256{value}\r\n"));
            assert!(said.contains("broken sha-256 fingerprint"), "{value:?}: {said}");
            // A broken one is not made good by another.
            let both = line("sha-512", 1, 64) + &format!("a=fingerprint:sha-256{value}\r\n");
            assert!(refused(&both).contains("broken"), "{value:?}");
        }
        assert!(refused(&line("sha-256", 1, 32).repeat(17)).contains("more than 16"));
    }

    #[test]
    fn replaced_it_stands_in_every_section() {
        let digest = Fingerprint::new(HashFunction::Sha256, vec![9; 32]).unwrap();
        assert_eq!(Fingerprint::new(HashFunction::Sha256, vec![9; 31]), None);
        let (one, two) = (line("sha-256", 1, 32), line("sha-512", 2, 64));
        let sdp = replace(&described(&one, &two, &(one.clone() + &two)), &digest);
        assert_eq!(sdp.matches("a=fingerprint:").count(), 2);
        let named = of(&sdp).unwrap();
        assert!(named.match_digests(shown(9)) && named.first() == Some(digest));
    }

    proptest! {
        /// Whatever a stranger writes: no panic, one line of words, and never taken for a certificate that it does
        /// not name.
        #[test]
        fn any_fingerprints_are_read_or_refused(
            session in "(a=fingerprint:(sha-(1|224|256|384|512)|md5|[!-~]{0,8}) ?([0-9a-fA-F]{2}:?){0,66}\r\n){0,3}",
            video in "(a=fingerprint:(SHA-256|sha-512) ([0-9a-f]{2}:){31}[0-9a-f]{2}\r\n|.{0,40}\r\n){0,3}",
            audio in "(\\PC{0,30}\r?\n){0,3}",
        ) {
            match of(&described(&session, &video, &audio)) {
                Ok(named) => {
                    prop_assert!(!named.match_digests(|_| None));
                    prop_assert!(!named.match_digests(|_| Some(vec![1])));
                    prop_assert!(named.first().is_some());
                }
                Err(why) => {
                    let why = why.to_string();
                    prop_assert!(!why.contains(char::is_control) && why.chars().count() < 300, "{why:?}");
                }
            }
        }
    }
}
