//! Who may be on the stage: the places of publishers and viewers, whose session gives way to whose, and how long one
//! may take to connect.

use std::time::{Duration, Instant};

use super::{Added, Loop, MAX_VIEWERS, NewSession, Session, SessionId, View, forward::Packet};
use crate::stage::session::Role;

/// Most publishers that may be connecting at a time, the present one included.
const MAX_PUBLISHERS: usize = 4;
/// Most viewers that may be connecting at a time. They are no viewers yet.
const MAX_CONNECTING: usize = 96;
/// A session that has connected and then sent nothing for so long is removed.
const SILENCE: Duration = Duration::from_secs(30);
/// One that has not connected is removed when it has been silent for so long. ICE and DTLS take 6 round trips, each of
/// which is asked for again by its sender within a second (RFC 8445, 14.3; RFC 6347, 4.2.4.1).
const UNCONNECTED: Duration = Duration::from_secs(5);
/// The same, however much it sends.
const CONNECTS_IN: Duration = Duration::from_secs(15);

impl Loop {
    /// Takes a session in, if there is a place for it.
    pub(super) fn add(&mut self, new: NewSession) -> Added {
        let now = Instant::now();
        match new.role {
            Role::Viewer if self.viewers() >= MAX_VIEWERS => return Added::Full,
            Role::Viewer => {
                if self.connecting() >= MAX_CONNECTING {
                    self.give_way(Role::Viewer);
                }
            }
            Role::Publisher if new.owner => self.reserve(),
            Role::Publisher if self.reserved => return Added::Held,
            Role::Publisher => {}
        }
        if new.role == Role::Publisher && self.count(Role::Publisher) >= MAX_PUBLISHERS {
            self.give_way(Role::Publisher);
        }
        let session = Session {
            role: new.role,
            rtc: new.rtc,
            ufrag: new.ufrag,
            posted: new.posted,
            came: now,
            heard: None,
            wake_at: now,
            connected: false,
            video: None,
            audio: None,
            view: View::default(),
        };
        self.sessions.insert(new.id.clone(), session);
        self.drain(&new.id, now);
        self.recount();
        Added::In
    }

    /// From now on the place is the show's own: whoever else has it, or is about to, loses it.
    fn reserve(&mut self) {
        if std::mem::replace(&mut self.reserved, true) {
            return;
        }
        let strangers = self.sessions.iter().filter(|(_, s)| s.role == Role::Publisher);
        let strangers: Vec<SessionId> = strangers.map(|(id, _)| id.clone()).collect();
        for id in strangers {
            tracing::warn!(%id, "a publisher that is not this show's own is taken off the stage");
            self.end(&id);
        }
    }

    /// One that is connecting goes: first of those that have sent nothing, the oldest.
    fn give_way(&mut self, role: Role) {
        let present = self.publisher.as_ref();
        let connecting = self
            .sessions
            .iter()
            .filter(|(id, s)| s.role == role && !s.connected && Some(*id) != present);
        let first = connecting.min_by_key(|(_, s)| (s.heard.is_some(), s.came));
        if let Some(id) = first.map(|(id, _)| id.clone()) {
            self.end(&id);
        }
    }

    /// A viewer has connected: whether there is a place for it now.
    pub(super) fn seats(&self) -> bool {
        self.viewers() <= MAX_VIEWERS
    }

    /// Removes those that have been silent too long, or connect too slowly.
    pub(super) fn expire(&mut self, now: Instant) {
        let over = |s: &Session| {
            let silent = now.saturating_duration_since(s.heard.unwrap_or(s.came));
            if s.connected {
                return silent > SILENCE;
            }
            silent > UNCONNECTED || now.saturating_duration_since(s.came) > CONNECTS_IN
        };
        let over: Vec<(SessionId, bool)> = self
            .sessions
            .iter()
            .filter(|(_, s)| over(s))
            .map(|(id, s)| (id.clone(), s.connected))
            .collect();
        for (id, connected) in over {
            if connected {
                tracing::info!(%id, "a session has been silent for {SILENCE:?}: removed");
            } else {
                tracing::debug!(%id, "a session did not connect: removed");
            }
            self.end(&id);
        }
    }

    /// Viewers that asked for a picture and cannot decode this one are let go: the next time they ask they are told.
    pub(super) fn end_without_decoder(&mut self, first: &Packet) {
        let lacks = |s: &Session| {
            s.role == Role::Viewer && s.video.is_some_and(|mid| !first.is_spoken_by(&s.rtc, mid))
        };
        let without = self.sessions.iter().filter(|(_, s)| lacks(s));
        let without: Vec<SessionId> = without.map(|(id, _)| id.clone()).collect();
        for id in without {
            tracing::info!(%id, "a viewer cannot decode what the show is sent in: let go");
            self.end(&id);
        }
    }

    pub(super) fn count(&self, role: Role) -> usize {
        self.sessions.values().filter(|s| s.role == role).count()
    }

    /// Viewers that have connected.
    fn viewers(&self) -> usize {
        self.sessions.values().filter(|s| s.role == Role::Viewer && s.connected).count()
    }

    /// Viewers that may still connect.
    fn connecting(&self) -> usize {
        self.sessions.values().filter(|s| s.role == Role::Viewer && !s.connected).count()
    }

    pub(super) fn recount(&mut self) {
        self.figures.viewers = self.viewers();
        self.figures.connecting = self.connecting();
        self.figures.publishers = self.count(Role::Publisher);
        self.tell();
    }
}
