//! A publisher for tests: 30 stamped H.264 frames a second, made by hand, and a tone's worth of Opus packets,
//! sent by str0m.

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use hawker::{
    stage::clock::{mono_ns, this_boot},
    stats::Stamp,
};
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::SdpAnswer,
    media::{Direction, MediaKind, Mid, Pt},
    net::{Protocol, Receive},
    rtp::RtpWrite,
};

/// Baseline, level 3.1, 1280x720.
const SPS: [u8; 9] = sps();

const fn sps() -> [u8; 9] {
    // seq id 0, frame number 4 bits, order type 2, one reference, no gaps, 80 x 45 macroblocks, frames
    // only, 8x8 inference, no cropping, no VUI, stop bit; in Exp-Golomb.
    let bits = b"11011010000000010100000000010110111001";
    let mut nal = [0x67, 0x42, 0xc0, 0x1f, 0, 0, 0, 0, 0];
    let mut i = 0;
    while i < bits.len() {
        nal[4 + i / 8] |= (bits[i] - b'0') << (7 - i % 8);
        i += 1;
    }
    nal
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    pause: AtomicBool,
    key_requests: AtomicUsize,
}

pub struct Publisher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Publishes to a WHIP endpoint.
    pub async fn start(whip: &str, token: Option<&str>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let base = (COUNT.fetch_add(1, Ordering::Relaxed) as u64) << 32;
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .enable_h264(true)
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .set_rtcp_report_interval_audio(Duration::from_millis(500))
            .set_rtcp_report_interval_video(Duration::from_millis(500))
            .build(Instant::now());
        let candidate = Candidate::host(socket.local_addr().unwrap(), "udp").unwrap();
        rtc.add_local_candidate(candidate).unwrap();
        let mut api = rtc.sdp_api();
        let video = api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let audio = api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let (offer, pending) = api.apply().unwrap();
        let mut post = reqwest::Client::new().post(whip).header("content-type", "application/sdp");
        if let Some(token) = token {
            post = post.bearer_auth(token);
        }
        let answer = post.body(offer.to_sdp_string()).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let answer = SdpAnswer::from_sdp_string(&answer.text().await.unwrap()).unwrap();
        rtc.sdp_api().accept_answer(pending, answer).unwrap();
        let shared = Arc::new(Shared::default());
        let run = Run {
            rtc,
            socket,
            video: Some(video),
            audio: Some(audio),
            shared: Arc::clone(&shared),
            base,
        };
        Self { shared, thread: Some(std::thread::spawn(move || run.run())) }
    }

    /// Answers a viewer's offer as a WHEP server does that has these tracks alone; what it has not is refused.
    #[allow(dead_code, reason = "not every set of tests watches")]
    pub fn answer(offer: &str, picture: bool, sound: bool) -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .enable_h264(true)
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .set_rtcp_report_interval_audio(Duration::from_millis(500))
            .set_rtcp_report_interval_video(Duration::from_millis(500))
            .build(Instant::now());
        rtc.add_local_candidate(Candidate::host(socket.local_addr().unwrap(), "udp").unwrap())
            .unwrap();
        let offer = str0m::change::SdpOffer::from_sdp_string(offer).unwrap();
        let answer = rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
        let mid = |kind: &str| {
            let mut lines =
                answer.lines().skip_while(|line| !line.starts_with(&format!("m={kind}")));
            lines.find_map(|line| line.strip_prefix("a=mid:")).map(Mid::from)
        };
        let (video, audio) = (mid("video"), mid("audio"));
        let mut refused = false;
        let answer: String = answer
            .lines()
            .map(|line| {
                if line.starts_with("m=") {
                    refused = line.starts_with("m=video") && !picture
                        || line.starts_with("m=audio") && !sound;
                }
                match line {
                    _ if !refused => format!("{line}\r\n"),
                    "a=sendonly" => "a=inactive\r\n".to_owned(),
                    _ if line.starts_with("m=") => line.replace(" 9 ", " 0 ") + "\r\n",
                    _ => format!("{line}\r\n"),
                }
            })
            .collect();
        let shared = Arc::new(Shared::default());
        let run = Run {
            rtc,
            socket,
            video: video.filter(|_| picture),
            audio: audio.filter(|_| sound),
            shared: Arc::clone(&shared),
            base: 0,
        };
        (Self { shared, thread: Some(std::thread::spawn(move || run.run())) }, answer)
    }

    pub fn pause(&self, on: bool) {
        self.shared.pause.store(on, Ordering::Relaxed);
    }

    pub fn key_requests(&self) -> usize {
        self.shared.key_requests.load(Ordering::Relaxed)
    }

    pub fn stop(mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Run {
    rtc: Rtc,
    socket: UdpSocket,
    video: Option<Mid>,
    audio: Option<Mid>,
    shared: Arc<Shared>,
    base: u64,
}

impl Run {
    fn run(mut self) {
        let boot_id = this_boot();
        let (mut connected, mut key) = (false, true);
        let (mut seq, mut sound, mut frame) = (1000_u64, 500_u64, 0_u64);
        let begun = Instant::now();
        let mut next = begun;
        let mut buffer = [0; 2048];
        while !self.shared.stop.load(Ordering::Relaxed) && self.rtc.is_alive() {
            self.drain(&mut connected, &mut key);
            let now = Instant::now();
            if now >= next {
                next = now + Duration::from_millis(33);
                if connected && !self.shared.pause.load(Ordering::Relaxed) {
                    let wall_ns = 0;
                    let stamp = Stamp {
                        boot_id,
                        mono_ns: mono_ns(),
                        wall_ns,
                        frame: self.base + frame,
                        show: None,
                    };
                    let mut nals = vec![stamp.to_sei_nal()];
                    if std::mem::take(&mut key) {
                        nals.splice(0..0, [SPS.to_vec(), vec![0x68, 0xce, 0x3c, 0x80]]);
                        nals.extend([vec![0x7c, 0x85, 1, 2, 3], vec![0x7c, 0x45, 4, 5, 6]]);
                    } else {
                        nals.push([&[0x41][..], &[0x55; 1000]].concat());
                    }
                    let ms = begun.elapsed().as_millis() as u32;
                    let last = nals.len() - 1;
                    for (i, nal) in nals.into_iter().enumerate() {
                        let Some(video) = self.video else { break };
                        let rtp = RtpWrite::new(self.pt(video), seq.into(), ms * 90, now, nal);
                        self.write(video, rtp.marker(i == last).nackable(true));
                        self.drain(&mut connected, &mut key);
                        seq += 1;
                    }
                    if let Some(audio) = self.audio {
                        let pt = self.pt(audio);
                        let rtp = RtpWrite::new(pt, sound.into(), ms * 48, now, vec![0xfc; 40]);
                        self.write(audio, rtp.marker(true));
                    }
                    self.drain(&mut connected, &mut key);
                    sound += 1;
                    frame += 1;
                }
            }
            let wait = next.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(wait.min(Duration::from_millis(5)))).unwrap();
            if let Ok((n, source)) = self.socket.recv_from(&mut buffer)
                && let Ok(contents) = buffer[..n].try_into()
            {
                let destination = self.socket.local_addr().unwrap();
                let packet = Receive { proto: Protocol::Udp, source, destination, contents };
                self.rtc.handle_input(Input::Receive(Instant::now(), packet)).unwrap();
            } else {
                self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
            }
        }
        let _ = self.rtc.close();
        let _ = self.rtc.handle_input(Input::Timeout(Instant::now()));
        self.drain(&mut connected, &mut key);
    }

    fn pt(&self, mid: Mid) -> Pt {
        self.rtc.media(mid).unwrap().remote_pts()[0]
    }

    fn write(&mut self, mid: Mid, rtp: RtpWrite) {
        self.rtc.direct_api().stream_tx_by_mid(mid, None).unwrap().write_rtp(rtp);
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
    }

    fn drain(&mut self, connected: &mut bool, key: &mut bool) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(out) => {
                    let _ = self.socket.send_to(&out.contents, out.destination);
                }
                Output::Event(Event::Connected) => *connected = true,
                Output::Event(Event::KeyframeRequest(_)) => {
                    *key = true;
                    self.shared.key_requests.fetch_add(1, Ordering::Relaxed);
                }
                Output::Event(_) => {}
            }
        }
    }
}
