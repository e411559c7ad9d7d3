//! A wall clock for programs under test that can be set while they run: a small library, made here, that is loaded
//! into them. The machine's own clock is left alone.

use std::{fs::File, os::unix::fs::FileExt, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::process::{run, tool};

/// A wall clock, and who goes by it.
pub struct WallClock {
    offset: File,
    folder: TempDir,
}

impl WallClock {
    /// The right time.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/wall_clock.c");
        let mut made = tool("cc");
        made.args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(folder.path().join("clock.so"))
            .arg(source);
        let made = run(&mut made, 30);
        assert_eq!(made.code, 0, "{made:?}");
        let offset = File::create(folder.path().join("offset")).unwrap();
        let clock = Self { offset, folder };
        clock.set(0);
        clock
    }

    /// Sets it, so many seconds from the right time.
    pub fn set(&self, seconds: i64) {
        self.offset.write_all_at(&(seconds * 1_000_000_000).to_ne_bytes(), 0).unwrap();
    }

    /// Lets a command go by it, and what that starts.
    pub fn with<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", self.path("clock.so"))
            .env("WALL_CLOCK_OFFSET", self.path("offset"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
