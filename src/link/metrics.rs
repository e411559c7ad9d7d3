//! The Prometheus scrape endpoint: `GET /metrics` over plain HTTP, answered with a text that somebody else makes. It
//! asks for a token when it has one, and will not listen beyond this machine without.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use axum::{Router, http::header, middleware, routing::get};
use tokio::task::JoinHandle;

use super::guard;
use crate::{
    base::Secret,
    system::{self, http::Bounds},
};

/// Most connections: those who gather figures keep one each.
const MAX_CONNECTIONS: usize = 32;

/// Makes the text, for each request anew.
pub type Page = Arc<dyn Fn() -> String + Send + Sync>;

/// Why nobody can gather figures.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Everybody could read them.
    #[error(
        "the figures are not given on {0} without a token: anybody on that network could read them. Add \
         --metrics-token env:NAME or file:PATH, or use 127.0.0.1"
    )]
    NeedsToken(SocketAddr),
    /// The address is taken, not ours, or not allowed.
    #[error(
        "--metrics cannot listen on {address}: {why}. Give another port, or 0 for any free one"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        why: io::Error,
    },
}

/// Gives the figures until it is dropped.
#[derive(Debug)]
pub struct Metrics {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Metrics {
    /// Listens from now on. Must be called within a runtime.
    ///
    /// # Errors
    /// The address cannot be listened on, or is open to others and there is no token.
    pub fn start(
        listen: SocketAddr,
        token: Option<Secret>,
        content_type: &'static str,
        page: Page,
    ) -> Result<Self, MetricsError> {
        if !listen.ip().is_loopback() && token.is_none() {
            return Err(MetricsError::NeedsToken(listen));
        }
        let failed = |why| MetricsError::Listen { address: listen, why };
        let listener = TcpListener::bind(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let give = move || {
            let page = Arc::clone(&page);
            async move { ([(header::CONTENT_TYPE, content_type)], page()) }
        };
        let router = Router::new()
            .route("/metrics", get(give))
            .layer(middleware::from_fn_with_state(Arc::new(token), guard::known))
            .layer(middleware::from_fn_with_state(address, guard::own));
        let bounds = Bounds::for_at_most(MAX_CONNECTIONS);
        // Until it is aborted.
        let end = std::future::pending();
        let server = tokio::spawn(system::http::serve(listener, router, bounds, end));
        Ok(Self { address, server })
    }

    /// Where they are read.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn door(token: Option<&str>) -> Metrics {
        let page: Page = Arc::new(|| "a 1\n".to_owned());
        Metrics::start(LOOPBACK, token.map(Secret::new), "text/plain", page).unwrap()
    }

    /// The status and all that follows.
    async fn asked(door: &Metrics, path: &str, token: &str) -> String {
        asked_as(door, path, token, "127.0.0.1").await
    }

    async fn asked_as(door: &Metrics, path: &str, token: &str, host: &str) -> String {
        let mut to = TcpStream::connect(door.address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        to.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        to.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn figures_are_for_whoever_has_the_token() {
        let open = door(None);
        let answer = asked(&open, "/metrics", "").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\na 1\n"),
            "{answer}"
        );
        assert!(asked(&open, "/", "").await.starts_with("HTTP/1.1 404"));

        let closed = door(Some("s3cr3t"));
        assert!(asked(&closed, "/metrics", "s3cr3t").await.starts_with("HTTP/1.1 200"));
        for wrong in ["", "s3cr3", "s3cr3T", "s3cr3tt"] {
            let answer = asked(&closed, "/metrics", wrong).await;
            assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains("a 1"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_page_with_a_name_of_its_own_reads_nothing() {
        let door = door(None);
        for (host, status) in [
            ("localhost:9464", "200"),
            ("[::1]", "200"),
            ("evil.example", "403"),
            ("localhost:80@evil.example", "400"),
            ("localhost\r\nhost: evil.example", "400"),
        ] {
            let answer = asked_as(&door, "/metrics", "", host).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {answer}");
        }
    }

    #[tokio::test]
    async fn nobody_beyond_this_machine_reads_them_without_one() {
        let page: Page = Arc::new(String::new);
        let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        let refused = Metrics::start(everywhere, None, "text/plain", Arc::clone(&page));
        assert!(refused.unwrap_err().to_string().contains("--metrics-token"));
        let first = door(None);
        let second = Metrics::start(first.address, None, "text/plain", page);
        assert!(second.unwrap_err().to_string().contains("another port"));
    }
}
