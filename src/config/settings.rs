//! The user's settings of hawker itself, from `config.toml` in the configuration folder. What a show
//! is made of is not here.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use super::{
    Dirs, Failure,
    diagnostics::{Diagnostics, Findings, quoted},
    reader::{self, Fields},
    show::secret_ref,
};
use crate::base::SecretRef;

/// The stage's port unless told otherwise.
pub const STAGE_PORT: u16 = 8088;

/// The effective settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the stage listens for HTTP. Port 0 is any free one.
    pub listen: SocketAddr,
    /// The token the stage asks of viewers; it must have one beyond loopback.
    pub token: Option<SecretRef>,
    /// The token the stage asks of publishers other than the show that runs it.
    pub publish_token: Option<SecretRef>,
    /// The colours of the console.
    pub theme: Theme,
}

/// The colours of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// For a dark terminal.
    #[default]
    Dark,
    /// For a light terminal.
    Light,
    /// No colour at all.
    Mono,
}

const THEMES: [(&str, Theme); 3] =
    [("dark", Theme::Dark), ("light", Theme::Light), ("mono", Theme::Mono)];

impl Theme {
    /// The word in the settings file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, STAGE_PORT)),
            token: None,
            publish_token: None,
            theme: Theme::default(),
        }
    }
}

impl Settings {
    /// Reads `config.toml`. A missing file is no problem: everything has a default.
    ///
    /// # Errors
    /// All problems of the file at once.
    pub fn load(dirs: &Dirs) -> Result<Self, Diagnostics> {
        let path = dirs.config.join("config.toml");
        match std::fs::symlink_metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            _ => {}
        }
        let origin = path.display().to_string();
        let text = super::read_text(&path, &origin, 64 * 1024, "the settings file")?;
        Self::parse(&text, &origin, &dirs.config)
    }

    /// Reads the text of a settings file. A relative `file:` reference starts at `base_dir`.
    ///
    /// # Errors
    /// All problems of the text at once.
    pub fn parse(text: &str, origin: &str, base_dir: &Path) -> Result<Self, Diagnostics> {
        let mut findings = Findings::new(origin, text);
        let settings = reader::document(text, &mut findings)
            .map(|t| read(&Fields::new(&t, 0..0, "config.toml"), base_dir, &mut findings));
        findings.done(settings)
    }
}

fn read(fields: &Fields<'_>, base_dir: &Path, findings: &mut Findings<'_>) -> Settings {
    let mut settings = Settings::default();
    fields.only(findings, &["stage", "console"], |_| None);
    if let Some(stage) = fields.table(findings, "stage") {
        stage.only(findings, &["listen", "token", "publish-token"], |_| None);
        settings.token = secret_ref(&stage, "token", base_dir, findings);
        settings.publish_token = secret_ref(&stage, "publish-token", base_dir, findings);
        if settings.publish_token.is_some()
            && settings.publish_token == settings.token
            && let Some((_, span)) = stage.text(findings, "publish-token")
        {
            findings.add(
                &span,
                "viewers and publishers have the same token, so every viewer could publish",
                "keep the publishers' token in a place of its own",
            );
        }
        if let Some((text, span)) = stage.text(findings, "listen") {
            match text.parse::<SocketAddr>() {
                Ok(listen) if listen.ip().is_loopback() || stage.has("token") => {
                    settings.listen = listen;
                }
                Ok(_) => findings.add(
                    &span,
                    "the stage would listen beyond this machine without a token",
                    "add token = \"env:NAME\" or \"file:PATH\", or listen on 127.0.0.1",
                ),
                Err(_) => findings.add(
                    &span,
                    format!("{} is no address to listen on", quoted(text)),
                    "write an IP address and a port: listen = \"127.0.0.1:8088\"",
                ),
            }
        }
    }
    if let Some(console) = fields.table(findings, "console") {
        console.only(findings, &["theme"], |_| None);
        settings.theme = console.choice(findings, "theme", &THEMES).unwrap_or_default();
    }
    settings
}

const HEAD: &str = "\
# hawker's settings, as they are in effect. To change one, put it into
# config.toml in hawker's configuration folder.

[stage]
# Where the built-in stage listens: an IP address and a port (0 is any free one).
# Beyond this machine it asks for a token.
";

/// The settings as a settings file with comments; read again, it gives the same settings.
pub fn print_config(settings: &Settings) -> String {
    let mut out = String::from(HEAD);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "listen = \"{}\"\n", settings.listen);
    out.push_str(
        "# The token it asks of viewers: \"env:NAME\" or \"file:PATH\", never the token itself.\n",
    );
    let put = |out: &mut String, key: &str, token: &Option<SecretRef>, name: &str| {
        let _ = match token {
            Some(token) => writeln!(out, "{key} = {}\n", toml::Value::from(token.to_string())),
            None => writeln!(out, "# {key} = \"env:{name}\"\n"),
        };
    };
    put(&mut out, "token", &settings.token, "HAWKER_STAGE_TOKEN");
    out.push_str(
        "# The token it asks of publishers. The show that runs the stage needs none, and without one nobody\n# else \
         publishes to a stage that has a token.\n",
    );
    put(&mut out, "publish-token", &settings.publish_token, "HAWKER_STAGE_PUBLISH_TOKEN");
    let _ = writeln!(
        out,
        "[console]\n# The colours: \"dark\", \"light\" or \"mono\".\ntheme = \"{}\"",
        settings.theme.name()
    );
    out
}

impl std::str::FromStr for Theme {
    type Err = Failure;

    fn from_str(word: &str) -> Result<Self, Failure> {
        THEMES.iter().find(|(name, _)| *name == word).map(|(_, theme)| *theme).ok_or_else(|| {
            Failure::new(format!("{} is no theme: use dark, light or mono", quoted(word)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_written_is_the_default() {
        let root = tempfile::tempdir().unwrap();
        let settings = Settings::load(&Dirs::below(root.path())).unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8088");
    }

    #[test]
    fn what_is_printed_reads_back() {
        let own = Settings {
            listen: "[::]:0".parse().unwrap(),
            token: Some(SecretRef::File("/run/a \"b\"\\c".into())),
            publish_token: Some(SecretRef::Env("P".into())),
            theme: Theme::Mono,
        };
        for settings in [Settings::default(), own] {
            let text = print_config(&settings);
            assert_eq!(Settings::parse(&text, "c", Path::new("/")).unwrap(), settings, "{text}");
        }
    }

    #[test]
    fn all_problems_are_told_and_no_secret() {
        let text =
            "[stage]\nlisten = \"0.0.0.0:80\"\ntoken = \"s3cr3t\"\n[console]\nthem = \"dark\"\n[x]";
        let shown = Settings::parse(text, "config.toml", Path::new("/")).unwrap_err();
        assert_eq!(shown.len(), 3, "{shown}");
        assert!(!shown.to_string().contains("s3cr3t"));
        let same = "[stage]\ntoken = \"env:A\"\npublish-token = \"env:A\"";
        let same = Settings::parse(same, "c", Path::new("/")).unwrap_err().to_string();
        assert!(same.contains("every viewer could publish"), "{same}");
        let open = Settings::parse("[stage]\nlisten = \"0.0.0.0:80\"", "c", Path::new("/"));
        assert!(open.unwrap_err().to_string().contains("beyond this machine"));
    }
}
