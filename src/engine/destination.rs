//! A way of a WHIP output with everything resolved: its secrets read, its server known, and the link whose TLS
//! trusts what the output trusts. It opens no session.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    files::{Files, Unread},
    output::Destination,
    paths::{Paths, Remembered},
};
use crate::{
    link::{
        Authorities, LinkError,
        probe::Prober,
        whip::{Link, LinkOptions},
    },
    show::{FailureKind, IceServerSpec, OutputSpec, WhipSpec},
    whip::IceServer,
};

/// What all WHIP outputs of a show share. Clones share it too.
#[derive(Clone)]
pub struct Destinations {
    link: Link,
    files: Files,
    /// One for each file of authorities.
    trusting: Arc<Mutex<BTreeMap<PathBuf, Link>>>,
    remembered: Remembered,
}

impl Destinations {
    /// Prepares TLS; opens no connection.
    ///
    /// # Errors
    /// TLS does not start on this machine.
    pub fn new(files: Files) -> Result<Self, LinkError> {
        let link = Link::new(&LinkOptions::default())?;
        Ok(Self { link, files, trusting: Arc::default(), remembered: Remembered::default() })
    }

    /// The link that trusts the machine's own authorities alone.
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// Where secrets are read.
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// That way of an output, with the output's place in the show and the session's number.
    ///
    /// # Errors
    /// A secret cannot be read, or the file of authorities.
    pub async fn of(
        &self,
        output: &OutputSpec,
        whip: &WhipSpec,
        way: usize,
        (order, session): (u32, u32),
    ) -> Result<(Link, Destination), Unread> {
        let ingest = whip.ingests.get(way).ok_or_else(|| Unread {
            reason: "there is no such ingest".into(),
            kind: FailureKind::Lasting,
        })?;
        let relays = whip.ice.servers.iter().map(|server| self.ice_server(server));
        // At the same time: several may lie on the storage that does not answer.
        let (token, own, ca, quirks) = tokio::join!(
            self.files.secret_if(ingest.token.as_ref()),
            futures::future::join_all(relays),
            self.authorities(whip.ca.as_deref()),
            self.files.quirks(ingest),
        );
        let ca = ca?;
        let link = self.trusting(ca.as_ref().zip(whip.ca.as_deref()))?;
        let to = Destination {
            id: output.id.clone(),
            url: ingest.url.clone(),
            token: token?,
            trusted: whip.token_may_go_to.clone(),
            quirks,
            paths: Paths {
                own: own.into_iter().collect::<Result<_, _>>()?,
                relay_only: whip.ice.relay_only,
                ca,
                remembered: self.remembered.clone(),
            },
            profile: output.profile.clone(),
            order,
            session,
        };
        Ok((link, to))
    }

    /// Reads ahead what the output's sessions will need, so that there is something to go on with when it cannot be
    /// read later. What cannot be read now is told when it is needed.
    pub async fn prime(&self, output: &OutputSpec) {
        for (_, reference) in output.target.secrets() {
            let _ = self.files.secret(reference).await;
        }
        let crate::show::Target::Whip(whip) = &output.target else { return };
        for ingest in &whip.ingests {
            let _ = self.files.quirks(ingest).await;
        }
        let _ = self.link_for(whip.ca.as_deref()).await;
    }

    /// The link that trusts that file of authorities besides the machine's own.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn link_for(&self, ca: Option<&Path>) -> Result<Link, Unread> {
        self.trusting(self.authorities(ca).await?.as_ref().zip(ca))
    }

    /// What times the way to an ingest.
    ///
    /// # Errors
    /// The file of authorities cannot be read.
    pub async fn prober(&self, ca: Option<&Path>) -> Result<Prober, Unread> {
        let ca = self.authorities(ca).await?;
        let make = move || Prober::trusting(ca.as_ref()).map_err(|e| e.to_string());
        // The machine's own authorities are read here; one for all with the same file would be one more thing to keep.
        tokio::task::spawn_blocking(make)
            .await
            .map_err(|e| e.to_string())
            .flatten()
            .map_err(lasting)
    }

    async fn authorities(&self, ca: Option<&Path>) -> Result<Option<Authorities>, Unread> {
        match ca {
            Some(path) => self.files.authorities(path).await.map(Some),
            None => Ok(None),
        }
    }

    /// Made once for each file: sessions of an ingest share their connections.
    fn trusting(&self, ca: Option<(&Authorities, &Path)>) -> Result<Link, Unread> {
        let Some((authorities, path)) = ca else { return Ok(self.link.clone()) };
        let mut all = self.trusting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = all.get(path) {
            return Ok(link.clone());
        }
        let link =
            Link::trusting(authorities).map_err(|e| lasting(e.to_string()))?.beside(&self.link);
        all.insert(path.to_owned(), link.clone());
        Ok(link)
    }

    /// A server of the operator's own, with its password.
    async fn ice_server(&self, spec: &IceServerSpec) -> Result<IceServer, Unread> {
        let secret = self.files.secret_if(spec.credential.as_ref()).await?;
        IceServer::parse(&spec.url, spec.user.clone(), secret)
            .map_err(|e| lasting(format!("{} is no STUN or TURN server: {e}", spec.url)))
    }
}

fn lasting(reason: String) -> Unread {
    Unread { reason, kind: FailureKind::Lasting }
}
