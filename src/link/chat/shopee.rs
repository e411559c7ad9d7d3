//! A source of Shopee Live: one signed poll after the other. Token and signature are in the addresses; they are shown and
//! logged nowhere.

use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};
use reqwest::{Client, header::HeaderMap};
use tokio::time::sleep;
use url::Url;

use super::{
    Clock, Ended, Report, Reports,
    api::{self, Bounds, Http, impossible, nobody, whole_line},
};
use crate::{
    base::Secret,
    chat::{
        PlatformAction,
        request::Request,
        send::{Answer, Failure},
        shopee::{self, Credentials, Fault, Session},
    },
};

/// Polls in a row that may fail before the connection counts as lost.
const FAILURES: u32 = 3;

/// How the API is reached.
#[derive(Debug)]
pub struct Api {
    client: Client,
    base: Url,
    credentials: Credentials,
    key: Secret,
}

impl Api {
    /// `base` is [`spec::SHOPEE`](crate::chat::spec::SHOPEE), or a stand-in of it; `key` is the partner's.
    pub fn new(base: Url, credentials: Credentials, key: Secret) -> Result<Self, Ended> {
        Ok(Self { client: api::client(HeaderMap::new())?, base, credentials, key })
    }

    /// The same over a client that is there.
    pub fn over(http: &Http, base: Url, credentials: Credentials, key: Secret) -> Self {
        Self { client: http.client(), base, credentials, key }
    }

    fn signed(&self, request: Request, second: i64) -> Option<Request> {
        let mac = mac(&self.key)?;
        let mut failed = false;
        let signed = self.credentials.signed(request, second, |base| {
            mac(base).unwrap_or_else(|| {
                failed = true;
                [0; 32]
            })
        });
        (!failed).then_some(signed)
    }
}

/// HMAC-SHA256 under the key.
fn mac(key: &Secret) -> Option<impl Fn(&[u8]) -> Option<[u8; 32]> + use<>> {
    let key = PKey::hmac(key.expose().as_bytes()).ok()?;
    Some(move |bytes: &[u8]| {
        let mut signer = Signer::new(MessageDigest::sha256(), &key).ok()?;
        signer.update(bytes).ok()?;
        signer.sign_to_vec().ok()?.try_into().ok()
    })
}

/// Carries out an action in a live session and says what came of it: Shopee takes comments, and bans without an end.
pub async fn write(
    api: &Api,
    http: &Http,
    live: u64,
    clock: &Clock,
    action: &PlatformAction,
) -> Answer {
    let request = match request(live, action) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let Some(request) = api.signed(request, clock.now().wall.as_second()) else {
        return Answer::Failed(Failure::other("OpenSSL of this machine makes no HMAC-SHA256"));
    };
    let answer = shopee::answer(&http.send(&api.base, &request, None).await);
    if let Answer::Dropped { code, .. } = &answer {
        tracing::warn!("Shopee refuses a write: {}; the shop's token lasts 4 h", code.as_str());
    }
    answer
}

fn request(live: u64, action: &PlatformAction) -> Result<Request, Answer> {
    let user = |user: &crate::chat::Author| user.id.clone().ok_or_else(nobody);
    match action {
        PlatformAction::Say { text, .. } => whole_line(text, shopee::send(live, text)),
        PlatformAction::Ban { user: who, .. } => {
            shopee::ban(live, &user(who)?, true).map_err(impossible)
        }
        PlatformAction::Lift { user: who, .. } => {
            shopee::ban(live, &user(who)?, false).map_err(impossible)
        }
        PlatformAction::Delete(_) | PlatformAction::TimeOut { .. } => {
            Err(Answer::Failed(Failure::NotAllowed))
        }
    }
}

/// Serves the source until it cannot be read.
pub async fn serve(api: &Api, session: &mut Session, clock: &Clock, reports: &Reports) -> Ended {
    run(api, session, clock, reports).await.unwrap_or_else(|ended| ended)
}

async fn run(
    api: &Api,
    session: &mut Session,
    clock: &Clock,
    reports: &Reports,
) -> Result<Ended, Ended> {
    let (mut failed, mut live) = (0, false);
    loop {
        let now = clock.now();
        if let Some(due) = session.due(now.mono) {
            sleep(due.since(now.mono)).await;
        }
        let now = clock.now();
        let request = session.call(now);
        let Some(request) = api.signed(request, now.wall.as_second()) else {
            return Ok(Ended::lasting("OpenSSL of this machine makes no HMAC-SHA256"));
        };
        let (status, body) = api::whole(&api.client, &api.base, &request, Bounds::PAGE).await;
        let answered = session.answered(status, &body);
        match answered {
            Ok(()) => {
                (failed, live) = (0, true);
                reports.tell(Report::Live).await?;
            }
            Err(Fault::Unreadable) => {
                failed += 1;
                reports.tell(Report::Unreadable).await?;
            }
            Err(_) => failed += 1,
        }
        while let Some(update) = session.poll() {
            reports.tell(Report::Update(update)).await?;
        }
        if let Err(fault) = answered
            && (failed >= FAILURES || fault.is_lasting() || fault == Fault::RateLimited)
        {
            return Ok(ended(fault, live));
        }
    }
}

/// A token lasts four hours and may have been renewed in its file: who was live may try once more.
fn ended(fault: Fault, live: bool) -> Ended {
    let todo = match fault {
        Fault::Refused => ": check partner, shop and key, and renew the token (it lasts 4 h)",
        Fault::NoSession => ": check live, the number of the live session",
        _ => "",
    };
    let why = match fault {
        Fault::Status(0) => "Shopee does not answer".to_owned(),
        fault => format!("Shopee: {fault}{todo}"),
    };
    let renewable = fault == Fault::Refused && live;
    Ended { why, lasting: fault.is_lasting() && !renewable }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by another program.
    #[test]
    fn the_sign_is_hmac_sha256_under_the_partners_key() {
        let mac = mac(&Secret::new("partner-key-of-ours")).unwrap();
        let base =
            b"2001234/api/v2/livestream/get_latest_comment_list1767000000token-of-ours14701711";
        let hex: String =
            mac(base).unwrap().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(hex, "a88b3671d1583bf36ec3d7016dbe094a8eaf749a5826c72fbc8ce775dbe3e9c2");
    }
}
