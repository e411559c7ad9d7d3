//! Servers that are not ours: nginx for RTMP, srt-live-transmit for SRT; and some that behave badly.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::process::{Process, tool, until};

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// nginx with its RTMP module; it writes every stream to a file.
pub struct Nginx {
    pub process: Process,
    pub port: u16,
    folder: PathBuf,
}

impl Nginx {
    pub fn start(folder: &Path) -> Self {
        Self::at(folder, free_port())
    }

    pub fn at(folder: &Path, port: u16) -> Self {
        fs::create_dir_all(folder).unwrap();
        let shown = folder.display();
        let conf = format!(
            "daemon off; master_process off; pid {shown}/pid; error_log {shown}/error.log info;\n\
             load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n\
             events {{ worker_connections 64; }}\n\
             rtmp {{ server {{ listen 127.0.0.1:{port}; access_log off;\n\
             application live {{ live on; record all; record_path {shown}; record_unique on; \
             record_suffix .flv; }} }} }}\n"
        );
        fs::write(folder.join("nginx.conf"), conf).unwrap();
        let mut command = tool("nginx");
        command.args(["-p", folder.to_str().unwrap(), "-c"]).arg(folder.join("nginx.conf"));
        let process = Process::start(&mut command);
        until("nginx listens", 10, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())
        });
        Self { process, port, folder: folder.to_owned() }
    }

    /// Everything it has written.
    pub fn files(&self) -> Vec<PathBuf> {
        with_extension(&self.folder, "flv")
    }
}

/// An SRT listener that writes what comes to a file.
pub struct SrtServer {
    pub process: Process,
    pub port: u16,
    pub file: PathBuf,
}

impl SrtServer {
    pub fn start(folder: &Path, passphrase: &str) -> Self {
        let (port, file) = (free_udp_port(), folder.join("srt.ts"));
        let url = format!("srt://127.0.0.1:{port}?mode=listener&passphrase={passphrase}");
        let mut command = tool("srt-live-transmit");
        command.args(["-q", &url, "file://con"]).stdout(fs::File::create(&file).unwrap());
        Self { process: Process::start(&mut command), port, file }
    }
}

/// Takes connections and never reads from one, or drops each at once.
pub struct BadServer {
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl BadServer {
    pub fn start(keeps: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut kept = Vec::new();
            while !stopped.load(Ordering::Acquire) {
                match listener.accept() {
                    Ok((stream, _)) if keeps => kept.push(stream),
                    Ok(_) => {}
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Self { port, stop, thread: Some(thread) }
    }
}

impl Drop for BadServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.take().map(JoinHandle::join);
    }
}

/// The files of a folder with that extension, by name.
pub fn with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}
