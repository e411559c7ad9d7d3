//! Why an SRT server refuses us. libsrt knows at once; srtsink passes nothing on but libsrt's log, where the reason stands
//! without the connection that it belongs to. So it is believed only while one output alone is connecting, and no input of
//! this process is an SRT connection too.

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicUsize, Ordering},
};

use super::super::feed::lock;
use crate::show::FailureKind;

/// The category of libsrt's log in GStreamer's.
pub(in crate::media) const CATEGORY: &str = "srtlib";
/// What stands in a line of libsrt's log (1.4 and 1.5) before the reason.
const BEFORE: &str = "REJECT reported from HS processing: ";

/// Who is connecting. Process-wide, because libsrt's log is.
static CONNECTING: Mutex<Vec<Weak<Waiting>>> = Mutex::new(Vec::new());
/// Connections whose reasons stand in the same log and are not an output's.
static OTHERS: AtomicUsize = AtomicUsize::new(0);

/// Why a server refuses a connection: libsrt's `SRT_REJECT_REASON` (srt.h), as far as an operator can do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// 1010 `SRT_REJ_BADSECRET`.
    Passphrase,
    /// 1011 `SRT_REJ_UNSECURE`: one side encrypts, the other does not.
    OneSided,
    /// 1002 `SRT_REJ_PEER`, and what servers define themselves from 1400 on: the stream id, most often.
    Server,
    /// 1005 `SRT_REJ_BACKLOG`.
    Full,
    /// 1008 `SRT_REJ_VERSION`.
    Version,
    /// 1012 to 1015: transmission mode, congestion control, packet filter, groups.
    Mode,
}

impl Reason {
    /// By libsrt's words for it (`srt_rejectreason_str`).
    fn of(line: &str) -> Option<Self> {
        let words = &line[line.find(BEFORE)? + BEFORE.len()..];
        let known = [
            ("Incorrect passphrase", Self::Passphrase),
            ("Password required or unexpected", Self::OneSided),
            ("Peer rejected connection", Self::Server),
            ("Application-defined rejection reason", Self::Server),
            ("Listener's backlog exceeded", Self::Full),
            ("Peer version too old", Self::Version),
            ("MessageAPI/StreamAPI collision", Self::Mode),
            ("Congestion controller type collision", Self::Mode),
            ("Packet Filter settings error", Self::Mode),
            ("Group settings collision", Self::Mode),
        ];
        known.into_iter().find(|(text, _)| words.starts_with(text)).map(|(_, reason)| reason)
    }

    /// What is said of it, and whether a further try can help.
    pub(super) fn broke(self, encrypted: bool) -> (String, FailureKind) {
        let (text, kind) = match self {
            Self::Passphrase => (
                "the server refuses the passphrase (SRT 1010): give the output the server's own",
                FailureKind::Lasting,
            ),
            Self::OneSided if encrypted => (
                "the server takes no passphrase, and this output gives one (SRT 1011): take the passphrase out, or \
                 set it at the server too",
                FailureKind::Lasting,
            ),
            Self::OneSided => (
                "the server asks for a passphrase, and this output has none (SRT 1011): add passphrase = \"env:NAME\"",
                FailureKind::Lasting,
            ),
            Self::Server => (
                "the server refuses the connection: check the stream-id, and what the server's log says",
                FailureKind::Passing,
            ),
            Self::Full => {
                ("the server has no place for one more connection (SRT 1005)", FailureKind::Passing)
            }
            Self::Version => {
                ("the server asks for a newer version of SRT (SRT 1008)", FailureKind::Lasting)
            }
            Self::Mode => (
                "the server wants another mode of SRT than a live stream (SRT 1012 to 1015): check its settings",
                FailureKind::Lasting,
            ),
        };
        (text.into(), kind)
    }
}

/// An output that is connecting.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Option<Reason>>);

impl Waiting {
    /// From before it connects until it is dropped.
    pub(super) fn begin() -> Arc<Self> {
        let waiting = Arc::<Self>::default();
        let mut all = lock(&CONNECTING);
        all.retain(|w| w.strong_count() > 0);
        all.push(Arc::downgrade(&waiting));
        waiting
    }

    /// Why it was refused, once that is known.
    pub(super) fn reason(&self) -> Option<Reason> {
        *lock(&self.0)
    }
}

/// An SRT connection that is no output's, as long as it is held.
#[derive(Debug)]
pub(in crate::media) struct Other(());

impl Other {
    pub(in crate::media) fn begin() -> Self {
        OTHERS.fetch_add(1, Ordering::AcqRel);
        Self(())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        OTHERS.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A line of libsrt's log.
pub(in crate::media) fn heard(line: &str) {
    let Some(reason) = Reason::of(line) else { return };
    if OTHERS.load(Ordering::Acquire) > 0 {
        return;
    }
    let waiting: Vec<_> = lock(&CONNECTING).iter().filter_map(Weak::upgrade).collect();
    if let [only] = &waiting[..] {
        lock(&only.0).get_or_insert(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As libsrt 1.5.1 wrote them.
    const SAID: [(&str, Reason); 3] = [
        (
            "processAsyncConnectRequest: REJECT reported from HS processing: Incorrect passphrase - not processing \
             further",
            Reason::Passphrase,
        ),
        (
            "processAsyncConnectRequest: REJECT reported from HS processing: Password required or unexpected - not \
             processing further",
            Reason::OneSided,
        ),
        (
            "processAsyncConnectRequest: REJECT reported from HS processing: Application-defined rejection reason - \
             not processing further",
            Reason::Server,
        ),
    ];

    #[test]
    fn a_reason_is_believed_only_where_it_is_known_whose_it_is() {
        for (line, reason) in SAID {
            let one = Waiting::begin();
            heard("processAsyncConnectRequest: all is well");
            assert_eq!(one.reason(), None);
            heard(line);
            assert_eq!(one.reason(), Some(reason));
        }
        let line = SAID[0].0;
        let (one, two) = (Waiting::begin(), Waiting::begin());
        heard(line);
        assert_eq!((one.reason(), two.reason()), (None, None), "whose it is is not known");
        drop(two);
        let other = Other::begin();
        heard(line);
        assert_eq!(one.reason(), None, "it may be an input's");
        drop(other);
        heard(line);
        assert_eq!(one.reason(), Some(Reason::Passphrase));
    }

    #[test]
    fn the_words_say_what_to_change() {
        let words = |encrypted| Reason::OneSided.broke(encrypted).0;
        assert!(words(true).contains("takes no passphrase"), "{}", words(true));
        assert!(words(false).contains("asks for a passphrase"), "{}", words(false));
        assert_eq!(Reason::Passphrase.broke(true).1, FailureKind::Lasting);
    }
}
