//! IRC with real servers (ngircd, InspIRCd, Atheme): accounts over TLS, netsplits, and what hawker writes. Loopback only;
//! every wait is for a condition, and bounded.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says it by failing")]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "chat/irc.rs"]
mod irc;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;

use std::{collections::BTreeMap, path::Path, time::Duration};

use hawker::{
    base::{Secret, SecretRef, SourceId},
    chat::{
        Author, Message, Platform, PlatformAction, Removal, Text, Update,
        control::ControlSpec,
        irc::{Session, Settings},
        send::{Answer, Failure},
        spec::{ChatSpec, Service, Transport},
        told::Status,
    },
    engine::{chat::Hub, files::Files},
    link::{
        Authorities,
        chat::{self as link, Clock, Ended, Order, Report, Reports},
    },
};
use irc::{Cable, Inspircd, Ngircd, Peer, Services, Writer, certificate, free_port};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

/// Long enough for a busy machine; what does not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(25);

async fn within<T>(what: &str, doing: impl Future<Output = T>) -> T {
    timeout(PATIENCE, doing).await.unwrap_or_else(|_| panic!("{what} did not come in time"))
}

/// Us, in #shop.
struct Us {
    orders: mpsc::Sender<Order>,
    reports: mpsc::Receiver<Report>,
    serving: JoinHandle<Ended>,
    number: u64,
    messages: Vec<Message>,
    answers: Vec<(u64, Answer)>,
    updates: Vec<Update>,
}

/// How an account is shown.
struct Login {
    password: &'static str,
    ca: Authorities,
}

impl Us {
    fn connect(port: u16, login: Option<Login>) -> Self {
        let (orders, mut taken) = mpsc::channel(16);
        let (give, reports) = mpsc::channel(256);
        let serving = tokio::spawn(async move {
            let id: SourceId = "net".parse().unwrap();
            let account = login.as_ref().map(|_| "lan");
            let settings = Settings::new(id, "hawker", account, &["#shop"]).unwrap();
            let password = login.as_ref().map(|login| Secret::new(login.password));
            let server = format!("localhost:{port}").parse().unwrap();
            let network = link::irc::Network {
                server: &server,
                transport: if login.is_some() { Transport::Tls } else { Transport::Tcp },
                ca: login.as_ref().map(|login| &login.ca),
                password: password.as_ref(),
            };
            let (mut session, clock) = (Session::new(settings), Clock::default());
            let reports = Reports::new(give);
            link::irc::serve(&network, &mut session, &clock, &reports, &mut taken).await
        });
        let (messages, answers, updates) = (Vec::new(), Vec::new(), Vec::new());
        Self { orders, reports, serving, number: 0, messages, answers, updates }
    }

    async fn join(port: u16) -> Self {
        let mut us = Self::connect(port, None);
        us.until("the channel is read", |report| (*report == Report::Live).then_some(())).await;
        us
    }

    async fn until<T>(&mut self, what: &str, wanted: impl Fn(&Report) -> Option<T>) -> T {
        within(what, async {
            loop {
                let report = self.reports.recv().await.unwrap_or_else(|| panic!("{what}: ended"));
                match &report {
                    Report::Update(Update::Message(message)) => {
                        self.messages.push((**message).clone());
                    }
                    Report::Update(update) => self.updates.push(update.clone()),
                    Report::Answered { order, answer } => {
                        self.answers.push((*order, answer.clone()));
                    }
                    _ => {}
                }
                if let Some(found) = wanted(&report) {
                    return found;
                }
            }
        })
        .await
    }

    /// Has it done; the answer.
    async fn order(&mut self, action: PlatformAction) -> Answer {
        self.number += 1;
        let number = self.number;
        self.orders.send(Order { number, action }).await.unwrap();
        self.until("the answer", |report| match report {
            Report::Answered { order, answer } if *order == number => Some(answer.clone()),
            _ => None,
        })
        .await
    }

    async fn say(&mut self, text: &str) -> Answer {
        let text = text.to_owned();
        self.order(PlatformAction::Say { text, channel: None, reply_to: None }).await
    }

    /// Until that was said by somebody else.
    async fn hears(&mut self, said: &str) {
        self.until(said, |report| match report {
            Report::Update(Update::Message(message)) => {
                (message.text.as_str() == said).then_some(())
            }
            _ => None,
        })
        .await;
    }

    fn own(&self, said: &str) -> Vec<&Message> {
        self.messages.iter().filter(|m| m.text.as_str() == said && m.own).collect()
    }
}

fn user(nick: &str) -> Author {
    Author { id: None, name: Text::name(nick), login: None, badges: Vec::new() }
}

fn ban(nick: &str) -> PlatformAction {
    PlatformAction::Ban { user: user(nick), reason: "spam".into(), channel: Some("#shop".into()) }
}

/// Writes and bans on a server, however it answers.
async fn writes(port: u16, folder: &Path) {
    // Who comes first is the operator.
    let mut lan = Writer::join(port, "lan");
    let mut us = Us::join(port).await;
    let taken = us.say("xin chào 👋🏽").await;
    assert!(matches!(taken, Answer::Taken(Some(_))), "{taken:?} {}", folder.display());
    lan.hears("PRIVMSG #shop :xin chào 👋🏽", 1);
    // What is not allowed is answered with the server's words, and is not shown as said.
    lan.send("MODE #shop +m\r\n");
    lan.hears("MODE #shop", 1);
    let Answer::Dropped { code, text } = us.say("not heard").await else {
        panic!("{:?}", us.answers)
    };
    assert_eq!(code.as_str(), "404");
    assert!(text.as_str().to_lowercase().contains("send"), "{text}");
    lan.send("MODE #shop -m\r\n");
    let spam = Writer::join(port, "spam");
    let Answer::Dropped { code, text } = us.order(ban("spam")).await else {
        panic!("{:?}", us.answers)
    };
    assert_eq!(code.as_str(), "482");
    assert!(text.as_str().contains("channel op"), "{text}");
    assert_eq!(spam.heard(" KICK "), 0, "nobody is removed");
    lan.send("MODE #shop +o hawker\r\n");
    lan.hears("+o", 1);
    assert_eq!(us.order(ban("spam")).await, Answer::Taken(None));
    lan.hears("KICK #shop spam :spam", 1);
    lan.hears("spam!*@*", 1);
    let banned =
        Update::UserCleared { id: None, name: Some(Text::name("spam")), removal: Removal::Banned };
    assert!(us.updates.contains(&banned), "{:?}", us.updates);
    let lift = PlatformAction::Lift { user: user("spam"), channel: None };
    assert_eq!(us.order(lift.clone()).await, Answer::Taken(None));
    assert_eq!(us.order(lift).await, Answer::Taken(None), "there is none any more");
    lan.hears("-b", 1);
    let time_out = PlatformAction::TimeOut {
        user: user("spam"),
        length: Duration::from_mins(1),
        reason: String::new(),
        channel: None,
    };
    assert_eq!(us.order(time_out).await, Answer::Failed(Failure::NotAllowed));
    // In order, once, and by nobody but us.
    lan.say("the end");
    us.hears("the end").await;
    assert_eq!(us.own("xin chào 👋🏽").len(), 1);
    assert_eq!(us.own("not heard").len(), 0);
    assert_eq!(us.messages.iter().filter(|m| m.own).count(), 1, "{:?}", us.messages);
    let Some((_, Answer::Taken(Some(id)))) = us.answers.first() else { panic!() };
    assert_eq!(*id, us.own("xin chào 👋🏽")[0].id, "the answer names the line");
    assert_eq!(us.answers.len() as u64, us.number, "one answer each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_and_a_ban_are_answered_by_a_server_without_an_echo() {
    let place = TempDir::new().unwrap();
    certificate(place.path());
    let server = Ngircd::at(place.path(), free_port(), free_port());
    writes(server.plain, place.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_and_a_ban_are_answered_by_a_server_with_an_echo() {
    let place = TempDir::new().unwrap();
    let server = Inspircd::start(place.path());
    writes(server.port, place.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_when_the_server_dies_is_answered_as_lost() {
    let place = TempDir::new().unwrap();
    certificate(place.path());
    let mut server = Ngircd::at(place.path(), free_port(), free_port());
    let mut us = Us::join(server.plain).await;
    // It answers nothing any more, and takes what is sent.
    server.process.signal(rustix::process::Signal::STOP);
    let text = "anybody?".to_owned();
    let action = PlatformAction::Say { text, channel: None, reply_to: None };
    us.orders.send(Order { number: 1, action }).await.unwrap();
    within("the order's turn", async {
        while us.orders.capacity() < us.orders.max_capacity() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    server.process.kill();
    let answer = us
        .until("the answer", |report| match report {
            Report::Answered { order: 1, answer } => Some(answer.clone()),
            _ => None,
        })
        .await;
    assert_eq!(answer, Answer::Failed(Failure::Network));
    assert!(us.own("anybody?").is_empty());
    let ended = within("the end", us.serving).await.unwrap();
    assert!(!ended.lasting, "{ended}");
}

/// A network with accounts, and one of them: `lan` with `geheim-123`.
fn accounts(folder: &Path) -> (Inspircd, Services) {
    certificate(folder);
    let server = Inspircd::linked(folder, "irc.test.example", Some(Services::PEER));
    let services = Services::at(folder, server.servers);
    let mut lan = Writer::join(server.port, "lan");
    process::until("the account is made", 20, || {
        lan.send("PRIVMSG NickServ :REGISTER geheim-123 lan@test.example\r\n");
        if lan.heard("registered") > 0 { Ok(()) } else { Err("services are not there".into()) }
    });
    (server, services)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_logged_in_with_its_password_only() {
    let place = TempDir::new().unwrap();
    let (server, _services) = accounts(place.path());
    let ca = Authorities::read(&place.path().join("cert.pem")).unwrap();
    let right = Login { password: "geheim-123", ca: ca.clone() };
    let mut us = Us::connect(server.tls, Some(right));
    us.until("the channel is read", |report| (*report == Report::Live).then_some(())).await;
    let mut bo = Writer::join(server.port, "bo");
    bo.send("WHOIS hawker\r\n");
    // 330: is logged in as.
    bo.hears(" 330 bo hawker lan ", 1);
    assert!(matches!(us.say("as lan").await, Answer::Taken(_)));
    us.say("and again").await;
    let own = us.own("as lan");
    let account = own[0].author.id.as_ref().map(ToString::to_string);
    assert_eq!(account.as_deref(), Some("lan"), "{own:?}");
    let wrong = Us::connect(server.tls, Some(Login { password: "geheim-124", ca }));
    let ended = within("the end", wrong.serving).await.unwrap();
    assert!(ended.lasting, "{ended}");
    assert!(ended.why.contains("refused the login; check the account"), "{ended}");
    assert!(!ended.why.contains("geheim"), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_netsplit_loses_and_deletes_nothing_of_ours() {
    let place = TempDir::new().unwrap();
    let far = Peer { name: "near.test.example", port: None };
    let far = Inspircd::linked(place.path(), "far.test.example", Some(far));
    let cable = Cable::to(far.servers);
    let near = Peer { name: "far.test.example", port: Some(cable.port) };
    let near = Inspircd::linked(place.path(), "near.test.example", Some(near));
    let mut lan = Writer::join(near.port, "lan");
    let mut bo = Writer::join(far.port, "bo");
    lan.hears(":bo!", 1);
    let mut us = Us::join(near.port).await;
    bo.say("from afar");
    us.hears("from afar").await;
    let before = lan.heard("JOIN");
    cable.cut();
    lan.hears(":bo!bo@127.0.0.1 QUIT :near.test.example far.test.example", 1);
    lan.say("during the split");
    us.hears("during the split").await;
    bo.say("on the other side");
    assert!(matches!(us.say("we are here").await, Answer::Taken(_)));
    cable.mend();
    lan.hears("JOIN", before + 1);
    for n in 0..3 {
        bo.say(&format!("back {n}"));
        lan.say(&format!("here {n}"));
    }
    us.hears("back 2").await;
    lan.say("the end");
    us.hears("the end").await;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for message in &us.messages {
        *counts.entry(message.text.as_str()).or_default() += 1;
    }
    assert_eq!(counts.len(), 10, "{counts:?}");
    assert!(counts.values().all(|n| *n == 1), "{counts:?}");
    assert!(!counts.contains_key("on the other side"));
    assert_eq!(us.updates, [], "nothing was deleted, and nobody cleared");
    assert!(us.messages.iter().all(|message| !message.backlog), "{:?}", us.messages);
}

fn spec(service: Service) -> ChatSpec {
    ChatSpec::new("net".parse().unwrap(), service)
}

/// Waits for a state of the only source.
async fn state(hub: &Hub, what: &str, is: impl Fn(&Status) -> bool) -> Status {
    let mut sources = hub.look().sources;
    within(what, async {
        loop {
            let status = sources.borrow_and_update()[0].status.clone();
            if is(&status) {
                return status;
            }
            sources.changed().await.unwrap();
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_written_late_is_read_then() {
    let place = TempDir::new().unwrap();
    certificate(place.path());
    let server = Ngircd::at(place.path(), free_port(), free_port());
    let late = SecretRef::File(place.path().join("late").to_str().unwrap().to_owned());
    let (listen, key) = (free_port(), place.path().join("late-key"));
    let listen = format!("127.0.0.1:{listen}").parse().unwrap();
    let services = [
        Service::Irc {
            server: format!("127.0.0.1:{}", server.plain).parse().unwrap(),
            transport: Transport::Tcp,
            nick: "hawker".into(),
            account: None,
            password: Some(late.clone()),
            channels: vec!["#shop".into()],
            ca: None,
        },
        Service::Webhook {
            listen,
            path: "/in".into(),
            token: Some(late),
            platform: Platform::named("shop"),
        },
        Service::Kick { listen, path: "/kick".into(), public_key: key.clone(), account: None },
    ];
    let missing = SecretRef::Env("HAWKER_TEST_NO_SUCH_VARIABLE".into());
    for service in services {
        let kind = service.kind();
        let _ = std::fs::remove_file(place.path().join("late"));
        let hub = Hub::start(vec![spec(service)], ControlSpec::default(), Files::default(), None);
        let waits = |status: &Status| matches!(status, Status::Waiting { .. });
        let Status::Waiting { why, .. } = state(&hub, kind, waits).await else { panic!() };
        assert!(why.contains("late"), "{why}");
        std::fs::write(place.path().join("late"), "a-secret-of-the-test").unwrap();
        let private = openssl::rsa::Rsa::generate(2048).unwrap();
        std::fs::write(&key, private.public_key_to_pem().unwrap()).unwrap();
        for name in ["late", "late-key"] {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(place.path().join(name), mode).unwrap();
        }
        // A network may refuse the password, which no longer has to do with the file.
        let is_read = |status: &Status| match status {
            Status::Waiting { why, .. } | Status::Failed { why } => !why.contains("late"),
            status => *status == Status::Live,
        };
        state(&hub, kind, is_read).await;
        std::fs::remove_file(&key).unwrap();
    }
    // What cannot change while the program runs is not waited for.
    let service = Service::Webhook {
        listen,
        path: "/in".into(),
        token: Some(missing),
        platform: Platform::named("shop"),
    };
    let hub = Hub::start(vec![spec(service)], ControlSpec::default(), Files::default(), None);
    state(&hub, "the failure", |status| matches!(status, Status::Failed { .. })).await;
}
