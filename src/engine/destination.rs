//! A way of a WHIP output with everything resolved: its secrets read, its server known, and the link whose TLS
//! trusts what the output trusts. It opens no session.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    output::Destination,
    paths::{Paths, Remembered},
};
use crate::{
    config::{self, Dirs},
    link::{
        LinkError,
        whip::{Link, LinkOptions},
    },
    show::{IceServerSpec, IngestSpec, OutputSpec, WhipSpec},
    whip::{IceServer, Quirks},
};

/// What all WHIP outputs of a show share.
pub struct Destinations {
    link: Link,
    /// One for each file of authorities.
    trusting: BTreeMap<PathBuf, Link>,
    remembered: Remembered,
}

impl Destinations {
    /// Prepares TLS; opens no connection.
    ///
    /// # Errors
    /// TLS does not start on this machine.
    pub fn new() -> Result<Self, LinkError> {
        let link = Link::new(&LinkOptions::default())?;
        Ok(Self { link, trusting: BTreeMap::new(), remembered: Remembered::default() })
    }

    /// The link that trusts the machine's own authorities alone.
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// That way of an output, with the output's place in the show and the session's number.
    ///
    /// # Errors
    /// In words for the operator: a secret cannot be read, or the file of authorities.
    pub fn of(
        &mut self,
        output: &OutputSpec,
        whip: &WhipSpec,
        way: usize,
        (order, session): (u32, u32),
    ) -> Result<(Link, Destination), String> {
        let ingest = whip.ingests.get(way).ok_or("there is no such ingest")?;
        let token = ingest.token.as_ref().map(config::read_secret).transpose();
        let own = whip.ice.servers.iter().map(ice_server).collect::<Result<Vec<_>, _>>()?;
        let to = Destination {
            id: output.id.clone(),
            url: ingest.url.clone(),
            token: token.map_err(|e| e.to_string())?,
            trusted: whip.token_may_go_to.clone(),
            quirks: quirks(ingest),
            paths: Paths {
                own,
                relay_only: whip.ice.relay_only,
                ca: whip.ca.clone(),
                remembered: self.remembered.clone(),
            },
            profile: output.profile.clone(),
            order,
            session,
        };
        Ok((self.link_for(whip.ca.as_ref())?, to))
    }

    /// The link that trusts that file of authorities besides the machine's own.
    ///
    /// # Errors
    /// In words for the operator: the file cannot be read.
    pub fn link_for(&mut self, ca: Option<&PathBuf>) -> Result<Link, String> {
        let Some(path) = ca else { return Ok(self.link.clone()) };
        if let Some(link) = self.trusting.get(path) {
            return Ok(link.clone());
        }
        let options = LinkOptions { ca: Some(path.clone()), ..LinkOptions::default() };
        let link = Link::new(&options).map_err(|e| e.to_string())?.beside(&self.link);
        self.trusting.insert(path.clone(), link.clone());
        Ok(link)
    }
}

/// A server of the operator's own, with its password.
fn ice_server(spec: &IceServerSpec) -> Result<IceServer, String> {
    let secret = spec.credential.as_ref().map(config::read_secret).transpose();
    let secret = secret.map_err(|e| e.to_string())?;
    IceServer::parse(&spec.url, spec.user.clone(), secret)
        .map_err(|e| format!("{} is no STUN or TURN server: {e}", spec.url))
}

/// How the ingest's server differs from what is usual. A profile that cannot be read keeps nobody off the air.
fn quirks(ingest: &IngestSpec) -> Quirks {
    let known = Dirs::find()
        .map_err(|e| e.to_string())
        .and_then(|dirs| config::server_of(ingest, &dirs).map_err(|problems| problems.to_string()));
    match known {
        Ok(server) => server.map(|s| s.quirks).unwrap_or_default(),
        Err(why) => {
            tracing::warn!("the ingest is taken for a usual one: {why}");
            Quirks::default()
        }
    }
}
