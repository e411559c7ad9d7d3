//! An answer as its strictest reader wants it. Servers write what RFC 8866, 8839, 8842 and 9143 allow in many forms,
//! webrtcbin and str0m read one: what stands for the session goes into each section, and what a bundle leaves out is
//! filled in. What cannot work is refused in words. Text only; no state.

use std::fmt::Write as _;

use super::{
    Role,
    fingerprint::{Fingerprints, HashFunction},
    reach::Candidate,
    sdp::{self, DIRECTIONS, MediaLine, SdpError, push},
    whep,
};
use crate::base::text::short;

/// More candidates than any server has addresses; the rest is left out.
const MAX_CANDIDATES: usize = 64;

/// Why an answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unusable {
    /// In words that follow "the answer".
    pub why: String,
    /// What to do about it; without it, the endpoint and the profile are to be checked.
    pub todo: Option<&'static str>,
}

impl From<SdpError> for Unusable {
    fn from(error: SdpError) -> Self {
        Self { why: error.0, todo: None }
    }
}

/// The server writes its answers so: only who runs it can change that.
const SERVER: &str = "this is for whoever runs the server";

fn unusable<T>(why: impl Into<String>) -> Result<T, Unusable> {
    Err(Unusable { why: why.into(), todo: Some(SERVER) })
}

/// The transports that may be answered to `UDP/TLS/RTP/SAVPF`: older servers write the older names (RFC 8829, section
/// 5.1.2).
const SECURE: [&str; 6] = [
    "UDP/TLS/RTP/SAVPF",
    "UDP/TLS/RTP/SAVP",
    "TCP/DTLS/RTP/SAVPF",
    "TCP/DTLS/RTP/SAVP",
    "RTP/SAVPF",
    "RTP/SAVP",
];

/// An answer to that offer in one form: CRLF; every section that is not refused with the offer's `mid` and transport,
/// its own fingerprints, ICE credentials and `setup`, the direction that fits the offer, `rtcp-mux` and offered formats
/// only; all candidates of the one path in the section that leads it. Normalising twice changes nothing.
///
/// # Errors
/// The answer is none, or cannot work: it is for other tracks, does not bundle them, refuses one that must not be
/// refused, or names no certificate that could be checked.
pub fn normalise(offer: &str, answer: &str, role: Role) -> Result<String, Unusable> {
    let text = tidy(answer);
    let (session, sections) = sdp::parse(&text)?;
    let (offered_session, offered) = sdp::parse(offer)?;
    same_tracks(&offered, &sections)?;
    let mids = mids(&offered, &sections)?;
    let bundles = offered_session.iter().any(|line| line.starts_with("a=group:BUNDLE"));
    let all = All { session: &session, sections: &sections, offered: &offered, mids: &mids };
    let live = all.live();
    let path = all.path(&live, bundles)?;
    let out = all.write(&live, path.as_ref())?;
    match role {
        Role::Whip => sdp::check_answer(offer, &out)?,
        // A stream may have sound alone, or a picture alone.
        Role::Whep => whep::check_answer_of_viewer(offer, &out)?,
    }
    // What cannot be checked after the handshake is not worth one. Viewing, it is str0m that checks.
    let functions: &[HashFunction] = match role {
        Role::Whip => &HashFunction::ALL,
        Role::Whep => &[HashFunction::Sha256],
    };
    match Fingerprints::of(&out, functions) {
        Ok(_) => Ok(out),
        Err(why) => unusable(why.to_string()),
    }
}

/// Lines that end in CRLF. A return alone ends a line too, as some readers have it: nothing hides behind it. Lines with
/// other control characters are left out.
fn tidy(answer: &str) -> String {
    let mut out = String::with_capacity(answer.len() + 64);
    for line in answer.trim_start_matches('\u{feff}').split(['\r', '\n']).map(str::trim_end) {
        if !line.is_empty() && !line.contains(|c: char| c.is_control() && c != '\t') {
            push(&mut out, line);
        }
    }
    out
}

/// Every offered track is answered, in the same place (RFC 3264, section 6).
fn same_tracks(offered: &[MediaLine<'_>], sections: &[MediaLine<'_>]) -> Result<(), Unusable> {
    let (ours, theirs) = (kinds(offered), kinds(sections));
    if ours == theirs {
        return Ok(());
    }
    let mut left = ours.clone();
    let known = theirs.iter().all(|kind| {
        let at = left.iter().position(|own| own == kind);
        at.map(|at| left.remove(at)).is_some()
    });
    if known && left.is_empty() {
        return unusable(format!(
            "answers the tracks in another order ({}) than they were offered in ({})",
            theirs.join(", "),
            ours.join(", ")
        ));
    }
    if known {
        return unusable(format!("leaves out the {} that was offered", left.join(" and the ")));
    }
    let theirs = theirs.iter().map(|kind| short(kind, 20)).take(4).collect::<Vec<_>>();
    Err(SdpError(format!(
        "is for other tracks: offered {}, answered {}",
        ours.join(", "),
        theirs.join(", ")
    ))
    .into())
}

fn kinds<'a>(lines: &[MediaLine<'a>]) -> Vec<&'a str> {
    lines.iter().map(|line| line.kind).collect()
}

/// A section's name in the answer and in the offer.
type Mid<'a> = (Option<&'a str>, Option<&'a str>);

/// The names of all sections.
fn mids<'a>(
    offered: &[MediaLine<'a>],
    sections: &[MediaLine<'a>],
) -> Result<Vec<Mid<'a>>, Unusable> {
    let named = |section: &MediaLine<'a>| {
        section.attribute("mid").map(str::trim).filter(|mid| !mid.is_empty())
    };
    let both: Vec<_> = sections.iter().map(named).zip(offered.iter().map(named)).collect();
    // Another's name at the wrong place is a mistake that would send picture as sound.
    let elsewhere = both.iter().any(|(theirs, ours)| {
        theirs != ours && theirs.is_some() && both.iter().any(|(_, other)| other == theirs)
    });
    if elsewhere {
        return unusable("names its tracks in another order (a=mid) than they were offered in");
    }
    Ok(both)
}

/// An answer and the offer it is for.
struct All<'a> {
    session: &'a [&'a str],
    sections: &'a [MediaLine<'a>],
    offered: &'a [MediaLine<'a>],
    mids: &'a [Mid<'a>],
}

/// The one path that bundled sections share (RFC 9143).
struct Path {
    /// Its sections; the first leads.
    members: Vec<usize>,
}

impl<'a> All<'a> {
    /// The sections that are not refused.
    fn live(&self) -> Vec<usize> {
        let alive = |at: &usize| {
            self.sections.get(*at).is_some_and(|section| sdp::is_alive(self.session, section))
        };
        (0..self.sections.len()).filter(alive).collect()
    }

    /// Which sections share a path; `None` when nothing was to be bundled.
    fn path(&self, live: &[usize], bundles: bool) -> Result<Option<Path>, Unusable> {
        if !bundles || live.is_empty() {
            return Ok(None);
        }
        let group = self.session.iter().find_map(|line| line.strip_prefix("a=group:BUNDLE"));
        let place = |mid: &str| {
            self.mids.iter().position(|(theirs, ours)| [*theirs, *ours].contains(&Some(mid)))
        };
        let mut members: Vec<usize> = Vec::new();
        for at in group.unwrap_or_default().split_ascii_whitespace().filter_map(place) {
            if live.contains(&at) && !members.contains(&at) {
                members.push(at);
            }
        }
        let missing: Vec<usize> = live.iter().copied().filter(|at| !members.contains(at)).collect();
        if missing.is_empty() {
            return Ok(Some(Path { members }));
        }
        let all: Vec<usize> = members.into_iter().chain(missing).collect();
        if self.one_path(&all) {
            return Ok(Some(Path { members: all }));
        }
        unusable(
            "does not bundle sound and picture on one path (a=group:BUNDLE), and hawker has one path \
             only",
        )
    }

    /// Whether sections that are not said to be bundled are all the same: one set of ICE credentials is one path.
    fn one_path(&self, members: &[usize]) -> bool {
        let mut known: Option<(Option<&str>, Option<&str>)> = None;
        let mut addresses: Option<Vec<Candidate<'_>>> = None;
        members.iter().filter_map(|at| self.sections.get(*at)).all(|section| {
            let ice = (self.value(section, "ice-ufrag"), self.value(section, "ice-pwd"));
            let found = candidates(&section.lines);
            let same = found.is_empty() || *addresses.get_or_insert_with(|| found.clone()) == found;
            ice.0.is_some() && *known.get_or_insert(ice) == ice && same
        })
    }

    /// A section's own value, or the session's.
    fn value(&self, section: &MediaLine<'a>, name: &str) -> Option<&'a str> {
        section.attribute(name).or_else(|| sdp::attribute(self.session, name)).map(str::trim)
    }

    fn write(&self, live: &[usize], path: Option<&Path>) -> Result<String, Unusable> {
        let mut out = String::new();
        for line in self.session.iter().filter(|line| !moves(line)) {
            push(&mut out, line);
        }
        if let Some(path) = path {
            let names = path.members.iter().filter_map(|at| self.mids.get(*at));
            let names: Vec<&str> = names.filter_map(|(theirs, ours)| ours.or(*theirs)).collect();
            push(&mut out, &format!("a=group:BUNDLE {}", names.join(" ")));
        }
        for (at, (section, ours)) in self.sections.iter().zip(self.offered).enumerate() {
            if live.contains(&at) {
                self.section(&mut out, at, section, ours, path)?;
                continue;
            }
            let MediaLine { kind, proto, formats, .. } = section;
            push(&mut out, &format!("m={kind} 0 {proto} {}", formats.join(" ")));
            let keeps = |line: &&&str| !line.starts_with("a=mid:") && !line.starts_with("k=");
            section.lines.iter().filter(keeps).for_each(|line| push(&mut out, line));
            self.name(&mut out, at);
        }
        Ok(out)
    }

    fn name(&self, out: &mut String, at: usize) {
        if let Some(mid) = self.mids.get(at).and_then(|(theirs, ours)| ours.or(*theirs)) {
            push(out, &format!("a=mid:{mid}"));
        }
    }

    fn section(
        &self,
        out: &mut String,
        at: usize,
        section: &MediaLine<'a>,
        ours: &MediaLine<'a>,
        path: Option<&Path>,
    ) -> Result<(), Unusable> {
        let (kind, offered) = (section.kind, ours.proto);
        let secure = SECURE.iter().any(|name| section.proto.eq_ignore_ascii_case(name));
        if section.proto != offered && !secure {
            return unusable(format!(
                "asks for the {kind} by {}, which is not the encrypted transport that was offered",
                short(section.proto, 40)
            ));
        }
        let formats = formats(section, ours);
        let port = if section.port == 0 { 9 } else { section.port };
        let proto = if secure { offered } else { section.proto };
        push(out, &format!("m={kind} {port} {proto} {}", formats.join(" ")));
        let dropped = |line: &str| {
            ["rtpmap:", "fmtp:", "rtcp-fb:"].iter().any(|name| {
                let rest = line.strip_prefix("a=").and_then(|line| line.strip_prefix(name));
                let format = rest.and_then(|rest| rest.split_ascii_whitespace().next());
                format.is_some_and(|f| section.formats.contains(&f) && !formats.contains(&f))
            })
        };
        for line in section.lines.iter().filter(|line| !moves(line) && !dropped(line)) {
            push(out, line);
        }
        self.extensions(out, section);
        self.name(out, at);
        push(out, "a=rtcp-mux");
        push(out, &format!("a={}", self.direction(section, ours)?));
        self.transport(out, at, section, path)
    }

    /// Header extensions that are said for the whole session (RFC 8285, section 5).
    fn extensions(&self, out: &mut String, section: &MediaLine<'a>) {
        let number = |line: &str| line.split([' ', '/']).next().map(str::to_owned);
        let own: Vec<_> =
            section.lines.iter().filter(|l| extension(l)).map(|l| number(l)).collect();
        for line in self.session.iter().filter(|line| extension(line)) {
            if !own.contains(&number(line)) {
                push(out, line);
            }
        }
    }

    /// The direction that fits what was offered (RFC 3264, section 6.1). `sendrecv`, which is also what silence means,
    /// takes what is offered.
    fn direction(
        &self,
        section: &MediaLine<'a>,
        ours: &MediaLine<'a>,
    ) -> Result<&'static str, Unusable> {
        let of = |lines: &[&str]| {
            DIRECTIONS.into_iter().find(|d| lines.iter().any(|l| l.strip_prefix("a=") == Some(d)))
        };
        let theirs = of(&section.lines).or_else(|| of(self.session)).unwrap_or("sendrecv");
        let fitting = match ours.direction() {
            "sendonly" => "recvonly",
            "recvonly" => "sendonly",
            _ => theirs,
        };
        match theirs {
            "inactive" => Ok("inactive"),
            "sendrecv" => Ok(fitting),
            _ if theirs == fitting => Ok(fitting),
            _ => unusable(format!(
                "says {theirs} for the {}, which was offered {}",
                section.kind,
                ours.direction()
            )),
        }
    }

    /// ICE, DTLS and candidates. In a bundle those of the section that leads it are everybody's (RFC 9143, section 7),
    /// but for the fingerprints: each section's own have to be right.
    fn transport(
        &self,
        out: &mut String,
        at: usize,
        section: &MediaLine<'a>,
        path: Option<&Path>,
    ) -> Result<(), Unusable> {
        let path = path.filter(|path| path.members.contains(&at));
        let leader = path.and_then(|path| self.sections.get(*path.members.first()?));
        let members: Vec<&MediaLine<'a>> = match path {
            Some(path) => path.members.iter().filter_map(|at| self.sections.get(*at)).collect(),
            None => vec![section],
        };
        let leader = leader.unwrap_or(section);
        let value = |name: &str| {
            let others = || members.iter().find_map(|other| other.attribute(name)).map(str::trim);
            self.value(leader, name).or_else(others).filter(|value| !value.is_empty())
        };
        for name in ["ice-ufrag", "ice-pwd"] {
            if let Some(value) = value(name) {
                push(out, &format!("a={name}:{value}"));
            }
        }
        match value("setup") {
            Some(setup @ ("active" | "passive")) => push(out, &format!("a=setup:{setup}")),
            Some(other) => {
                return unusable(format!(
                    "does not say who begins the encryption: a=setup:{} is no answer, active and passive are",
                    short(other, 20)
                ));
            }
            None => {
                return unusable("does not say who begins the encryption (it holds no a=setup)");
            }
        }
        let own = fingerprints(&section.lines);
        let own = if own.is_empty() { fingerprints(self.session) } else { own };
        let own = if own.is_empty() { fingerprints(&leader.lines) } else { own };
        for line in own {
            push(out, line);
        }
        if path.is_none_or(|path| path.members.first() == Some(&at)) {
            let lines = || members.iter().map(|other| other.lines.as_slice());
            let mut known: Vec<Candidate<'_>> = Vec::new();
            for candidate in lines().chain([self.session]).flat_map(candidates) {
                if known.len() < MAX_CANDIDATES && !known.contains(&candidate) {
                    let _ = write!(out, "a={}\r\n", candidate.text);
                    known.push(candidate);
                }
            }
            if lines().any(|lines| lines.contains(&"a=end-of-candidates")) {
                push(out, "a=end-of-candidates");
            }
        }
        Ok(())
    }
}

/// Of the answered formats those that were offered; all of them if none was.
fn formats<'a>(section: &MediaLine<'a>, ours: &MediaLine<'a>) -> Vec<&'a str> {
    let known = section.formats.iter().copied().filter(|format| ours.formats.contains(format));
    let known: Vec<&str> = known.collect();
    if known.is_empty() { section.formats.clone() } else { known }
}

fn extension(line: &str) -> bool {
    line.starts_with("a=extmap:")
}

fn fingerprints<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    lines.iter().copied().filter(|line| line.starts_with("a=fingerprint:")).collect()
}

/// Candidates that can be reached over the one component there is; what is no candidate is left out.
fn candidates<'a>(lines: &[&'a str]) -> Vec<Candidate<'a>> {
    let texts = lines.iter().filter_map(|line| line.strip_prefix("a="));
    texts.filter_map(Candidate::parse).collect()
}

/// Whether a line is written afresh elsewhere, or is of no use: keys in the clear (`k=`) are obsolete (RFC 8866, section
/// 5.12), and webrtcbin takes no description that has one.
fn moves(line: &str) -> bool {
    if line.starts_with("k=") {
        return true;
    }
    let Some(value) = line.strip_prefix("a=") else { return false };
    let name = value.split(':').next().unwrap_or_default();
    DIRECTIONS.contains(&value)
        // webrtcbin 1.22 takes the first group for the bundle, whatever its kind: others (LS) are left out.
        || matches!(
            name,
            "group"
                | "ice-ufrag"
                | "ice-pwd"
                | "setup"
                | "fingerprint"
                | "candidate"
                | "end-of-candidates"
                | "bundle-only"
                | "rtcp-mux"
                | "mid"
        )
}

#[cfg(test)]
mod tests;
