//! A server of HTTP on loopback that can be cut off, with every connection it has, and come back at the same port.

use std::time::Duration;

use axum::Router;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};

pub struct Server {
    router: Router,
    runtime: Option<Runtime>,
    pub port: u16,
}

impl Server {
    /// Listens at any free port.
    pub fn of(router: Router) -> Self {
        let mut server = Self { router, runtime: None, port: 0 };
        server.mend();
        server
    }

    /// Listens, at the same port as before.
    pub fn mend(&mut self) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", self.port))).unwrap();
        self.port = listener.local_addr().unwrap().port();
        let router = self.router.clone();
        runtime.spawn(async move { axum::serve(listener, router).await });
        self.runtime = Some(runtime);
    }

    /// Drops every connection, and listens no more.
    pub fn cut(&mut self) {
        self.runtime.take().unwrap().shutdown_timeout(Duration::from_secs(5));
    }
}
