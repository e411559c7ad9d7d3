//! What raises an alarm, and who is told of it beside the operator: a command of the user's own, a web address.

use serde::{Deserialize, Serialize};
use url::Url;

use super::host_only;
use crate::{base::SecretRef, stats::alarm::Rule, whip::shown};

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmSpec {
    /// When it is raised, and when it clears.
    pub rule: Rule,
    /// A program and its arguments, run without a shell; empty for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// An address that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// An address that is told of an alarm by POST.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where to.
    pub to: WebhookTo,
    /// The bearer token's place, if it asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
}

/// Where a webhook's address is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookTo {
    /// Written out. Its path may be a secret all the same: shown by host only.
    Address(Url),
    /// The whole address is a secret.
    Secret(SecretRef),
}

impl WebhookTo {
    /// As the operator may see it.
    pub fn shown(&self) -> String {
        match self {
            Self::Address(url) => shown(url),
            Self::Secret(place) => place.to_string(),
        }
    }
}

impl AlarmSpec {
    /// The address ends at host and port, and the arguments of the command are left out.
    pub(super) fn hide_secrets(&mut self) {
        self.run.truncate(1);
        if let Some(Webhook { to: WebhookTo::Address(url), .. }) = &mut self.webhook {
            *url = host_only(url);
        }
    }
}
