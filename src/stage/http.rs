//! The stage's doors: WHIP (RFC 9725), WHEP and the viewer page, over plain HTTP. Checks who asks and what,
//! hands sessions to the loop, and keeps none itself.

mod doors;
mod guard;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::{delete, get, options, post},
};

use super::{
    server::Posts,
    session::Role,
    sfu::{
        Sfu,
        air::{self, SharedWeather},
    },
};
use crate::base::Secret;

/// Largest SDP or fragment, in bytes.
pub const MAX_SDP: usize = 64 * 1024;
/// Largest post of a viewer's figures, in bytes.
pub const MAX_POST: usize = 4 * 1024;

/// What every door knows.
#[derive(Debug)]
pub struct Door {
    /// The loop.
    pub sfu: Sfu,
    /// What viewers must know.
    pub token: Option<Secret>,
    /// What publishers from outside must know.
    pub publish_token: Option<Secret>,
    /// What the publisher of the show that runs the stage knows.
    pub owner: Secret,
    /// Where the stage listens.
    pub listen: SocketAddr,
    /// The boot of this machine, as its stamps say it.
    pub boot: u64,
    /// What viewer pages said.
    pub posts: Arc<Posts>,
    /// What the network is like.
    pub weather: SharedWeather,
}

/// The page, whole: it fetches nothing but `/whep`, `/clock` and `/viewer`.
const PAGE: &str = include_str!("../../assets/viewer.html");

/// All doors.
pub fn router(door: Door) -> Router {
    let door = Arc::new(door);
    let sessions = Router::new()
        .route("/whip", post(doors::publish).merge(options(doors::whip_options)))
        .route("/whip/{id}", delete(doors::unpublish).patch(doors::trickle_publisher))
        .route("/whep", post(doors::view).merge(options(doors::whep_options)))
        .route(
            "/whep/{id}",
            delete(doors::leave).patch(doors::trickle_viewer).merge(options(doors::whep_options)),
        )
        .layer(DefaultBodyLimit::max(MAX_SDP));
    Router::new()
        .route("/", get(page))
        .route("/clock", get(doors::clock))
        .route("/viewer", post(doors::figures).layer(DefaultBodyLimit::max(MAX_POST)))
        .merge(sessions)
        .layer(middleware::from_fn_with_state(Arc::clone(&door), guard::host))
        .layer(middleware::from_fn_with_state(Arc::clone(&door), travel))
        .with_state(door)
}

/// Requests take as long as the weather says: there and back.
async fn travel(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let role = match request.uri().path() {
        path if path.starts_with("/whip") => Role::Publisher,
        _ => Role::Viewer,
    };
    let way = air::now(&door.weather).one_way_ms(role);
    if way == 0 {
        return next.run(request).await;
    }
    tokio::time::sleep(Duration::from_millis(way)).await;
    let answer = next.run(request).await;
    tokio::time::sleep(Duration::from_millis(way)).await;
    answer
}

async fn page() -> impl IntoResponse {
    let headers = [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        (
            "content-security-policy",
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
             worker-src blob:; connect-src 'self'; media-src 'self' blob: mediastream:; img-src data:; \
             frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
        ),
    ];
    (headers, Html(PAGE))
}
