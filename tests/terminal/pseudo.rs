//! A pseudo-terminal of a test: what is written on it is read all the time, and its window can be closed.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize},
};

/// How long the reader rests when there is nothing.
const REST: Duration = Duration::from_millis(5);

/// A window of 120x36 with a terminal in it.
pub struct Pseudo {
    path: PathBuf,
    /// Held, so that the terminal outlives the programs in it; let go of with the window.
    kept: Option<File>,
    keys: Option<File>,
    seen: Arc<Mutex<Vec<u8>>>,
    closed: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Pseudo {
    pub fn open() -> Self {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let path = PathBuf::from(ptsname(&near, Vec::new()).unwrap().into_string().unwrap());
        let size = Winsize { ws_row: 36, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&near, size).unwrap();
        fcntl_setfl(&near, OFlags::NONBLOCK).unwrap();
        let seen = Arc::<Mutex<Vec<u8>>>::default();
        let closed = Arc::<AtomicBool>::default();
        let near = File::from(near);
        let keys = near.try_clone().unwrap();
        let (to, stop) = (Arc::clone(&seen), Arc::clone(&closed));
        let reader = thread::spawn(move || read(near, &to, &stop));
        let kept = Some(file(&path));
        Self { path, kept, keys: Some(keys), seen, closed, reader: Some(reader) }
    }

    /// The program's end.
    pub fn far(&self) -> Stdio {
        Stdio::from(OwnedFd::from(file(&self.path)))
    }

    pub fn press(&self, keys: &str) {
        self.keys.as_ref().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Closes the window: from now on every read and write in it fails.
    pub fn close(&mut self) {
        self.closed.store(true, Ordering::Release);
        self.reader.take().unwrap().join().unwrap();
        self.keys = None;
        self.kept = None;
    }

    /// Everything that was written so far.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    /// The same without control sequences.
    pub fn text(&self) -> String {
        let raw = self.raw();
        let mut text = String::new();
        let mut chars = raw.chars();
        while let Some(c) = chars.next() {
            if c != '\x1b' {
                text.push(c);
                continue;
            }
            // A CSI sequence ends with a letter; of others the next character is the end.
            if chars.next() == Some('[') {
                for c in chars.by_ref() {
                    if c.is_ascii_alphabetic() {
                        // What comes after a move of the cursor is elsewhere.
                        if c == 'H' {
                            text.push('\n');
                        }
                        break;
                    }
                }
            }
        }
        text
    }

    /// Lines and echo, as a shell wants them.
    pub fn is_cooked(&self) -> bool {
        let modes = tcgetattr(self.kept.as_ref().unwrap()).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }
}

impl Drop for Pseudo {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn file(path: &PathBuf) -> File {
    let noctty = i32::try_from(OFlags::NOCTTY.bits()).unwrap();
    OpenOptions::new().read(true).write(true).custom_flags(noctty).open(path).unwrap()
}

fn read(mut near: File, to: &Mutex<Vec<u8>>, stop: &AtomicBool) {
    let mut bytes = [0; 4096];
    while !stop.load(Ordering::Acquire) {
        match near.read(&mut bytes) {
            Ok(n) => to.lock().unwrap().extend_from_slice(&bytes[..n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => thread::sleep(REST),
            // Nobody has the other end: somebody may come.
            Err(_) => thread::sleep(REST),
        }
    }
}
