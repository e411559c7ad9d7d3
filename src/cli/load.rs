//! Where the command line meets the rooms below: folders, settings, show files, adapters.

use std::path::{Path, PathBuf};

use super::{Failure, tell};
use crate::{
    base::SecretRef,
    config::{self, Dirs, STAGE_PORT, Settings},
    console::Theme,
    engine::{
        Factory,
        studio::{StudioOptions, factory},
    },
    market::Market,
    show::{Mode, ShowSpec, WebhookTo},
};

/// Where the user's files are.
pub(crate) fn dirs() -> Result<Dirs, Failure> {
    Dirs::find().map_err(|e| Failure::usage(e.to_string()))
}

/// The state directory.
pub(crate) fn state_dir() -> Result<PathBuf, Failure> {
    Ok(dirs()?.state)
}

/// The user's settings.
pub(crate) fn settings() -> Result<Settings, Failure> {
    Settings::load(&dirs()?).map_err(|e| Failure::usage(e.to_string()))
}

/// How a console looks, by the user's settings.
pub(crate) fn theme() -> Result<Theme, Failure> {
    let theme = settings()?.theme;
    theme.name().parse().map_err(|e| Failure::usage(format!("[console] theme: {e}")))
}

/// A show file, or the built-in show.
pub(crate) fn show(path: Option<&Path>) -> Result<ShowSpec, Failure> {
    if let Some(path) = path {
        return config::load_show(path, &dirs()?).map_err(|e| Failure::usage(e.to_string()));
    }
    let alarms = config::load_alarms(&dirs()?).map_err(|e| Failure::usage(e.to_string()))?;
    Ok(ShowSpec { alarms, ..config::builtin_show() })
}

/// What the servers of a show's ingests would refuse.
pub(crate) fn preflight(show: &ShowSpec) -> Result<Vec<config::Preflight>, Failure> {
    config::preflight(show, &dirs()?).map_err(|e| Failure::usage(e.to_string()))
}

/// The server profiles there are.
pub(crate) fn ingests() -> Result<Vec<config::Server>, Failure> {
    let dirs = dirs()?;
    let load = |preset: config::Preset| config::load_ingest(&preset.name, &dirs);
    let all: Result<Vec<_>, _> = config::ingests(&dirs).into_iter().map(load).collect();
    all.map_err(|e| Failure::usage(e.to_string()))
}

/// The link of that name.
pub(crate) fn link(name: &str) -> Result<config::Link, Failure> {
    config::load_link(name, &dirs()?).map_err(|e| Failure::usage(e.to_string()))
}

/// The links there are.
pub(crate) fn links() -> Result<Vec<config::Link>, Failure> {
    config::links(&dirs()?).iter().map(|preset| link(&preset.name)).collect()
}

/// A market by its name.
pub(crate) fn market(name: &str) -> Result<Market, Failure> {
    config::load_market(name, &dirs()?).map_err(|e| Failure::usage(e.to_string()))
}

/// The markets there are.
pub(crate) fn markets() -> Result<Vec<Market>, Failure> {
    config::load_markets(&dirs()?).map_err(|e| Failure::usage(e.to_string()))
}

/// A show file that is about to go on air: its secrets are there too.
pub(crate) fn show_with_secrets(path: Option<&Path>, mode: Mode) -> Result<ShowSpec, Failure> {
    let spec = show(path)?;
    if mode == Mode::Live {
        for ingest in preflight(&spec)? {
            for objection in ingest.objections {
                tell(&format!("hawker: output '{}': {objection}", ingest.output));
            }
        }
        for monitor in &spec.monitors {
            let Some(reference) = &monitor.token else { continue };
            must_be_there(reference, &format!("monitor '{}', token", monitor.id))?;
        }
        // Nobody stays off the air for it, but it should not be learned at the first alarm.
        for alarm in &spec.alarms {
            let Some(webhook) = &alarm.webhook else { continue };
            let address = match &webhook.to {
                WebhookTo::Secret(place) => Some(place),
                WebhookTo::Address(_) => None,
            };
            for reference in address.into_iter().chain(&webhook.token) {
                if let Err(e) = config::read_secret(reference) {
                    tell(&format!("hawker: alarm '{}', webhook: {e}", alarm.rule.id));
                }
            }
        }
        for output in &spec.outputs {
            for (what, reference) in output.target.secrets() {
                must_be_there(reference, &format!("output '{}', {what}", output.id))?;
            }
        }
    }
    Ok(spec)
}

/// Refuses without the secret; what is to be thought of where it is kept is told.
fn must_be_there(reference: &SecretRef, whose: &str) -> Result<(), Failure> {
    config::read_secret(reference).map_err(|e| Failure::usage(format!("{whose}: {e}")))?;
    if let Some(warning) = config::secret_warning(reference) {
        tell(&format!("hawker: {whose}: {warning}"));
    }
    Ok(())
}

/// Makes the adapters.
pub(crate) fn adapters(link: Option<&str>) -> Result<Factory, Failure> {
    let settings = settings()?;
    let token = settings
        .token
        .as_ref()
        .map(config::read_secret)
        .transpose()
        .map_err(|e| Failure::usage(format!("[stage] token: {e}")))?;
    Ok(factory(StudioOptions {
        listen: settings.listen,
        // Two rehearsals at once are natural; a port that the user chose is meant.
        any_port: settings.listen.port() == STAGE_PORT,
        token,
        monitor: true,
        link: link.map(self::link).transpose()?,
        sessions: Some(state_dir()?.join("sessions")),
    }))
}
