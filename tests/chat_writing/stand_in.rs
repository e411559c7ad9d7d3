//! A platform's API that answers as it was told to, and keeps what it was asked.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    response::Response,
};
use serde_json::Value;
use tokio::net::TcpListener;
use url::Url;

/// What it was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST /path`.
    pub line: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    /// Null where there is none.
    pub body: Value,
}

/// What it answers.
#[derive(Debug, Clone)]
pub enum Reply {
    Says(u16, String),
    /// With `Retry-After`.
    Later(u16, &'static str),
    /// Takes the request, and nothing more.
    Hangs,
    /// Begins an answer and does not end it.
    Stops,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Says(status, body.to_string())
    }
}

#[derive(Clone)]
pub struct Platform {
    pub url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
}

impl Platform {
    /// Gives these answers, one a request.
    pub async fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let replies = Arc::new(Mutex::new(replies.into_iter().collect()));
        let platform = Self { url, asked: Arc::default(), replies };
        let ours = platform.clone();
        let router = Router::new().fallback(move |request| ours.clone().answer(request));
        tokio::spawn(async move { axum::serve(listener, router).await });
        platform
    }

    /// What it was asked since this was asked last.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// The one request since this was asked last.
    #[track_caller]
    pub fn one(&self) -> Asked {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }

    async fn answer(self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let query = url::form_urlencoded::parse(query).into_owned().collect();
        let headers = head.headers.iter();
        let headers =
            headers.map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned())).collect();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let line = format!("{} {}", head.method, head.uri.path());
        self.asked.lock().unwrap().push(Asked { line, query, headers, body });
        let reply = self.replies.lock().unwrap().pop_front().expect("an answer");
        let answer = Response::builder();
        match reply {
            Reply::Says(status, body) => answer.status(status).body(Body::from(body)),
            Reply::Later(status, after) => {
                answer.status(status).header("retry-after", after).body(Body::empty())
            }
            Reply::Hangs => std::future::pending().await,
            Reply::Stops => {
                let begun = futures::stream::iter([Ok::<_, std::io::Error>("{\"data\"")]);
                let never = futures::StreamExt::chain(begun, futures::stream::pending());
                answer.status(200).body(Body::from_stream(never))
            }
        }
        .unwrap()
    }
}
