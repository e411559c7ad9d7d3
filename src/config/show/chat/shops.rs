//! `kind = "facebook"` and `kind = "shopee"`: platforms that are asked with a token.

use super::{Fields, Findings, Place, read_api, secret_ref};
use crate::{
    chat::spec::{SHOPEE, Service},
    config::{diagnostics::quoted, reader::whole_number},
};

const REFERENCE: &str = "= \"env:NAME\" or \"file:PATH\"";

pub(super) fn read_facebook(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<Service> {
    fields.missing(findings, "video", "write video = \"…\": the number of the live video");
    fields.missing(findings, "token", &format!("write token {REFERENCE}: the page's token"));
    let token = secret_ref(fields, "token", place.base_dir, findings);
    // No stand-in: the two hosts of Facebook itself.
    let api = if fields.has("api") { Some(read_api(fields, "", findings)?) } else { None };
    let (video, span) = fields.text(findings, "video")?;
    if video.len() > 40 || !video.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        let todo = "write the number of the live video, as the Live Producer or the API gives it";
        findings.add(&span, format!("{} is no live video", quoted(video)), todo);
        return None;
    }
    Some(Service::Facebook { video: video.to_owned(), token: token?, api })
}

pub(super) fn read_shopee(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<Service> {
    let key = secret_ref(fields, "key", place.base_dir, findings);
    let token = secret_ref(fields, "token", place.base_dir, findings);
    fields.missing(findings, "key", &format!("write key {REFERENCE}: the partner's key"));
    fields.missing(findings, "token", &format!("write token {REFERENCE}: the shop's token"));
    let live = read_number(fields, "live", "the live session", findings);
    let partner = read_number(fields, "partner", "the partner", findings);
    let shop = read_number(fields, "shop", "the shop", findings);
    let api = read_api(fields, SHOPEE, findings);
    Some(Service::Shopee {
        live: live?,
        partner: partner?,
        shop: shop?,
        key: key?,
        token: token?,
        api: api?,
    })
}

/// An identifier that is a number; some of Shopee's have more than 32 bits.
pub(super) fn read_number(
    fields: &Fields<'_>,
    key: &str,
    of: &str,
    findings: &mut Findings<'_>,
) -> Option<u64> {
    let todo = format!("write {key} = …: the number of {of}");
    fields.missing(findings, key, &todo);
    let value = fields.value(key)?;
    let number = whole_number(value.get_ref()).and_then(|n| u64::try_from(n).ok());
    let number = number.filter(|n| *n > 0);
    if number.is_none() {
        findings.add(&value.span(), format!("{key} is no number above 0"), todo);
    }
    number
}
