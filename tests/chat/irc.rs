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
                 [Limits]\nMaxNickLength = 20\nMaxConnectionsIP = 0\nPingTimeout = 120\nMaxPenaltyTime = 0\n\
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
    /// Where other servers connect.
    pub servers: u16,
    /// Over TLS, where there is a certificate in its folder.
    pub tls: u16,
}

/// Another server, as one server is told of it.
pub struct Peer<'a> {
    pub name: &'a str,
    /// Where it is connected to, by the one that does it.
    pub port: Option<u16>,
}

impl Inspircd {
    /// Alone.
    pub fn start(folder: &Path) -> Self {
        Self::linked(folder, "irc.test.example", None)
    }

    /// In a network with another, if there is one. Where that is a server of services, accounts come from it.
    pub fn linked(folder: &Path, name: &str, peer: Option<Peer>) -> Self {
        let (port, servers, tls, shown) = (free_port(), free_port(), free_port(), folder.display());
        let mut modules = vec![
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
        let (mut link, mut id, mut own_tls) = (String::new(), "1AA", String::new());
        if let Some(Peer { name: peer, port: at }) = peer {
            modules.extend(["spanningtree", "services_account", "sasl"]);
            let connects = match at {
                Some(_) => format!("<autoconnect period=\"1\" server=\"{peer}\">\n"),
                None => String::new(),
            };
            id = if at.is_some() { "1AA" } else { "2BB" };
            link = format!(
                "<bind address=\"127.0.0.1\" port=\"{servers}\" type=\"servers\">\n\
                 <sasl target=\"services.test.example\" requiressl=\"yes\">\n\
                 <uline server=\"services.test.example\" silent=\"yes\">\n\
                 <link name=\"{peer}\" ipaddr=\"127.0.0.1\" port=\"{}\" allowmask=\"127.0.0.0/8\" \
                 sendpass=\"between-servers\" recvpass=\"between-servers\" timeout=\"5s\">\n{connects}",
                at.unwrap_or(1)
            );
        }
        if folder.join("cert.pem").exists() {
            modules.push("ssl_gnutls");
            own_tls = format!(
                "<sslprofile name=\"own\" provider=\"gnutls\" certfile=\"{shown}/cert.pem\" keyfile=\"{shown}/key.pem\">\n\
                 <bind address=\"127.0.0.1\" port=\"{tls}\" type=\"clients\" sslprofile=\"own\">\n"
            );
        }
        let modules: Vec<String> =
            modules.iter().map(|m| format!("<module name=\"{m}\">\n")).collect();
        let modules = modules.concat();
        let conf = folder.join(format!("{name}.conf"));
        fs::write(
            &conf,
            format!(
                "<config format=\"xml\">\n\
                 <server name=\"{name}\" description=\"t\" id=\"{id}\" network=\"Test\">\n\
                 <admin name=\"a\" nick=\"a\" email=\"a@example\">\n\
                 <bind address=\"127.0.0.1\" port=\"{port}\" type=\"clients\">\n\
                 <connect allow=\"*\" timeout=\"60\" pingfreq=\"2m\" threshold=\"100000\" commandrate=\"1000000\" \
                 fakelag=\"no\" recvq=\"1M\" softsendq=\"10M\" hardsendq=\"20M\" localmax=\"200\" globalmax=\"200\" \
                 maxconnwarn=\"no\" resolvehostnames=\"no\" useident=\"no\" limit=\"1000\">\n{modules}{link}{own_tls}\
                 <chanhistory maxlines=\"200\" prefixmsg=\"no\" bots=\"yes\" enableumode=\"no\">\n\
                 <log method=\"file\" type=\"*\" level=\"default\" target=\"{shown}/{name}.log\">\n\
                 <files motd=\"/dev/null\">\n<pid file=\"{shown}/{name}.pid\">\n"
            ),
        )
        .unwrap();
        let mut command = tool("inspircd");
        command.arg(format!("--config={}", conf.display())).args(["--nofork", "--runasroot"]);
        command.stdout(fs::File::create(folder.join(format!("{name}.out"))).unwrap());
        let process = Process::start(&mut command);
        listens(port);
        Self { _process: process, port, servers, tls }
    }
}

/// Atheme: accounts for a network.
pub struct Services {
    /// Ended when this is dropped.
    _process: Process,
}

impl Services {
    /// What the network is told of it.
    pub const PEER: Peer<'static> = Peer { name: "services.test.example", port: None };

    /// For `irc.test.example`, which listens for servers there.
    pub fn at(folder: &Path, servers: u16) -> Self {
        let conf = folder.join("atheme.conf");
        let service = |name: &str| {
            format!(
                "{} {{ nick = \"{name}\"; user = \"{name}\"; host = \"services.test.example\"; real = \"s\"; }};\n",
                name.to_lowercase()
            )
        };
        let modules = [
            "protocol/inspircd",
            "backend/opensex",
            "crypto/pbkdf2",
            "nickserv/main",
            "nickserv/register",
            "saslserv/main",
            "saslserv/plain",
        ];
        let modules = modules.map(|m| format!("loadmodule \"modules/{m}\";\n")).concat();
        fs::write(
            &conf,
            format!(
                "{modules}\
                 serverinfo {{ name = \"services.test.example\"; desc = \"s\"; numeric = \"00A\"; recontime = 1; \
                 netname = \"Test\"; hidehostsuffix = \"users\"; adminname = \"a\"; adminemail = \"a@test.example\"; \
                 registeremail = \"n@test.example\"; mta = \"/bin/true\"; auth = none; }};\n\
                 uplink \"irc.test.example\" {{ host = \"127.0.0.1\"; password = \"between-servers\"; port = {servers}; }};\n\
                 {}{}",
                service("NickServ"),
                service("SaslServ")
            ),
        )
        .unwrap();
        let mut command = tool("atheme-services");
        command.args(["-n", "-c"]).arg(&conf).arg("-D").arg(folder);
        command.arg("-l").arg(folder.join("atheme.log")).arg("-p").arg(folder.join("atheme.pid"));
        command.stdout(fs::File::create(folder.join("atheme.out")).unwrap());
        Self { _process: Process::start(&mut command) }
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
    heard: Arc<Mutex<Vec<String>>>,
}

impl Writer {
    pub fn join(port: u16, nick: &str) -> Self {
        let to = TcpStream::connect(("127.0.0.1", port)).unwrap();
        to.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut from = BufReader::new(to.try_clone().unwrap());
        let mut writer = Self { to, heard: Arc::default() };
        writer.send(&format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n"));
        // A server of old closes on whoever joins before it has welcomed them.
        writer.wait(&mut from, " 001 ");
        writer.send("JOIN #shop\r\n");
        writer.wait(&mut from, " 366 ");
        let (mut back, heard) = (writer.to.try_clone().unwrap(), Arc::clone(&writer.heard));
        thread::spawn(move || {
            let mut line = String::new();
            while from.read_line(&mut line).is_ok_and(|n| n > 0) {
                if let Some(word) = line.strip_prefix("PING ") {
                    let _ = back.write_all(format!("PONG {word}").as_bytes());
                }
                heard.lock().unwrap().push(line.trim_end().to_owned());
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

    /// How many lines came since it joined that hold this.
    pub fn heard(&self, what: &str) -> usize {
        self.heard.lock().unwrap().iter().filter(|line| line.contains(what)).count()
    }

    /// Waits until a line that holds this has come so often.
    #[track_caller]
    pub fn hears(&self, what: &str, times: usize) {
        until(what, 20, || match self.heard(what) {
            n if n >= times => Ok(()),
            _ => Err(self.heard.lock().unwrap().join("\n")),
        });
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
