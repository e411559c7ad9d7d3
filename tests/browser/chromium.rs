//! Headless Chromium, driven by its debugging protocol: one browser, one page. It asks the page, and knows
//! nothing of what the page is.

use std::{fs, net::TcpStream, path::Path, process::Command, time::Duration};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket, client};

use crate::process::{Process, tool, until};

/// The longest that one question may take.
const ANSWER: Duration = Duration::from_secs(45);

/// The names it has on different systems.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// No network of its own, no sound card, no question to anybody.
const FLAGS: [&str; 14] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--window-size=1280,800",
    "--remote-debugging-port=0",
];

/// A browser with one page.
pub struct Chromium {
    socket: WebSocket<TcpStream>,
    session: String,
    last: u64,
    /// What the page and the browser wrote to their logs.
    pub said: Vec<String>,
    process: Process,
    // Last: it is removed when the process is gone.
    _profile: TempDir,
}

fn program() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = NAMES.iter().find(|name| {
        std::env::split_paths(&path).any(|folder| Path::new(&folder).join(name).is_file())
    });
    found.expect("there is no Chromium: script/setup --dev brings it").to_string()
}

impl Chromium {
    /// Starts it with an empty page.
    pub fn start() -> Self {
        Self::start_with(|command| command)
    }

    /// The same, with something changed before.
    pub fn start_with(change: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = tool(&program());
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg("about:blank").env("HOME", profile.path()).env_remove("DISPLAY");
        change(&mut command);
        let process = Process::start(&mut command);
        let port_file = profile.path().join("DevToolsActivePort");
        let (port, path) = until("Chromium's debugging port", 30, || {
            let text = fs::read_to_string(&port_file).map_err(|e| e.to_string())?;
            let (port, path) = text.split_once('\n').ok_or("half a file")?;
            match (port.parse::<u16>(), path.trim()) {
                (Ok(port), path) if !path.is_empty() => Ok((port, path.to_owned())),
                _ => Err(text),
            }
        });
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        stream.set_nodelay(true).unwrap();
        let (socket, _) = client(format!("ws://127.0.0.1:{port}{path}"), stream).unwrap();
        let mut chromium = Self {
            socket,
            session: String::new(),
            last: 0,
            said: Vec::new(),
            process,
            _profile: profile,
        };
        let target = chromium.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let to = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = chromium.call("Target.attachToTarget", &to);
        attached["sessionId"].as_str().unwrap().clone_into(&mut chromium.session);
        for room in ["Page.enable", "Runtime.enable", "Log.enable"] {
            chromium.call(room, &json!({}));
        }
        chromium
    }

    /// Goes to an address.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        let gone = self.call("Page.navigate", &json!({ "url": url }));
        assert!(gone.get("errorText").is_none(), "{url}: {gone}");
        until("the page", 15, || match self.ask::<String>("document.readyState").as_str() {
            "complete" => Ok(()),
            other => Err(other.to_owned()),
        });
    }

    /// The value of an expression in the page; a promise is waited for.
    #[track_caller]
    pub fn ask<T: DeserializeOwned>(&mut self, script: &str) -> T {
        let asked = json!({
            "expression": script,
            "awaitPromise": true,
            "returnByValue": true,
            "userGesture": true,
        });
        let answer = self.call("Runtime.evaluate", &asked);
        let fault = answer.get("exceptionDetails");
        assert!(fault.is_none(), "{script}: {fault:?}\nthe page said: {:#?}", self.said);
        let value = answer["result"]["value"].clone();
        serde_json::from_value(value)
            .unwrap_or_else(|e| panic!("{script}: {e}: {answer}\nthe page said: {:#?}", self.said))
    }

    /// The window's width; scales as a telephone's browser does when it is narrow.
    #[allow(dead_code, reason = "not every set of tests asks for it")]
    #[track_caller]
    pub fn width(&mut self, pixels: u32) {
        let narrow = pixels < 600;
        let size =
            json!({ "width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": narrow });
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Runs in every page from now on, before the page's own.
    #[allow(dead_code, reason = "not every set of tests asks for it")]
    #[track_caller]
    pub fn before_pages(&mut self, script: &str) {
        let source = json!({ "source": script });
        self.call("Page.addScriptToEvaluateOnNewDocument", &source);
    }

    /// Every address that is asked for from now on is kept in `said`.
    #[allow(dead_code, reason = "not every set of tests asks for it")]
    #[track_caller]
    pub fn keep_requests(&mut self) {
        self.call("Network.enable", &json!({}));
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let mut request = json!({ "id": self.last, "method": method, "params": params });
        if !self.session.is_empty() && !method.starts_with("Browser.") {
            request["sessionId"] = self.session.as_str().into();
        }
        self.socket.send(Message::text(request.to_string())).unwrap();
        loop {
            let message = self.socket.read();
            let message = message
                .unwrap_or_else(|e| panic!("{method}: {e}\nthe page said: {:#?}", self.said));
            let Message::Text(text) = message else { continue };
            let mut message: Value = serde_json::from_str(&text).unwrap();
            if message["id"] == self.last {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.keep(&message);
        }
    }

    /// Keeps what helps to understand a failure.
    fn keep(&mut self, message: &Value) {
        let what = match message["method"].as_str() {
            Some("Runtime.consoleAPICalled") => &message["params"]["args"],
            Some("Runtime.exceptionThrown") => &message["params"]["exceptionDetails"],
            Some("Network.requestWillBeSent") => &message["params"]["request"]["url"],
            Some("Log.entryAdded") => &message["params"]["entry"],
            _ => return,
        };
        if self.said.len() < 100 {
            self.said.push(what.to_string());
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It puts its own children away when asked; whoever is left goes with the group.
        let close = json!({ "id": self.last + 1, "method": "Browser.close" });
        let _ = self.socket.send(Message::text(close.to_string()));
        self.process.wait(Duration::from_secs(5));
        self.process.stop();
    }
}
