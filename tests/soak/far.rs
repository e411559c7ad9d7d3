//! Processes of their own that the soak can kill and stop: an ingest, and a console. Each is this test binary
//! again, and ends when whoever started it does.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use hawker::{
    engine::Look,
    flow::Path,
    remote,
    stage::{Stage, StageOptions, Weather},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{plan::Mood, process::Process};

const PORT: &str = "HAWKER_SOAK_INGEST";
const SOCKET: &str = "HAWKER_SOAK_CONSOLE";

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Order {
    mood: Mood,
    path: Path,
}

/// What an ingest has.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Told {
    pub publishing: bool,
    pub packets: u64,
    pub key_frames: u64,
}

fn again(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env_remove("G_DEBUG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// An ingest in a process of its own.
pub struct Ingest {
    pub process: Process,
    pub port: u16,
    told: Arc<Mutex<Told>>,
}

impl Ingest {
    pub fn at(port: u16) -> Self {
        let mut process = Process::start(again("an_ingest").env(PORT, port.to_string()));
        let told = Arc::<Mutex<Told>>::default();
        let (out, keep) = (process.child.stdout.take().unwrap(), Arc::clone(&told));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                // The test harness has its own words on this line.
                let json = line.find('{').map(|at| &line[at..]);
                if let Some(now) = json.and_then(|json| serde_json::from_str(json).ok()) {
                    *keep.lock().unwrap() = now;
                }
            }
        });
        Self { process, port, told }
    }

    pub fn told(&self) -> Told {
        *self.told.lock().unwrap()
    }

    pub fn order(&mut self, mood: Mood, path: Path) {
        let line = serde_json::to_string(&Order { mood, path }).unwrap();
        let to = self.process.child.stdin.as_mut().unwrap();
        writeln!(to, "{line}").unwrap();
    }
}

/// The ingest's side. Without its port it is no ingest but a test that was run by hand.
pub async fn serve() {
    let Some(port) = env::var(PORT).ok().and_then(|p| p.parse::<u16>().ok()) else { return };
    let stage = Stage::start(StageOptions::default()).await.unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (mood, moods) = watch::channel(Mood::Well);
    let to = stage.address().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(door(stream, to, moods.clone()));
        }
    });
    let (give, mut orders) = tokio::sync::mpsc::channel(8);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if give.blocking_send(serde_json::from_str::<Order>(&line).unwrap()).is_err() {
                return;
            }
        }
    });
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order { mood: now, path }) => {
                    stage.set_weather(Weather { publishers: path, ..Weather::CLEAR });
                    mood.send_replace(now);
                }
                None => return stage.stop().await,
            },
            _ = tick.tick() => {
                let f = stage.figures();
                let told =
                    Told { publishing: f.publishing, packets: f.packets, key_frames: f.key_frames };
                println!("{}", serde_json::to_string(&told).unwrap());
            }
        }
    }
}

/// The ingest's answers without the extension that transport-wide feedback needs. Its length stays.
async fn without_feedback(mut from: TcpStream, to: &mut TcpStream) -> std::io::Result<()> {
    const EXTENSION: &[u8] = b"transport-wide-cc-extensions";
    let (mut part, mut other) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = to.read(&mut other) => match read? {
                0 => return Ok(()),
                n => from.write_all(&other[..n]).await?,
            },
            read = from.read(&mut part) => {
                let n = read?;
                if n == 0 {
                    return Ok(());
                }
                let mut bytes = part[..n].to_vec();
                for at in 0..n.saturating_sub(EXTENSION.len()) {
                    if bytes[at..].starts_with(EXTENSION) {
                        bytes[at..at + EXTENSION.len()].fill(b'x');
                    }
                }
                to.write_all(&bytes).await?;
            }
        }
    }
}

async fn door(mut stream: TcpStream, to: u16, mut moods: watch::Receiver<Mood>) {
    let mood = *moods.borrow_and_update();
    let answer = match mood {
        Mood::Well => {
            let Ok(mut there) = TcpStream::connect(("127.0.0.1", to)).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut stream, &mut there) => {}
                _ = moods.changed() => {}
            }
            return;
        }
        // The offer is changed on its way: the ingest then agrees to nothing.
        Mood::ReportsOnly => {
            let Ok(mut there) = TcpStream::connect(("127.0.0.1", to)).await else { return };
            let _ = without_feedback(stream, &mut there).await;
            return;
        }
        Mood::Taken => "HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n",
        Mood::Busy => {
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
        }
        Mood::NotFound => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        Mood::Garbage => {
            "HTTP/1.1 201 Created\r\ncontent-type: application/sdp\r\nlocation: /whip/x\r\n\
             content-length: 12\r\n\r\nv=0\r\nnot SDP"
        }
        Mood::Noise => "\u{1}\u{2}ping\r\n\r\n",
    };
    let mut request = vec![0; 65_536];
    let _ = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut request)).await;
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// A console that looks at the show's picture, at that socket.
pub fn console(socket: &std::path::Path) -> Process {
    Process::start(again("a_console").env(SOCKET, socket).stdout(Stdio::null()))
}

/// The console's side.
pub async fn look() {
    let Some(socket) = env::var_os(SOCKET) else { return };
    let mut handle = remote::attach(std::path::Path::new(&socket)).await.unwrap();
    handle.look(Some(Look { width: 160, height: 90 })).await;
    let (gone, over) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut line = String::new();
        while std::io::stdin().read_line(&mut line).is_ok_and(|n| n > 0) {}
        drop(gone);
    });
    tokio::select! {
        _ = over => {}
        () = async { while handle.picture.changed().await.is_ok() {} } => {}
    }
}
