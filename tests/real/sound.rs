//! A real sound server, private, gone with the test.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::process::{Process, run, tool, until};

/// A PulseAudio server with one sink that nobody hears: `desk`. Its monitor is a microphone.
pub struct SoundServer {
    _process: Process,
    folder: TempDir,
}

impl SoundServer {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("pulse");
        let mut command = tool("pulseaudio");
        command
            .args("-n --daemonize=no --use-pid-file=no --exit-idle-time=-1".split(' '))
            .args("--realtime=no --high-priority=no --disable-shm=yes".split(' '))
            .arg("-L")
            .arg(format!(
                "module-native-protocol-unix socket={} auth-anonymous=1",
                socket.display()
            ))
            .args(["-L", "module-null-sink sink_name=desk rate=48000 channels=2"]);
        for name in ["HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH"] {
            command.env(name, folder.path());
        }
        let process = Process::start(command.env_remove("PULSE_SERVER"));
        let server = Self { _process: process, folder };
        until("the sound server", 15, || {
            let listed = run(server.with(tool("pactl").args(["list", "short", "sources"])), 5);
            if listed.out.contains("desk.monitor") { Ok(()) } else { Err(format!("{listed:?}")) }
        });
        server
    }

    /// Lets a command use this server.
    pub fn with<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.names())
    }

    /// Where it is, as the environment says it.
    pub fn names(&self) -> [(&'static str, String); 2] {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        [("PULSE_SERVER", format!("unix:{}", at("pulse"))), ("PULSE_COOKIE", at("cookie"))]
    }

    /// The loudest sample that comes to the desk in three tenths of a second; full scale is 1.
    #[track_caller]
    pub fn loudness(&self) -> f64 {
        const BYTES: u64 = 48_000 * 2 * 3 / 10;
        let listen = "parec --device=desk.monitor --format=s16le --rate=48000 --channels=1";
        let mut command = tool("timeout");
        command.args(["10", "sh", "-c", &format!("{listen} | head -c {BYTES}")]);
        let out = self.with(&mut command).stdout(Stdio::piped()).output().unwrap().stdout;
        assert_eq!(out.len() as u64, BYTES, "nothing was listened to");
        let samples = out.chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]]));
        samples.map(|s| f64::from(s).abs() / 32768.0).fold(0.0, f64::max)
    }

    /// Speaks a sentence into the desk, to its end.
    #[track_caller]
    pub fn speak(&self, sentence: &str) {
        let file = self.folder.path().join("speech.wav");
        let said = run(tool("espeak-ng").arg("-w").arg(&file).arg(sentence), 20);
        assert_eq!(said.code, 0, "{said:?}");
        let played = run(self.with(tool("paplay").arg("--device=desk").arg(&file)), 30);
        assert_eq!(played.code, 0, "{played:?}");
    }
}
