//! Our certificate in DTLS, and who is at the other end: the certificate that is shown there is held against the
//! fingerprints of the answer, and until it has proven to be the one nothing but DTLS leaves. webrtcbin 1.22 sets no
//! certificate of its own choice and checks none.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU8, Ordering},
};

use gst::prelude::*;
use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::{MessageDigest, hash},
    nid::Nid,
    pkey::PKey,
    x509::{X509, X509NameBuilder},
};

use super::SessionEvent;
use crate::{
    media::{MediaError, feed::lock},
    whip::fingerprint::{Fingerprint, Fingerprints, HashFunction},
};

/// The certificate lives as long as its process; this is longer than any show.
const DAYS: u32 = 365;

/// Our certificate, one for all sessions of a process: ECDSA on P-256, which RFC 8827, section 6.5, makes the one that
/// everybody takes. dtlsdec's own is RSA in GStreamer 1.22, and newer stacks refuse it.
pub struct Certificate {
    /// Certificate and private key.
    pem: String,
    fingerprint: Fingerprint,
    /// dtlsdec makes its RSA certificate with the first element of a process all the same (150-450 ms): held, so that
    /// going live does not wait for it.
    _warm: Option<gst::Element>,
}

impl Certificate {
    /// Makes it.
    ///
    /// # Errors
    /// OpenSSL does not.
    pub fn make() -> Result<Self, MediaError> {
        let failed = |e: &dyn std::fmt::Display| {
            MediaError::lasting(format!("no certificate could be made for WebRTC: {e}"))
        };
        let (pem, der) = make().map_err(|e| failed(&e))?;
        let fingerprint = digest(&der, HashFunction::Sha256)
            .and_then(|digest| Fingerprint::new(HashFunction::Sha256, digest))
            .ok_or_else(|| failed(&"OpenSSL has no SHA-256"))?;
        let warm = gst::ElementFactory::make("dtlsdec").build().ok();
        Ok(Self { pem, fingerprint, _warm: warm })
    }

    /// What an offer has to say of it.
    pub(super) const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Gives it to a DTLS decoder, which shares it with its encoder. Before both are started.
    pub(super) fn give(&self, decoder: &gst::Element) {
        decoder.set_property("pem", &self.pem);
    }
}

/// A self-signed certificate and its key in PEM form, and the certificate in DER form.
fn make() -> Result<(String, Vec<u8>), ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
    let mut serial = BigNum::new()?;
    // Below 2^63, so that it is positive whatever its first bit.
    serial.rand(63, MsbOption::MAYBE_ZERO, false)?;
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, "WebRTC")?;
    let name = name.build();
    let mut certificate = X509::builder()?;
    // X.509 version 3.
    certificate.set_version(2)?;
    certificate.set_serial_number(&*serial.to_asn1_integer()?)?;
    certificate.set_subject_name(&name)?;
    certificate.set_issuer_name(&name)?;
    // A peer's clock may be behind ours.
    certificate.set_not_before(&*Asn1Time::from_unix(yesterday())?)?;
    certificate.set_not_after(&*Asn1Time::days_from_now(DAYS)?)?;
    certificate.set_pubkey(&key)?;
    certificate.sign(&key, MessageDigest::sha256())?;
    let certificate = certificate.build();
    let mut pem = certificate.to_pem()?;
    pem.extend(key.private_key_to_pem_pkcs8()?);
    Ok((String::from_utf8_lossy(&pem).into_owned(), certificate.to_der()?))
}

/// A day ago, in seconds since 1970.
fn yesterday() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as i64).saturating_sub(86_400).max(0)
}

fn digest(der: &[u8], function: HashFunction) -> Option<Vec<u8>> {
    let function = match function {
        HashFunction::Sha224 => MessageDigest::sha224(),
        HashFunction::Sha256 => MessageDigest::sha256(),
        HashFunction::Sha384 => MessageDigest::sha384(),
        HashFunction::Sha512 => MessageDigest::sha512(),
    };
    hash(function, der).ok().map(|digest| digest.to_vec())
}

/// What is known of the other end.
const UNKNOWN: u8 = 0;
const PROVEN: u8 = 1;
/// Once wrong, for ever wrong.
const WRONG: u8 = 2;

/// Said when another certificate is shown than the one that was named. Security: never tried again by itself.
const IMPOSTOR: &str = "whoever answers on the media path is not the ingest: the certificate shown there is not \
    the one that the ingest's answer names (a=fingerprint), so nothing was sent. Somebody may have \
    taken over the path, or something between changes the ingest's answers: clear that up before going live again";

/// Who is at the other end of one session.
#[derive(Clone)]
pub(super) struct Peer(Arc<Inner>);

struct Inner {
    named: Mutex<Option<Fingerprints>>,
    verdict: AtomicU8,
    tell: tokio::sync::mpsc::Sender<SessionEvent>,
}

impl Peer {
    /// One that nothing is known of yet.
    pub(super) fn new(tell: tokio::sync::mpsc::Sender<SessionEvent>) -> Self {
        let verdict = AtomicU8::new(UNKNOWN);
        Self(Arc::new(Inner { named: Mutex::default(), verdict, tell }))
    }

    /// The answer names it so.
    pub(super) fn expect(&self, named: Fingerprints) {
        *lock(&self.0.named) = Some(named);
    }

    /// Whether it has shown the certificate that was named.
    pub(super) fn is_proven(&self) -> bool {
        self.0.verdict.load(Ordering::Acquire) == PROVEN
    }

    /// It shows this certificate, in PEM form.
    fn shows(&self, pem: &str) {
        let der = X509::from_pem(pem.as_bytes()).and_then(|certificate| certificate.to_der());
        let right = der.is_ok_and(|der| {
            let named = lock(&self.0.named);
            named.as_ref().is_some_and(|named| named.match_digests(|f| digest(&der, f)))
        });
        if right {
            // A wrong one before stays wrong.
            let _ = self.0.verdict.compare_exchange(
                UNKNOWN,
                PROVEN,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
        } else if self.0.verdict.swap(WRONG, Ordering::AcqRel) != WRONG {
            // A full channel loses the words only: what is not proven never counts as connected.
            let _ = self.0.tell.try_send(SessionEvent::Refused(IMPOSTOR.into()));
        }
    }

    /// Listens to a DTLS decoder for the certificate that the other end shows. It comes within the handshake, before
    /// there are keys for media.
    pub(super) fn watch(&self, decoder: &gst::Element) {
        let peer = self.clone();
        decoder.connect_notify(Some("peer-pem"), move |decoder, _| {
            let pem = decoder.property::<Option<String>>("peer-pem");
            peer.shows(pem.as_deref().unwrap_or_default());
        });
    }

    /// Lets nothing but DTLS through to the socket before the other end is proven.
    pub(super) fn guard(&self, socket: &gst::Pad) {
        let peer = self.clone();
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        socket.add_probe(kinds, move |_, info| {
            let passes = peer.is_proven()
                || match &info.data {
                    Some(gst::PadProbeData::Buffer(packet)) => is_dtls(packet),
                    Some(gst::PadProbeData::BufferList(packets)) => packets.iter().all(is_dtls),
                    _ => true,
                };
            // Handled, it is freed here; GStreamer 1.22 would free what is dropped once more.
            if passes { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Handled }
        });
    }
}

/// Told from RTP and RTCP by its first byte (RFC 7983, section 7).
fn is_dtls(packet: &gst::BufferRef) -> bool {
    let mut first = [0];
    packet.copy_to_slice(0, &mut first).is_ok() && matches!(first[0], 20..=63)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(fingerprint: &str) -> Fingerprints {
        let sdp =
            format!("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=fingerprint:{fingerprint}\r\n");
        Fingerprints::of(&sdp, &HashFunction::ALL).unwrap()
    }

    /// A certificate in PEM form, and its fingerprint by a function.
    fn certificate(function: HashFunction) -> (String, String) {
        let (pem, der) = make().unwrap();
        let fingerprint = Fingerprint::new(function, digest(&der, function).unwrap()).unwrap();
        (pem, fingerprint.to_string())
    }

    fn peer() -> (Peer, tokio::sync::mpsc::Receiver<SessionEvent>) {
        let (tell, told) = tokio::sync::mpsc::channel(4);
        (Peer::new(tell), told)
    }

    #[test]
    fn ours_is_ecdsa_on_p_256() {
        let (pem, _) = certificate(HashFunction::Sha256);
        let key = X509::from_pem(pem.as_bytes()).unwrap().public_key().unwrap();
        let curve = key.ec_key().unwrap().group().curve_name();
        assert_eq!(curve, Some(Nid::X9_62_PRIME256V1));
        assert_ne!(pem, certificate(HashFunction::Sha256).0);
    }

    #[test]
    fn the_one_that_was_named_is_proven_by_each_function() {
        for function in HashFunction::ALL {
            let (pem, fingerprint) = certificate(function);
            let (peer, mut told) = peer();
            assert!(!peer.is_proven());
            peer.expect(described(&fingerprint));
            peer.shows(&pem);
            assert!(peer.is_proven() && told.try_recv().is_err(), "{function:?}");
        }
    }

    #[test]
    fn another_is_told_once_and_never_forgiven() {
        let (right, fingerprint) = certificate(HashFunction::Sha256);
        let (wrong, _) = certificate(HashFunction::Sha256);
        let (peer, mut told) = peer();
        peer.expect(described(&fingerprint));
        for shown in [&wrong, &right, &wrong] {
            peer.shows(shown);
            assert!(!peer.is_proven());
        }
        let Ok(SessionEvent::Refused(said)) = told.try_recv() else { panic!("it must be told") };
        assert!(said.contains("is not the ingest"), "{said}");
        assert!(told.try_recv().is_err());
        // The right one first, then another: a second handshake by somebody else.
        let (peer, mut told) = self::peer();
        peer.expect(described(&fingerprint));
        peer.shows(&right);
        assert!(peer.is_proven());
        peer.shows(&wrong);
        assert!(!peer.is_proven() && told.try_recv().is_ok());
    }

    #[test]
    fn without_an_answer_or_a_certificate_nobody_is_proven() {
        let (pem, fingerprint) = certificate(HashFunction::Sha256);
        let (unasked, _told) = peer();
        unasked.shows(&pem);
        assert!(!unasked.is_proven());
        for none in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let (peer, _told) = peer();
            peer.expect(described(&fingerprint));
            peer.shows(none);
            assert!(!peer.is_proven(), "{none:?}");
        }
    }

    #[test]
    fn only_dtls_passes_before_the_proof() {
        crate::media::init().unwrap();
        let sink = gst::ElementFactory::make("fakesink").build().unwrap();
        let pad = sink.static_pad("sink").unwrap();
        let source = gst::Pad::new(gst::PadDirection::Src);
        let (pem, fingerprint) = certificate(HashFunction::Sha256);
        let (peer, _told) = peer();
        peer.expect(described(&fingerprint));
        peer.guard(&pad);
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let ours = Arc::clone(&arrived);
        pad.add_probe(
            gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST,
            move |_, info| {
                let first = |packet: &gst::BufferRef| packet.map_readable().unwrap()[0];
                match &info.data {
                    Some(gst::PadProbeData::Buffer(packet)) => {
                        ours.lock().unwrap().push(first(packet));
                    }
                    Some(gst::PadProbeData::BufferList(list)) => {
                        ours.lock().unwrap().extend(list.iter().map(first));
                    }
                    _ => {}
                }
                gst::PadProbeReturn::Ok
            },
        );
        source.link(&pad).unwrap();
        source.set_active(true).unwrap();
        sink.set_state(gst::State::Playing).unwrap();
        source.push_event(gst::event::StreamStart::new("test"));
        source
            .push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        let packet = |first: u8| gst::Buffer::from_mut_slice(vec![first, 0xe0, 0, 1]);
        let all = |packets: &[u8]| {
            let mut list = gst::BufferList::new();
            for first in packets {
                list.get_mut().unwrap().add(packet(*first));
            }
            list
        };
        let send = || {
            // RTP, RTCP, DTLS handshake and data, a relay's channel data, nothing at all.
            for first in [0x80, 0x81, 22, 23, 0x40] {
                source.push(packet(first)).unwrap();
            }
            source.push_list(all(&[0x80, 0x80])).unwrap();
            source.push_list(all(&[22, 0x80])).unwrap();
            source.push_list(all(&[22, 23])).unwrap();
        };
        send();
        assert_eq!(std::mem::take(&mut *arrived.lock().unwrap()), [22, 23, 22, 23]);
        peer.shows(&pem);
        send();
        assert_eq!(arrived.lock().unwrap().len(), 11);
        sink.set_state(gst::State::Null).unwrap();
    }
}
