//! The Prometheus scrape endpoint: `GET /metrics` over plain HTTP, answered with a text that somebody else makes. It
//! asks for a token when it has one, and will not listen beyond this machine without.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, http::header, middleware, routing::get};

use super::guard::{self, ListenError, Purpose, Server};
use crate::{base::Secret, system::http::Bounds};

/// Most connections: those who gather figures keep one each.
const MAX_CONNECTIONS: usize = 32;
const PURPOSE: Purpose = Purpose { option: "--metrics", given: "the figures are", it: "them" };

/// Makes the text, for each request anew.
pub type Page = Arc<dyn Fn() -> String + Send + Sync>;

/// Gives the figures until it is dropped.
#[derive(Debug)]
pub struct Metrics(Server);

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
    ) -> Result<Self, ListenError> {
        let has_token = token.is_some();
        let give = move || {
            let page = Arc::clone(&page);
            async move { ([(header::CONTENT_TYPE, content_type)], page()) }
        };
        let router = Router::new()
            .route("/metrics", get(give))
            .layer(middleware::from_fn_with_state(Arc::new(token), guard::known));
        let bounds = Bounds::for_at_most(MAX_CONNECTIONS);
        Server::start(PURPOSE, listen, has_token, bounds, router).map(Self)
    }

    /// Where they are read.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.0.address)
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
        let mut to = TcpStream::connect(door.0.address).await.unwrap();
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
        let second = Metrics::start(first.0.address, None, "text/plain", page);
        assert!(second.unwrap_err().to_string().contains("another port"));
    }
}
