//! Who watches the show from outside: a monitor, at an address at which viewers watch.

use serde::{Deserialize, Serialize};
use url::Url;

use super::host_only;
use crate::{
    base::{MonitorId, OutputId, SecretRef},
    whip::shown,
};

/// A monitor that watches by WHEP, as a viewer does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorSpec {
    /// Its name.
    pub id: MonitorId,
    /// The WHEP address. May hold a secret path: shown by host only.
    pub url: Url,
    /// The bearer token's place, if it asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
    /// The output that it watches; `None` is the show as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputId>,
    /// The market whose viewers watch there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<String>,
}

impl MonitorSpec {
    /// What it watches, as the operator may see it.
    pub fn shown(&self) -> String {
        shown(&self.url)
    }

    /// The address ends at host and port.
    pub(super) fn hide_secrets(&mut self) {
        self.url = host_only(&self.url);
    }
}
