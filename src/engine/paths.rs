//! By which STUN and TURN servers an output's sessions look for a path: the operator's own, or those the ingest
//! names. It remembers the latter from one session to the next, since a session must know them before its offer,
//! and the ingest names them in its answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use url::Url;

use crate::{
    flow::liveness::Kind as Sign,
    link::{Authorities, LinkError, tunnel::Tunnel},
    whip::{IceKind, IceServer},
};

/// More ingests than any show has; the rest is not remembered.
const MAX_REMEMBERED: usize = 64;

/// What is known of ingests from earlier sessions, by endpoint. Shared by all sessions of a show.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// The servers that they named in their last answers.
    servers: Arc<Mutex<BTreeMap<Url, Vec<IceServer>>>>,
    /// The most telling sign of life that they gave.
    signs: Arc<Mutex<BTreeMap<Url, Sign>>>,
    /// Those on this machine whose media are not at its loopback addresses.
    beside_loopback: Arc<Mutex<BTreeSet<Url>>>,
}

impl Remembered {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Url, Vec<IceServer>>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signs(&self) -> std::sync::MutexGuard<'_, BTreeMap<Url, Sign>> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether that ingest, whose URL is a loopback one, has its media at other addresses of this machine.
    pub fn is_beside_loopback(&self, endpoint: &Url) -> bool {
        let all = self.beside_loopback.lock().unwrap_or_else(PoisonError::into_inner);
        all.contains(endpoint)
    }

    /// It has.
    pub fn beside_loopback(&self, endpoint: &Url) {
        let mut all = self.beside_loopback.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MAX_REMEMBERED {
            all.insert(endpoint.clone());
        }
    }

    /// The sign of life that this ingest gave in its last session.
    pub fn sign_of(&self, endpoint: &Url) -> Option<Sign> {
        self.signs().get(endpoint).copied()
    }

    /// It gives this one.
    pub fn heard(&self, endpoint: &Url, sign: Sign) {
        let mut all = self.signs();
        if all.len() < MAX_REMEMBERED || all.contains_key(endpoint) {
            all.insert(endpoint.clone(), sign);
        }
    }

    /// It gave none in a session from beginning to end.
    pub fn unheard(&self, endpoint: &Url) {
        self.signs().remove(endpoint);
    }

    /// What that ingest named last.
    pub fn of(&self, endpoint: &Url) -> Vec<IceServer> {
        self.lock().get(endpoint).cloned().unwrap_or_default()
    }

    /// It names these now.
    pub fn keep(&self, endpoint: &Url, servers: &[IceServer]) {
        let mut all = self.lock();
        if all.len() < MAX_REMEMBERED || all.contains_key(endpoint) {
            all.insert(endpoint.clone(), servers.to_vec());
        }
    }
}

/// What an output's settings say of paths.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// The operator's own servers. With any, those that the ingest names are not used.
    pub own: Vec<IceServer>,
    /// By a relay, or not at all.
    pub relay_only: bool,
    /// Authorities for relays over TLS, besides the machine's own.
    pub ca: Option<Authorities>,
    /// What ingests named.
    pub remembered: Remembered,
}

impl Paths {
    /// The servers to begin a session with.
    pub fn known(&self, endpoint: &Url) -> Vec<IceServer> {
        if self.own.is_empty() { self.remembered.of(endpoint) } else { self.own.clone() }
    }

    /// Whether a session that went without a path might find one by what the ingest has named meanwhile: a relay that
    /// was not asked.
    pub fn helps(&self, used: &[IceServer], named: &[IceServer]) -> bool {
        self.own.is_empty() && named.iter().any(|s| s.kind.relays() && !used.contains(s))
    }

    /// Whether no path can be found with these.
    pub fn hopeless(&self, used: &[IceServer]) -> bool {
        self.relay_only && !used.iter().any(|s| s.kind.relays())
    }

    /// The servers as a session may be given them: for each relay over TLS a door on this machine. The doors are
    /// open as long as the second value lives.
    ///
    /// # Errors
    /// A server of the operator's own cannot be used. One that the ingest named is left out, with a warning.
    pub async fn open(
        &self,
        servers: &[IceServer],
    ) -> Result<(Vec<IceServer>, Vec<Tunnel>), LinkError> {
        let (mut usable, mut doors) = (Vec::new(), Vec::new());
        for server in servers {
            if server.kind != IceKind::TurnTls {
                usable.push(server.clone());
                continue;
            }
            match Tunnel::open(server, self.ca.as_ref()).await {
                Ok(tunnel) => {
                    usable.push(tunnel.server.clone());
                    doors.push(tunnel);
                }
                Err(why) if self.own.is_empty() => {
                    tracing::warn!("the relay {server} that the ingest names is not used: {why}");
                }
                Err(why) => return Err(why),
            }
        }
        Ok((usable, doors))
    }
}

/// By what a session looks for its path.
#[derive(Debug, Clone, Copy)]
pub struct Ways<'a> {
    /// The servers it was made with, as they were named.
    pub servers: &'a [IceServer],
    /// The doors to those over TLS.
    pub doors: &'a [Tunnel],
    /// Another session may take its place.
    pub first: bool,
}

impl Ways<'_> {
    /// Why no relay can be reached, when all of them are behind doors that did not open.
    pub fn all_closed(&self) -> Option<String> {
        let relays = self.servers.iter().filter(|s| s.kind.relays()).count();
        let closed: Vec<String> = self.doors.iter().filter_map(Tunnel::trouble).collect();
        closed.first().filter(|_| closed.len() == relays).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(uri: &str) -> IceServer {
        IceServer::parse(uri, Some("u".into()), None).unwrap()
    }

    #[test]
    fn what_an_ingest_named_is_known_to_the_next_session() {
        let endpoint: Url = "https://h/whip".parse().unwrap();
        let mut paths = Paths::default();
        assert!(paths.known(&endpoint).is_empty());
        let named = [server("stun:s"), server("turn:t")];
        assert!(paths.helps(&[], &named) && !paths.helps(&[], &named[..1]));
        paths.clone().remembered.keep(&endpoint, &named);
        let known = paths.known(&endpoint);
        assert_eq!(known, named);
        assert!(!paths.helps(&known, &named));
        paths.own = vec![server("turn:mine")];
        assert_eq!(paths.known(&endpoint), paths.own);
        assert!(!paths.helps(&paths.own, &named), "the operator's own servers are the only ones");
    }

    #[test]
    fn relays_only_is_hopeless_without_a_relay() {
        let paths = Paths { relay_only: true, ..Paths::default() };
        assert!(paths.hopeless(&[]) && paths.hopeless(&[server("stun:s")]));
        assert!(!paths.hopeless(&[server("turns:t")]));
        assert!(!Paths::default().hopeless(&[]));
    }
}
