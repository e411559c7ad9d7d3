//! IRC servers that nobody here wrote, people who write there, and a cable that can be cut. Loopback only.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use crate::process::{Process, run, tool, until};

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A certificate for `localhost` in that folder: `cert.pem` and `key.pem`.
pub fn certificate(folder: &Path) {
    let mut openssl = tool("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3"]);
    openssl.arg("-keyout").arg(folder.join("key.pem")).arg("-out").arg(folder.join("cert.pem"));
    openssl.args([
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
    ]);
    assert_eq!(run(&mut openssl, 30).code, 0);
}

/// ngircd: a plain old server without tags, times and history, also over TLS.
pub struct Ngircd {
    pub process: Process,
    pub plain: u16,
    pub tls: u16,
}

impl Ngircd {
    pub fn at(folder: &Path, plain: u16, tls: u16) -> Self {
        let shown = folder.display();
        // It leaves root's rights behind, and must read the key all the same.
        let conf = folder.join("ngircd.conf");
        fs::write(
            &conf,
            format!(
                "[Global]\nName = irc.test.example\nInfo = test\nListen = 127.0.0.1\nPorts = {plain}\n\
                 MotdPhrase = hello\nAdminInfo1 = a\nAdminEMail = a@example\nServerUID = 0\nServerGID = 0\n\
                 [Limits]\nMaxNickLength = 20\nMaxConnectionsIP = 0\nPingTimeout = 120\n\
                 [Options]\nIdent = no\nDNS = no\nPAM = no\n\
                 [SSL]\nCertFile = {shown}/cert.pem\nKeyFile = {shown}/key.pem\nPorts = {tls}\n"
            ),
        )
        .unwrap();
        let mut command = tool("ngircd");
        command.arg("-n").arg("-f").arg(&conf);
        command.stdout(fs::File::create(folder.join("ngircd.log")).unwrap());
        let process = Process::start(&mut command);
        listens(plain);
        listens(tls);
        Self { process, plain, tls }
    }
}

/// InspIRCd with IRCv3 and a history of channels.
pub struct Inspircd {
    /// Ended when this is dropped.
    _process: Process,
    pub port: u16,
}

impl Inspircd {
    pub fn start(folder: &Path) -> Self {
        let (port, shown) = (free_port(), folder.display());
        let modules = [
            "ircv3",
            "cap",
            "ircv3_batch",
            "ircv3_servertime",
            "ircv3_msgid",
            "ircv3_echomessage",
            "ircv3_labeledresponse",
            "ircv3_ctctags",
            "ircv3_accounttag",
            "chanhistory",
        ];
        let modules = modules.map(|m| format!("<module name=\"{m}\">")).join("\n");
        let conf = folder.join("inspircd.conf");
        fs::write(
            &conf,
            format!(
                "<config format=\"xml\">\n\
                 <server name=\"irc.test.example\" description=\"t\" id=\"1AA\" network=\"Test\">\n\
                 <admin name=\"a\" nick=\"a\" email=\"a@example\">\n\
                 <bind address=\"127.0.0.1\" port=\"{port}\" type=\"clients\">\n\
                 <connect allow=\"*\" timeout=\"60\" pingfreq=\"2m\" threshold=\"100000\" commandrate=\"1000000\" \
                 fakelag=\"no\" recvq=\"1M\" softsendq=\"10M\" hardsendq=\"20M\" localmax=\"200\" globalmax=\"200\" \
                 maxconnwarn=\"no\" resolvehostnames=\"no\" useident=\"no\" limit=\"1000\">\n{modules}\
                 <chanhistory maxlines=\"200\" prefixmsg=\"no\" bots=\"yes\" enableumode=\"no\">\n\
                 <log method=\"file\" type=\"*\" level=\"default\" target=\"{shown}/inspircd.log\">\n\
                 <files motd=\"/dev/null\">\n<pid file=\"{shown}/inspircd.pid\">\n"
            ),
        )
        .unwrap();
        let mut command = tool("inspircd");
        command.arg(format!("--config={}", conf.display())).args(["--nofork", "--runasroot"]);
        command.stdout(fs::File::create(folder.join("inspircd.out")).unwrap());
        let process = Process::start(&mut command);
        listens(port);
        Self { _process: process, port }
    }
}

fn listens(port: u16) {
    until("the IRC server listens", 20, || {
        TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(|e| e.to_string())
    });
}

/// Somebody who writes in #shop.
pub struct Writer {
    to: TcpStream,
}

impl Writer {
    pub fn join(port: u16, nick: &str) -> Self {
        let to = TcpStream::connect(("127.0.0.1", port)).unwrap();
        to.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut from = BufReader::new(to.try_clone().unwrap());
        let mut writer = Self { to };
        writer.send(&format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n"));
        // A server of old closes on whoever joins before it has welcomed them.
        writer.wait(&mut from, " 001 ");
        writer.send("JOIN #shop\r\n");
        writer.wait(&mut from, " 366 ");
        let mut back = writer.to.try_clone().unwrap();
        thread::spawn(move || {
            let mut line = String::new();
            while from.read_line(&mut line).is_ok_and(|n| n > 0) {
                if let Some(word) = line.strip_prefix("PING ") {
                    let _ = back.write_all(format!("PONG {word}").as_bytes());
                }
                line.clear();
            }
        });
        writer
    }

    fn wait(&mut self, from: &mut BufReader<TcpStream>, for_: &str) {
        let mut line = String::new();
        for _ in 0..500 {
            line.clear();
            assert!(from.read_line(&mut line).unwrap() > 0, "the server closed");
            if let Some(word) = line.strip_prefix("PING ") {
                let pong = format!("PONG {word}");
                self.send(&pong);
            }
            if line.contains(for_) {
                return;
            }
        }
        panic!("no {for_}");
    }

    pub fn send(&mut self, raw: &str) {
        self.to.write_all(raw.as_bytes()).unwrap();
    }

    pub fn say(&mut self, text: &str) {
        self.send(&format!("PRIVMSG #shop :{text}\r\n"));
    }
}

type Ends = Arc<Mutex<Vec<TcpStream>>>;

/// A way to a server that can be cut, and mended again.
pub struct Cable {
    pub port: u16,
    ends: Ends,
    whole: Arc<Mutex<bool>>,
}

impl Cable {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ends, whole) = (Ends::default(), Arc::new(Mutex::new(true)));
        let (kept, stands) = (Arc::clone(&ends), Arc::clone(&whole));
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if !*stands.lock().unwrap() {
                    let _ = near.shutdown(Shutdown::Both);
                    continue;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                kept.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                let (back, forth) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || pass(near, far));
                thread::spawn(move || pass(forth, back));
            }
        });
        Self { port, ends, whole }
    }

    pub fn cut(&self) {
        *self.whole.lock().unwrap() = false;
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        *self.whole.lock().unwrap() = true;
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut part = [0; 4096];
    while let Ok(n) = from.read(&mut part) {
        if n == 0 || to.write_all(&part[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
