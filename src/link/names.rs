//! Names resolved with a deadline of their own, so that a name server which never answers is told from an ingest that
//! accepts no connection. One lookup of a name is under way at a time: the system's lookups cannot be given up, and
//! each holds a thread.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::timeout;

/// Less than a connection may take in all, so that this is what is said.
const PATIENCE: Duration = Duration::from_secs(4);

/// No name server answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no name server answers")
    }
}

impl Error for NoAnswer {}

type Found = Result<Vec<SocketAddr>, String>;
type Lookup = Shared<BoxFuture<'static, Found>>;
/// The system's way of looking a name up.
type System = dyn Fn(String) -> BoxFuture<'static, Found> + Send + Sync;

/// Looks names up. Clones share what is under way.
#[derive(Clone)]
pub(super) struct Names {
    under_way: Arc<Mutex<BTreeMap<String, Lookup>>>,
    system: Arc<System>,
    patience: Duration,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::by(|name| {
            async move {
                let found = tokio::net::lookup_host((name.as_str(), 0)).await;
                found.map(Iterator::collect).map_err(|e: io::Error| e.to_string())
            }
            .boxed()
        })
    }
}

impl Names {
    fn by(system: impl Fn(String) -> BoxFuture<'static, Found> + Send + Sync + 'static) -> Self {
        Self { under_way: Arc::default(), system: Arc::new(system), patience: PATIENCE }
    }

    /// The lookup of that name that is under way, or a new one.
    fn look_up(&self, name: &str) -> Lookup {
        let mut all = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lookup) = all.get(name) {
            return lookup.clone();
        }
        // In a task of its own, so that it comes to its end though nobody waits any more.
        let running = tokio::spawn((self.system)(name.to_owned()));
        let (under_way, key) = (Arc::clone(&self.under_way), name.to_owned());
        let lookup = async move {
            let found = running.await.unwrap_or_else(|e| Err(e.to_string()));
            under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            found
        }
        .boxed()
        .shared();
        all.insert(name.to_owned(), lookup.clone());
        // It removes itself whether or not anybody waits.
        tokio::spawn(lookup.clone());
        lookup
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            let lookup = names.look_up(name.as_str());
            match timeout(names.patience, lookup).await {
                Ok(Ok(found)) => Ok(Box::new(found.into_iter()) as Addrs),
                Ok(Err(why)) => Err(why.into()),
                Err(_) => Err(Box::new(NoAnswer) as Box<dyn Error + Send + Sync>),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_name_server_that_never_answers_is_said_so_and_asked_once() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let mut names = Names::by(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            std::future::pending().boxed()
        });
        names.patience = Duration::from_millis(50);
        for _ in 0..3 {
            let name: Name = "ingest.example".parse().unwrap();
            let Err(why) = names.resolve(name).await else { panic!("it has no address") };
            assert!(why.is::<NoAnswer>(), "{why}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_name_that_is_known_is_found_each_time() {
        let names = Names::default();
        for _ in 0..2 {
            let found = names.resolve("localhost".parse().unwrap()).await.unwrap();
            assert!(found.count() > 0);
        }
    }
}
