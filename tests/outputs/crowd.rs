//! Ten outputs at once: four by WHIP, two by RTMP, two by SRT, two recordings, with the servers that are not WHIP's;
//! and whether every frame came.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::process::Signal;

use crate::{
    played::stamps,
    servers::{Nginx, SrtServer, with_extension},
};

const PASSPHRASE: &str = "hu5h-passphrase";

/// The outputs, in the order of the show file. The fourth is the one to flap, the sixth the one to stall.
pub const NAMES: [&str; 10] =
    ["whip-0", "whip-1", "whip-2", "flapping", "tv", "stalled", "near", "far", "mkv", "mp4"];

/// The servers of six of them, and where everything is written.
pub struct Crowd {
    root: PathBuf,
    tv: Nginx,
    stalled: Nginx,
    near: SrtServer,
    far: SrtServer,
}

impl Crowd {
    /// Starts the servers; everything is below that folder.
    pub fn start(root: &Path) -> Self {
        for folder in ["near", "far"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let word = root.join("word");
        fs::write(&word, PASSPHRASE).unwrap();
        fs::set_permissions(&word, fs::Permissions::from_mode(0o600)).unwrap();
        Self {
            root: root.to_owned(),
            tv: Nginx::start(&root.join("tv")),
            stalled: Nginx::start(&root.join("stalled")),
            near: SrtServer::start(&root.join("near"), PASSPHRASE),
            far: SrtServer::start(&root.join("far"), PASSPHRASE),
        }
    }

    /// The ten outputs as in a show file, with the addresses of the WHIP ingests.
    pub fn outputs(&self, whip: &[String; 4]) -> String {
        let root = self.root.display();
        let [whip_0, whip_1, whip_2, flapping] = whip;
        let rtmp = |n: &Nginx| format!("rtmp://127.0.0.1:{}/live/show", n.port);
        let srt = |s: &SrtServer| format!("srt://127.0.0.1:{}", s.port);
        let word = format!("passphrase = \"file:{root}/word\"\n");
        let record = |kind: &str| {
            format!("folder = \"{root}/{kind}\"\nkeep-free-mb = 10\ncontainer = \"{kind}\"\n")
        };
        let record_to = || "record".to_owned();
        let all = [
            (whip_0.clone(), String::new()),
            (whip_1.clone(), String::new()),
            (whip_2.clone(), String::new()),
            (flapping.clone(), String::new()),
            (rtmp(&self.tv), String::new()),
            (rtmp(&self.stalled), String::new()),
            (srt(&self.near), word.clone()),
            (srt(&self.far), word),
            (record_to(), record("mkv")),
            (record_to(), record("mp4")),
        ];
        let tables = NAMES.iter().zip(all);
        let tables: Vec<String> = tables
            .map(|(id, (to, more))| format!("[[output]]\nid = \"{id}\"\nto = \"{to}\"\n{more}"))
            .collect();
        tables.concat()
    }

    /// One of the RTMP servers takes nothing more.
    pub fn stall(&self) {
        self.stalled.process.signal(Signal::STOP);
    }

    /// Once the show is over: what came at the five servers and files that were well, by name; and the numbers of
    /// the key frames.
    pub fn end(mut self) -> (Vec<(&'static str, Vec<u64>)>, Vec<u64>) {
        self.near.process.stop();
        self.far.process.stop();
        let only = |files: Vec<PathBuf>| {
            assert_eq!(files.len(), 1, "begun anew: {files:?}");
            files.into_iter().next().unwrap()
        };
        let recorded = |kind: &str| only(with_extension(&self.root.join(kind), kind));
        let (mkv, keys) = stamps(&recorded("mkv"));
        let came = vec![
            ("tv", stamps(&only(self.tv.files())).0),
            ("near", stamps(&self.near.file).0),
            ("far", stamps(&self.far.file).0),
            ("mkv", mkv),
            ("mp4", stamps(&recorded("mp4")).0),
        ];
        (came, keys)
    }
}

/// How many frames of those from the first to the last of this span did not come.
pub fn lost(numbers: &[u64], from: u64, to: u64) -> u64 {
    let mut came: Vec<u64> = numbers.iter().copied().filter(|n| (from..=to).contains(n)).collect();
    came.sort_unstable();
    came.dedup();
    to - from + 1 - came.len() as u64
}

/// The most key frames that lie within that many frames of each other.
pub fn densest(keys: &[u64], within: u64) -> usize {
    let near = |n: usize| keys[n..].iter().take_while(|k| **k - keys[n] < within).count();
    (0..keys.len()).map(near).max().unwrap_or(0)
}
