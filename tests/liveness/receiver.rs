//! A WHIP server on str0m that takes a show, and gives as many signs of life as it is told to.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig,
    change::SdpOffer,
    media::KeyframeRequestKind,
    net::{Protocol, Receive},
    rtp::{Extension, ExtensionMap},
};

/// What a server does and leaves undone.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// It reports on each packet (TWCC).
    pub packets: bool,
    /// It says so in its answer.
    pub promises: bool,
    /// How often it sends receiver reports, if it does.
    pub reports: Option<Duration>,
    /// It answers ICE checks once the session is up.
    pub answers_checks: bool,
    /// It sends no ICE checks of its own (ICE-lite).
    pub lite: bool,
    /// It lets a publisher go that has not sent an ICE check for so long.
    pub patience: Option<Duration>,
    /// It takes one publisher at a time, and says 403 to the next in the words of Meetecho's server.
    pub one: bool,
}

impl Manner {
    /// All signs.
    pub const FULL: Self = Self {
        packets: true,
        promises: true,
        reports: Some(Duration::from_secs(1)),
        answers_checks: true,
        lite: false,
        patience: None,
        one: false,
    };
}

/// What was seen.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// It goes with a word, or without.
    politely: AtomicBool,
    /// Media stop, and with them all signs; HTTP goes on.
    deaf: AtomicBool,
    /// Packets of media that came.
    media: AtomicU64,
    /// When ICE checks came after the session was up.
    checks: Mutex<Vec<Instant>>,
    /// Sessions that were let go for want of checks.
    let_go: AtomicU64,
    requests: Mutex<Vec<String>>,
    open: Mutex<Vec<String>>,
}

pub struct Receiver {
    pub url: String,
    shared: Arc<Shared>,
    http: Option<JoinHandle<()>>,
}

impl Receiver {
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/whip", listener.local_addr().unwrap());
        let shared = Arc::<Shared>::default();
        let ours = Arc::clone(&shared);
        let http = thread::spawn(move || serve(&listener, manner, &ours));
        Self { url, shared, http: Some(http) }
    }

    /// Packets of media so far.
    pub fn media(&self) -> u64 {
        self.shared.media.load(Ordering::Relaxed)
    }

    /// The times between the ICE checks that came.
    pub fn check_intervals(&self) -> Vec<Duration> {
        let checks = self.shared.checks.lock().unwrap();
        checks.windows(2).map(|two| two[1] - two[0]).collect()
    }

    pub fn let_go(&self) -> u64 {
        self.shared.let_go.load(Ordering::Relaxed)
    }

    /// The requests that came, as `METHOD path`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Every session stops receiving and reporting, as if its media process hung; HTTP goes on, and new ones work.
    pub fn deafen(&self) {
        self.shared.deaf.store(true, Ordering::Relaxed);
    }

    /// Gone without a word.
    pub fn kill(mut self) {
        self.end();
    }

    /// Closes its sessions in order: DTLS says so.
    pub fn close(mut self) {
        self.shared.politely.store(true, Ordering::Relaxed);
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(http) = self.http.take() {
            let _ = http.join();
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(listener: &TcpListener, manner: Manner, shared: &Arc<Shared>) {
    let mut sessions: Vec<JoinHandle<()>> = Vec::new();
    while !shared.stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => answer(stream, manner, shared, &mut sessions),
            Err(e) if e.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(5)),
            Err(e) => panic!("{e}"),
        }
    }
    for session in sessions {
        let _ = session.join();
    }
}

/// One request a connection.
fn answer(
    mut stream: TcpStream,
    manner: Manner,
    shared: &Arc<Shared>,
    sessions: &mut Vec<JoinHandle<()>>,
) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut bytes = Vec::new();
    let mut part = [0; 16 * 1024];
    let (head, body) = loop {
        match stream.read(&mut part) {
            // A connection that was opened ahead, and not used.
            Ok(0) | Err(_) => return,
            Ok(n) => bytes.extend_from_slice(&part[..n]),
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    shared.requests.lock().unwrap().push(format!("{method} {path}"));
    let (status, headers, body) = match method.as_str() {
        "POST" if manner.one && !shared.open.lock().unwrap().is_empty() => {
            let words = "Endpoint ID already in use".to_owned();
            ("403 Forbidden", "content-type: text/html; charset=utf-8\r\n".to_owned(), words)
        }
        "POST" => {
            let place = format!("/session/{}", shared.requests.lock().unwrap().len());
            let (sdp, session) = open(&body, manner, shared, &place);
            sessions.push(session);
            let headers = format!("content-type: application/sdp\r\nlocation: {place}\r\n");
            ("201 Created", headers, sdp)
        }
        "DELETE" => {
            shared.open.lock().unwrap().retain(|open| *open != path);
            ("200 OK", String::new(), String::new())
        }
        _ => ("405 Method Not Allowed", String::new(), String::new()),
    };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
}

/// Takes an offer: the answer, and the thread of the session.
fn open(
    offer: &str,
    manner: Manner,
    shared: &Arc<Shared>,
    place: &str,
) -> (String, JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut extensions = ExtensionMap::empty();
    if manner.packets {
        extensions.set(3, Extension::TransportSequenceNumber);
    }
    let never = Duration::from_hours(24);
    let config = RtcConfig::new()
        .clear_codecs()
        .enable_h264(true)
        .enable_opus(true, false)
        .set_rtp_mode(true)
        .set_ice_lite(manner.lite)
        .set_extension_map(extensions)
        .set_rtcp_report_interval_audio(manner.reports.unwrap_or(never))
        .set_rtcp_report_interval_video(manner.reports.unwrap_or(never));
    let mut rtc = config.build(Instant::now());
    rtc.add_local_candidate(Candidate::host(socket.local_addr().unwrap(), "udp").unwrap()).unwrap();
    let offer = SdpOffer::from_sdp_string(offer).unwrap();
    let mut sdp = rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
    if manner.promises && !sdp.contains("transport-cc") {
        sdp = sdp
            .lines()
            .flat_map(|line| {
                let video = line.starts_with("a=rtpmap:96 ");
                let promise = video.then_some("a=rtcp-fb:96 transport-cc");
                std::iter::once(line).chain(promise)
            })
            .flat_map(|line| [line, "\r\n"])
            .collect();
        assert!(sdp.contains("transport-cc"), "{sdp}");
    }
    shared.open.lock().unwrap().push(place.to_owned());
    let run =
        Run { rtc, socket, manner, shared: Arc::clone(shared), place: place.to_owned(), up: None };
    (sdp, thread::spawn(move || run.run()))
}

struct Run {
    rtc: Rtc,
    socket: UdpSocket,
    manner: Manner,
    shared: Arc<Shared>,
    place: String,
    up: Option<Instant>,
}

/// A STUN message of that type (RFC 8489, 5).
fn is_stun(bytes: &[u8], kind: u16) -> bool {
    bytes.len() >= 20 && bytes[..2] == kind.to_be_bytes() && bytes[4..8] == [0x21, 0x12, 0xa4, 0x42]
}

impl Run {
    fn run(mut self) {
        let deaf_before = self.shared.deaf.load(Ordering::Relaxed);
        let mut buffer = [0; 2048];
        let mut checked = Instant::now();
        let open = |run: &Self| run.shared.open.lock().unwrap().contains(&run.place);
        while !self.shared.stop.load(Ordering::Relaxed) && self.rtc.is_alive() && open(&self) {
            self.drain();
            self.socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            let got = self.socket.recv_from(&mut buffer);
            if self.shared.deaf.load(Ordering::Relaxed) && !deaf_before {
                continue;
            }
            if let Ok((n, source)) = got {
                if is_stun(&buffer[..n], 0x0001) {
                    checked = Instant::now();
                    if self.up.is_some() {
                        self.shared.checks.lock().unwrap().push(checked);
                    }
                }
                if let Ok(contents) = buffer[..n].try_into() {
                    let destination = self.socket.local_addr().unwrap();
                    let packet = Receive { proto: Protocol::Udp, source, destination, contents };
                    let _ = self.rtc.handle_input(Input::Receive(Instant::now(), packet));
                }
            } else {
                let _ = self.rtc.handle_input(Input::Timeout(Instant::now()));
            }
            if self.manner.patience.is_some_and(|patience| checked.elapsed() > patience) {
                self.shared.let_go.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        if self.shared.politely.load(Ordering::Relaxed) {
            let _ = self.rtc.close();
            let _ = self.rtc.handle_input(Input::Timeout(Instant::now()));
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Ok(output) = self.rtc.poll_output() {
            match output {
                Output::Timeout(_) => return,
                Output::Transmit(out) => {
                    let mute = self.up.is_some_and(|up| up.elapsed() > Duration::from_secs(1));
                    if !mute || self.manner.answers_checks || !is_stun(&out.contents, 0x0101) {
                        let _ = self.socket.send_to(&out.contents, out.destination);
                    }
                }
                Output::Event(Event::Connected) => self.up = Some(Instant::now()),
                Output::Event(Event::RtpPacket(packet)) => {
                    let count = self.shared.media.fetch_add(1, Ordering::Relaxed);
                    if count == 0 && self.manner.reports.is_some() {
                        let ssrc = packet.header.ssrc;
                        if let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc) {
                            stream.request_keyframe(KeyframeRequestKind::Pli);
                        }
                    }
                }
                Output::Event(_) => {}
            }
        }
    }
}
