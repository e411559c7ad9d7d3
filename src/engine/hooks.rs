//! Tells others of an alarm, as the rules say: runs a command of the user's own, posts to a web address. Bounded in
//! time and number; no shell, so nothing that is told can be taken for a command. What fails is a fact.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use url::Url;

use super::{files::Files, report::mode_name};
use crate::{
    base::{AlarmId, CHILD_ENVIRONMENT, mask},
    link::webhook::Messenger,
    show::{AlarmSpec, Alert, Fact, Webhook, WebhookTo},
    whip::is_private,
};

/// How long a command may run.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many are told at the same time.
const AT_ONCE: usize = 4;
/// How many may wait for their turn; more are not told.
const WAITING: usize = 32;

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hook {
    Run(Vec<String>),
    Post(Webhook),
}

/// Tells others.
#[derive(Debug)]
pub struct Hooks {
    of: BTreeMap<AlarmId, Vec<Hook>>,
    facts: mpsc::Sender<Fact>,
    files: Files,
    /// Made when it is first needed: it reads the machine's authorities, which takes its time.
    messenger: Arc<OnceLock<Messenger>>,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Hooks {
    /// Those of the rules, their addresses in full.
    pub fn new(alarms: &[AlarmSpec], facts: mpsc::Sender<Fact>, files: Files) -> Self {
        for webhook in alarms.iter().filter_map(|alarm| alarm.webhook.as_ref()) {
            if let WebhookTo::Address(url) = &webhook.to {
                mask::remember_address(url);
            }
        }
        let hooks = |alarm: &AlarmSpec| {
            let run = (!alarm.run.is_empty()).then(|| Hook::Run(alarm.run.clone()));
            run.into_iter().chain(alarm.webhook.clone().map(Hook::Post)).collect()
        };
        Self {
            of: alarms.iter().map(|a| (a.rule.id.clone(), hooks(a))).collect(),
            facts,
            files,
            messenger: Arc::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            places: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
        }
    }

    /// Tells everybody who is to be told, each once. Must be called within the engine's runtime; it does not wait.
    pub fn tell(&self, alert: Alert) {
        let mut all: Vec<&Hook> = Vec::new();
        for hook in alert.alarms.keys().filter_map(|id| self.of.get(id)).flatten() {
            if !all.contains(&hook) {
                all.push(hook);
            }
        }
        let Some(alarm) = alert.alarms.keys().next().cloned() else { return };
        let alert = Arc::new(alert);
        for hook in all {
            let (hook, alert, alarm) = (hook.clone(), Arc::clone(&alert), alarm.clone());
            let (facts, turns) = (self.facts.clone(), Arc::clone(&self.turns));
            let (messenger, files) = (Arc::clone(&self.messenger), self.files.clone());
            let place = Arc::clone(&self.places).try_acquire_owned();
            tokio::spawn(async move {
                let done = match place {
                    Err(_) => Err(format!("{WAITING} others wait to be told already")),
                    Ok(_place) => match turns.acquire().await {
                        Ok(_turn) => hook.tell(&alert, messenger, &files).await,
                        // It is never closed.
                        Err(closed) => Err(closed.to_string()),
                    },
                };
                if let Err(reason) = done {
                    // An engine that is gone has nobody to tell.
                    let _ = facts.send(Fact::HookFailed { alarm, reason }).await;
                }
            });
        }
    }
}

impl Hook {
    async fn tell(
        &self,
        alert: &Alert,
        messenger: Arc<OnceLock<Messenger>>,
        files: &Files,
    ) -> Result<(), String> {
        match self {
            Self::Run(words) => run(words, alert).await,
            Self::Post(webhook) => post(webhook, alert, messenger, files).await,
        }
    }
}

/// What is told, as names and values.
fn facts_of(alert: &Alert) -> [(&'static str, String); 9] {
    let names: Vec<&str> = alert.alarms.keys().map(AlarmId::as_str).collect();
    let severity = serde_json::to_value(alert.severity).unwrap_or_default();
    [
        ("ALARM", names.join(",")),
        ("STATE", alert.state.word().to_owned()),
        ("SEVERITY", severity.as_str().unwrap_or_default().to_owned()),
        ("ABOUT", alert.about.as_ref().map_or_else(String::new, ToString::to_string)),
        ("COUNT", alert.alarms.values().sum::<u32>().to_string()),
        ("SENTENCE", alert.sentence.clone()),
        ("SHOW", alert.title.clone()),
        ("MODE", mode_name(alert.mode).to_owned()),
        ("AT", alert.at.to_string()),
    ]
}

async fn run(words: &[String], alert: &Alert) -> Result<(), String> {
    let Some((program, args)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(args).env_clear().kill_on_drop(true).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    for name in CHILD_ENVIRONMENT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    for (name, value) in facts_of(alert) {
        // A value with a NUL in it cannot be passed at all.
        command.env(format!("HAWKER_{name}"), value.replace('\0', ""));
    }
    let mut child = spawn(command, program).await?;
    let group = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid as i32));
    match timeout(PATIENCE, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("'{program}' ended with {status}")),
        Ok(Err(error)) => Err(format!("'{program}' cannot be waited for: {error}")),
        Err(_) => {
            if let Some(group) = group {
                // What it started goes with it; a group that is gone needs nothing.
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = child.wait().await;
            Err(format!("'{program}' ran for more than {} s and was ended", PATIENCE.as_secs()))
        }
    }
}

/// Starts a program. That waits until the program is loaded, from a storage that may not answer.
async fn spawn(mut command: Command, program: &str) -> Result<Child, String> {
    static STARTING: Semaphore = Semaphore::const_new(AT_ONCE);
    let turn = STARTING
        .try_acquire()
        .map_err(|_| format!("'{program}' is not run: {AT_ONCE} programs have not started yet"))?;
    let starting = tokio::task::spawn_blocking(move || {
        let child = command.spawn();
        drop(turn);
        child
    });
    match timeout(PATIENCE, starting).await {
        Ok(Ok(Ok(child))) => Ok(child),
        Ok(Ok(Err(e))) => {
            Err(format!("'{program}' cannot be run: {e}; check its path in alarms.toml"))
        }
        Ok(Err(broke)) => Err(format!("'{program}' cannot be run: {broke}")),
        Err(_) => Err(format!(
            "'{program}' has not started for {} s: the storage it lies on does not answer",
            PATIENCE.as_secs()
        )),
    }
}

async fn post(
    webhook: &Webhook,
    alert: &Alert,
    messenger: Arc<OnceLock<Messenger>>,
    files: &Files,
) -> Result<(), String> {
    // Secrets are read when they are used.
    let url = match &webhook.to {
        WebhookTo::Address(url) => url.clone(),
        WebhookTo::Secret(place) => {
            let secret = files.secret(place).await.map_err(|unread| unread.reason)?;
            let url = Url::parse(secret.expose()).ok();
            let url = url.filter(may_be_told).ok_or_else(|| {
                format!("{place} holds no https:// address without a user or password")
            })?;
            mask::remember_address(&url);
            url
        }
    };
    let token = files.secret_if(webhook.token.as_ref()).await.map_err(|unread| unread.reason)?;
    let messenger = if let Some(messenger) = messenger.get() {
        messenger.clone()
    } else {
        let made = tokio::task::spawn_blocking(Messenger::new).await.map_err(|e| e.to_string())?;
        let made = made.map_err(|e| e.to_string())?;
        messenger.get_or_init(|| made).clone()
    };
    let mut body = serde_json::Map::new();
    // `text` is what chat systems show.
    body.insert("text".into(), format!("hawker, {}: {}", alert.title, alert.sentence).into());
    for (name, value) in facts_of(alert) {
        body.insert(name.to_ascii_lowercase(), value.into());
    }
    let json = serde_json::Value::Object(body).to_string();
    messenger.post(url, token, json).await
}

/// As an address that is written in the file must be.
fn may_be_told(url: &Url) -> bool {
    is_private(url) && url.username().is_empty() && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        os::unix::fs::PermissionsExt as _,
        path::Path,
    };

    use super::*;
    use crate::{
        base::{SecretRef, Severity},
        show::{AlertState, Mode},
        stats::{
            alarm::Rule,
            verdict::{Metric, Subject},
        },
    };

    fn rule(name: &str) -> Rule {
        let (id, severity) = (name.parse().unwrap(), Severity::Critical);
        Rule { id, metric: Metric::StallMs, above: 500, for_ms: 0, clears_below: 1, severity }
    }

    fn spec(run: &[&str], webhook: Option<Webhook>) -> AlarmSpec {
        let run = run.iter().map(|w| (*w).to_owned()).collect();
        AlarmSpec { rule: rule("stall"), run, webhook }
    }

    fn alert(sentence: &str) -> Alert {
        Alert {
            alarms: [("stall".parse().unwrap(), 1)].into(),
            state: AlertState::Raised,
            severity: Severity::Critical,
            about: Some(Subject::Output("main".parse().unwrap())),
            sentence: sentence.into(),
            title: "$(touch evil) `id`".into(),
            mode: Mode::Rehearse,
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn script(folder: &Path, text: &str) -> String {
        let path = folder.join("hook");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// Tells once, and waits for the failure it gives, or for the file it writes.
    async fn told(spec: AlarmSpec, sentence: &str, file: Option<&Path>) -> Result<String, String> {
        let (facts, mut failed) = mpsc::channel(8);
        let hooks = Hooks::new(&[spec], facts, Files::default());
        hooks.tell(alert(sentence));
        let written = async {
            loop {
                let text = file.and_then(|f| std::fs::read_to_string(f).ok());
                if let Some(text) = text.filter(|t| t.ends_with("end\n")) {
                    break text;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            text = written => Ok(text),
            fact = failed.recv() => match fact {
                Some(Fact::HookFailed { reason, .. }) => Err(reason),
                other => panic!("{other:?}"),
            },
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("neither told nor failed"),
        }
    }

    #[tokio::test]
    async fn a_command_gets_the_facts_as_they_are_and_no_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let hook = script(
            folder.path(),
            "{ echo \"$1|$HAWKER_ALARM|$HAWKER_STATE|$HAWKER_SEVERITY|$HAWKER_ABOUT|$HAWKER_SHOW\"; \
             echo \"$HAWKER_SENTENCE\"; echo \"cargo=$CARGO_MANIFEST_DIR\"; echo end; } > \"$2.new\"; mv \"$2.new\" \"$2\"",
        );
        let hostile = "no frame; rm -rf ~ $(id) `id` \"'\u{0}\n&& x";
        let spec = spec(&[&hook, "a b;c", &out.to_string_lossy()], None);
        let text = told(spec, hostile, Some(&out)).await.unwrap();
        let expected = "a b;c|stall|raised|critical|output main|$(touch evil) `id`\n\
                        no frame; rm -rf ~ $(id) `id` \"'\n&& x\ncargo=\nend\n";
        assert_eq!(text, expected);
    }

    #[tokio::test]
    async fn what_fails_is_told_with_what_to_do() {
        let missing = told(spec(&["/no/such/program"], None), "x", None).await.unwrap_err();
        assert!(missing.contains("'/no/such/program' cannot be run"), "{missing}");
        let failing = told(spec(&["/bin/sh", "-c", "exit 3"], None), "x", None).await.unwrap_err();
        assert!(failing.contains("exit status: 3"), "{failing}");
        let to = WebhookTo::Secret(SecretRef::File("/no/such/file".into()));
        let unread = told(spec(&[], Some(Webhook { to, token: None })), "x", None).await;
        assert!(unread.unwrap_err().contains("/no/such/file"));
    }

    #[tokio::test]
    async fn no_more_wait_than_there_are_places() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        // They all wait for somebody to write to it.
        let hook = script(folder.path(), "mkfifo \"$1\" 2>/dev/null; read x < \"$1\"");
        let (facts, mut failed) = mpsc::channel(64);
        let hooks =
            Hooks::new(&[spec(&[&hook, &fifo.to_string_lossy()], None)], facts, Files::default());
        for _ in 0..=AT_ONCE + WAITING {
            hooks.tell(alert("x"));
        }
        let first = timeout(Duration::from_secs(8), failed.recv()).await.unwrap();
        let Some(Fact::HookFailed { reason, .. }) = first else { panic!("{first:?}") };
        assert!(reason.contains("wait to be told"), "{reason}");
        assert!(failed.try_recv().is_err(), "one place too few");
    }

    #[tokio::test]
    async fn a_web_address_is_told_in_json_with_its_token() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let heard = std::thread::spawn(move || {
            let (mut line, _) = server.accept().unwrap();
            let mut heard = Vec::new();
            let mut part = [0; 4096];
            while !heard.ends_with(b"}") {
                let n = line.read(&mut part).unwrap();
                assert!(n > 0, "cut off after {}", String::from_utf8_lossy(&heard));
                heard.extend_from_slice(&part[..n]);
            }
            line.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
            String::from_utf8(heard).unwrap()
        });
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("token");
        std::fs::write(&secret, "hu5h\n").unwrap();
        let to = WebhookTo::Address(format!("http://127.0.0.1:{port}/s3cret").parse().unwrap());
        let token = Some(SecretRef::File(secret.to_string_lossy().into_owned()));
        let failed = told(spec(&[], Some(Webhook { to, token })), "no \"frame\"", None).await;
        let why = failed.unwrap_err();
        assert!(why.contains("answered 404") && !why.contains("s3cret"), "{why}");
        let heard = tokio::task::spawn_blocking(move || heard.join().unwrap()).await.unwrap();
        let (head, body) = heard.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /s3cret ") && head.to_lowercase().contains("bearer hu5h"));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["alarm"], "stall");
        assert_eq!(body["sentence"], "no \"frame\"");
        assert_eq!((&body["state"], &body["mode"]), (&"raised".into(), &"rehearse".into()));
    }
}
