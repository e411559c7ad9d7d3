//! The air between the stage and its peers: packets wait here as long as the weather says, or are lost. With
//! clear weather nothing passes through here at all.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use super::landing::Landing;
use crate::{
    base::Moment,
    flow::{Passage, Path},
    stage::session::Role,
};

/// Datagrams that may be in the air at once: two seconds of a wide link.
const MOST: usize = 8192;

/// What the way to publishers and to viewers is like. The rate holds in the direction media go; the rest both
/// ways.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    /// Between publishers and the stage.
    pub publishers: Path,
    /// Between the stage and viewers.
    pub viewers: Path,
    /// How often the publishers' addresses have changed, as they do behind a router that forgets its peers: what
    /// they send comes from elsewhere then, and what is sent to where they were is lost.
    pub moves: u16,
}

impl Weather {
    /// Nothing in the way.
    pub const CLEAR: Self = Self { publishers: Path::CLEAR, viewers: Path::CLEAR, moves: 0 };

    const fn of(&self, role: Role) -> Path {
        match role {
            Role::Publisher => self.publishers,
            Role::Viewer => self.viewers,
        }
    }

    /// How long a request takes on that way, and its answer again, in milliseconds.
    pub const fn one_way_ms(&self, role: Role) -> u64 {
        self.of(role).delay_ms as u64
    }
}

/// The weather, to be changed while the stage runs.
pub type SharedWeather = Arc<Mutex<Weather>>;

/// The weather now.
pub fn now(weather: &SharedWeather) -> Weather {
    *weather.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which way a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// To the stage, from that address.
    In(SocketAddr),
    /// From the stage, to that address.
    Out(SocketAddr),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flying {
    due: Moment,
    /// Keeps the order of those that are due together.
    number: u64,
    way: Way,
    datagram: Vec<u8>,
}

/// What is in the air.
#[derive(Debug)]
pub struct Air {
    weather: SharedWeather,
    began: Instant,
    passages: HashMap<(Way, Role), Passage>,
    flying: BinaryHeap<Reverse<Flying>>,
    sent: u64,
    /// How often the addresses had changed when each publisher was first heard.
    first_heard: HashMap<SocketAddr, u16>,
    /// Who is behind an address that is not his own.
    behind: HashMap<SocketAddr, SocketAddr>,
}

impl Air {
    /// Empty.
    pub fn new(weather: SharedWeather) -> Self {
        Self {
            weather,
            began: Instant::now(),
            passages: HashMap::new(),
            flying: BinaryHeap::new(),
            sent: 0,
            first_heard: HashMap::new(),
            behind: HashMap::new(),
        }
    }

    fn moment(&self, at: Instant) -> Moment {
        let passed = at.saturating_duration_since(self.began);
        Moment(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Whether a datagram from or to such a peer would be taken into the air.
    pub fn holds(&self, role: Role) -> bool {
        !(self::now(&self.weather).of(role).is_clear() && self.flying.is_empty())
    }

    /// Takes a datagram into the air, or leaves it in the caller's hands (`false`) when nothing holds it up.
    pub fn takes(&mut self, now: Instant, way: Way, role: Role, datagram: &[u8]) -> bool {
        if !self.holds(role) {
            return false;
        }
        let mut path = self::now(&self.weather).of(role);
        let with_media =
            matches!((way, role), (Way::In(_), Role::Publisher) | (Way::Out(_), Role::Viewer));
        if !with_media {
            path.rate = None;
        }
        let now = self.moment(now);
        self.sent += 1;
        let number = self.sent;
        let seed = 0x9e37_79b9_7f4a_7c15 ^ (self.passages.len() as u64);
        let passage = self.passages.entry((way, role)).or_insert_with(|| Passage::new(path, seed));
        passage.path = path;
        if let Some(due) = passage.send(now, datagram.len()).filter(|_| self.flying.len() < MOST) {
            self.flying.push(Reverse(Flying { due, number, way, datagram: datagram.to_vec() }));
        }
        true
    }

    /// Where what a publisher sends from `own` seems to come from.
    pub fn outside(&mut self, own: SocketAddr) -> SocketAddr {
        let moves = now(&self.weather).moves;
        let first = *self.first_heard.entry(own).or_insert(moves);
        if moves == first {
            return own;
        }
        let outside = moved(own, moves - first);
        self.behind.insert(outside, own);
        outside
    }

    /// Sends what is not in the air, or not any more. A datagram that cannot be sent is a lost one.
    pub fn send(&self, socket: &UdpSocket, landing: &Landing, datagram: &[u8], to: SocketAddr) {
        if let Some(to) = self.inside(to) {
            let _ = socket.send_to(datagram, landing.to_socket(to));
        }
    }

    /// Where what is sent to that address arrives; `None` where nobody is any more.
    fn inside(&self, outside: SocketAddr) -> Option<SocketAddr> {
        let own = self.behind.get(&outside).copied().unwrap_or(outside);
        let Some(first) = self.first_heard.get(&own) else { return Some(outside) };
        (moved(own, now(&self.weather).moves - first) == outside).then_some(own)
    }

    /// What has come through by `now`, oldest first.
    pub fn landed(&mut self, now: Instant) -> Option<(Way, Vec<u8>)> {
        let now = self.moment(now);
        let Reverse(next) = self.flying.peek()?;
        if next.due > now {
            return None;
        }
        self.flying.pop().map(|Reverse(f)| (f.way, f.datagram))
    }

    /// When the next comes through.
    pub fn next(&self) -> Option<Instant> {
        let Reverse(next) = self.flying.peek()?;
        Some(self.began + std::time::Duration::from_nanos(next.due.0))
    }

    /// A peer is gone.
    pub fn forget(&mut self, peer: SocketAddr) {
        self.passages.retain(|(way, _), _| *way != Way::In(peer) && *way != Way::Out(peer));
        self.first_heard.remove(&peer);
        self.behind.remove(&peer);
    }
}

/// Another port after each move; none that is likely to be taken.
const fn moved(own: SocketAddr, times: u16) -> SocketAddr {
    SocketAddr::new(
        own.ip(),
        own.port().wrapping_add(times.wrapping_mul(7919)) | (times > 0) as u16,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn clear_weather_holds_nothing_up_and_bad_weather_does() {
        let weather = SharedWeather::new(Mutex::new(Weather::CLEAR));
        let mut air = Air::new(Arc::clone(&weather));
        let peer: SocketAddr = ([127, 0, 0, 1], 9).into();
        let start = Instant::now();
        assert!(!air.takes(start, Way::In(peer), Role::Publisher, b"a"));
        weather.lock().unwrap().publishers.delay_ms = 40;
        assert!(!air.takes(start, Way::Out(peer), Role::Viewer, b"v"), "viewers have fair weather");
        assert!(air.takes(start, Way::In(peer), Role::Publisher, b"b"));
        assert!(air.landed(start + Duration::from_millis(39)).is_none());
        assert_eq!(
            air.next(),
            Some(air.began + Duration::from_nanos(air.moment(start).0 + 40_000_000))
        );
        weather.lock().unwrap().publishers.delay_ms = 0;
        // What comes later must not overtake.
        assert!(air.takes(start, Way::In(peer), Role::Publisher, b"c"));
        let late = start + Duration::from_millis(41);
        assert_eq!(air.landed(late), Some((Way::In(peer), b"b".to_vec())));
        assert_eq!(air.landed(late), Some((Way::In(peer), b"c".to_vec())));
        assert!(air.landed(late).is_none() && air.next().is_none());
    }

    #[test]
    fn a_publisher_that_moved_is_reached_where_it_is_and_not_where_it_was() {
        let weather = SharedWeather::new(Mutex::new(Weather::CLEAR));
        let mut air = Air::new(Arc::clone(&weather));
        let peer = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert_eq!((air.outside(peer(9)), air.inside(peer(9))), (peer(9), Some(peer(9))));
        weather.lock().unwrap().moves = 1;
        let once = air.outside(peer(9));
        assert_ne!(once, peer(9));
        assert_eq!((air.inside(once), air.inside(peer(9))), (Some(peer(9)), None));
        // Whoever is first heard now has moved nowhere.
        assert_eq!((air.outside(peer(10)), air.inside(peer(10))), (peer(10), Some(peer(10))));
        weather.lock().unwrap().moves = 2;
        assert_ne!(air.outside(peer(9)), once);
        assert_eq!(air.inside(once), None);
        assert_eq!(air.inside(peer(77)), Some(peer(77)), "one that was never heard");
        air.forget(once);
        air.forget(peer(9));
        assert_eq!(air.outside(peer(9)), peer(9));
    }
}
