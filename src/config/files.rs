//! Reads files that a user names. Only regular files are read, and no more of one than a bound: a pipe, a device or a
//! socket is refused without waiting for it, a file without an end does not fill the memory.
//!
//! A file on a storage that does not answer still blocks its reader. Who must not block reads through
//! `engine::files`.

use std::{
    fmt,
    fs::{self, File, FileType},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;

/// Why a file is not read.
#[derive(Debug)]
pub enum Unreadable {
    /// The system refuses.
    Io(io::Error),
    /// It is a directory.
    Directory,
    /// It is neither a file nor a directory: what it is, in words.
    Special(&'static str),
    /// It has more bytes than this.
    TooLarge(u64),
}

impl Unreadable {
    /// Whether there is nothing of that name.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(e) if e.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) if e.kind() == io::ErrorKind::NotFound => {
                f.write_str("there is no such file")
            }
            Self::Io(e) => e.fmt(f),
            Self::Directory => f.write_str("it is a directory"),
            Self::Special(what) => write!(f, "it is {what}, not a regular file"),
            Self::TooLarge(most) if most >> 20 > 0 => {
                write!(f, "it is larger than {} MiB", most >> 20)
            }
            Self::TooLarge(most) => write!(f, "it is larger than {} KiB", most >> 10),
        }
    }
}

impl std::error::Error for Unreadable {}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens a regular file to be read.
///
/// # Errors
/// It is none, or cannot be opened.
pub fn open_file(path: &Path) -> Result<File, Unreadable> {
    // Looked at before it is opened: to open a device may already do something.
    regular(fs::metadata(path)?.file_type())?;
    // What has taken its place meanwhile is not waited for.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options().read(true).custom_flags(flags.bits() as i32).open(path)?;
    regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// The bytes of a regular file that has at most `most` of them.
///
/// # Errors
/// It is none, cannot be read, or is larger.
pub fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, Unreadable> {
    let file = open_file(path)?;
    let mut bytes = Vec::new();
    // Its length says little: it is 0 for what the system makes up, and may grow.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(Unreadable::TooLarge(most)) } else { Ok(bytes) }
}

fn regular(kind: FileType) -> Result<(), Unreadable> {
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(Unreadable::Directory);
    }
    Err(Unreadable::Special(if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, time::Instant};

    use super::*;

    #[test]
    fn only_regular_files_are_read_and_nothing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "four").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(pipe.success());
        let _socket = UnixListener::bind(at("socket")).unwrap();
        let began = Instant::now();
        let why = |path: &Path| read_file(path, 4).map_err(|e| e.to_string());
        assert_eq!(why(&at("file")), Ok(b"four".to_vec()));
        assert_eq!(why(&at("link")), Ok(b"four".to_vec()));
        let said = [
            (at("none"), "there is no such file"),
            (dir.path().to_owned(), "it is a directory"),
            (at("pipe"), "it is a pipe, not a regular file"),
            (at("socket"), "it is a socket, not a regular file"),
            ("/dev/zero".into(), "it is a device, not a regular file"),
            ("/proc/self/environ".into(), "it is larger than 0 KiB"),
        ];
        for (path, words) in said {
            assert_eq!(why(&path), Err(words.to_owned()), "{}", path.display());
        }
        assert!(read_file(&at("file"), 3).is_err());
        assert!(began.elapsed().as_secs() < 2);
    }
}
