//! What a receiver says by RTCP, as far as a sender needs it: which kinds of packet a compound holds, its report
//! blocks, REMB, BYE. Bytes from outside: whatever does not hold to its lengths ends the reading.

/// RTCP's version in the first byte (RFC 3550, 6.4.1).
const VERSION: u8 = 2;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const BYE: u8 = 203;
/// Feedback on the transport and on the payload (RFC 4585, 6.1).
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
/// Extended reports (RFC 3611).
const EXTENDED_REPORT: u8 = 207;
/// The format of transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1).
const TRANSPORT_WIDE: u8 = 15;
/// Application layer feedback, which REMB is (draft-alvestrand-rmcat-remb-03, 2.2).
const APPLICATION: u8 = 15;
const REPORT_BLOCK: usize = 24;
/// More report blocks than a show has streams; the rest is not read.
const MOST_BLOCKS: usize = 8;
/// The same for those who say goodbye.
const MOST_BYES: usize = 8;

/// A report block (RFC 3550, 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block {
    /// Of which stream.
    pub ssrc: u32,
    /// The share lost since the report before, in 1/256.
    pub fraction_lost: u8,
    /// Lost so far; negative where packets came twice.
    pub lost: i32,
    /// The highest number received, with its cycles.
    pub highest: u32,
    /// In units of the stream's RTP clock.
    pub jitter: u32,
    /// The middle of the NTP time of our last sender report; zero while it has none.
    pub last_report: u32,
    /// Since that came there, in 1/65536 s.
    pub delay: u32,
}

/// What a compound packet holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compound {
    /// Whose the first packet is.
    pub sender: Option<u32>,
    /// Transport-wide feedback.
    pub packets: bool,
    /// SR, RR or XR.
    pub report: bool,
    /// Any other feedback.
    pub feedback: bool,
    /// Report blocks.
    pub blocks: Vec<Block>,
    /// The receiver's estimate of what the path carries, in bit/s (REMB).
    pub remb: Option<u64>,
    /// Who says goodbye.
    pub byes: Vec<u32>,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// Reads a compound packet. Nothing is heard in what is no RTCP.
pub fn read(mut rest: &[u8]) -> Compound {
    let mut all = Compound::default();
    while let Some((&[first, kind, high, low], _)) = rest.split_first_chunk::<4>() {
        let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        let Some((packet, after)) = rest.split_at_checked(length) else { break };
        if first >> 6 != VERSION || !(192..=223).contains(&kind) {
            break;
        }
        all.take(kind, first & 0x1f, packet);
        rest = after;
    }
    all
}

impl Compound {
    /// Whether anything was heard.
    pub const fn is_empty(&self) -> bool {
        !self.packets && !self.report && !self.feedback && self.byes.is_empty()
    }

    fn take(&mut self, kind: u8, count: u8, packet: &[u8]) {
        if self.sender.is_none() && kind != BYE {
            self.sender = word(packet, 4);
        }
        match kind {
            SENDER_REPORT | RECEIVER_REPORT => {
                self.report = true;
                // A header and an SSRC, and 20 bytes on what the sender sends itself.
                let begin = if kind == SENDER_REPORT { 28 } else { 8 };
                let blocks = packet.get(begin..).unwrap_or_default().chunks_exact(REPORT_BLOCK);
                let left = MOST_BLOCKS.saturating_sub(self.blocks.len());
                self.blocks.extend(blocks.take(count.into()).take(left).filter_map(block));
            }
            EXTENDED_REPORT => self.report = true,
            TRANSPORT_FEEDBACK if count == TRANSPORT_WIDE => self.packets = true,
            PAYLOAD_FEEDBACK if count == APPLICATION => {
                self.feedback = true;
                self.remb = remb(packet).or(self.remb);
            }
            TRANSPORT_FEEDBACK | PAYLOAD_FEEDBACK => self.feedback = true,
            BYE => {
                let ours =
                    (0..usize::from(count).min(MOST_BYES)).map_while(|n| word(packet, 4 + n * 4));
                self.byes.extend(ours);
                self.byes.truncate(MOST_BYES);
            }
            _ => {}
        }
    }
}

fn block(bytes: &[u8]) -> Option<Block> {
    let lost = word(bytes, 4)?;
    Some(Block {
        ssrc: word(bytes, 0)?,
        fraction_lost: (lost >> 24) as u8,
        // 24 bits with a sign.
        lost: ((lost << 8) as i32) >> 8,
        highest: word(bytes, 8)?,
        jitter: word(bytes, 12)?,
        last_report: word(bytes, 16)?,
        delay: word(bytes, 20)?,
    })
}

/// 6 bits of exponent and 18 of mantissa after the name `REMB` and the number of streams.
fn remb(packet: &[u8]) -> Option<u64> {
    if packet.get(12..16)? != b"REMB" {
        return None;
    }
    let value = word(packet, 16)? & 0x00ff_ffff;
    let (exponent, mantissa) = (value >> 18, u64::from(value & 0x3_ffff));
    // An exponent of 63 is possible in the format and absurd on any path.
    (exponent < 40).then(|| mantissa << exponent)
}

/// The middle of the NTP time of a sender report, by which a receiver's block names it.
pub fn sent_report(packet: &[u8]) -> Option<u32> {
    let kind = *packet.get(1)?;
    (kind == SENDER_REPORT && packet.first()? >> 6 == VERSION)
        .then(|| Some((word(packet, 8)? << 16) | (word(packet, 12)? >> 16)))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A packet of that type; its length is filled in.
    fn packet(count: u8, kind: u8, words: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0x80 | count, kind, 0, words.len() as u8];
        bytes.extend(words.iter().flat_map(|w| w.to_be_bytes()));
        bytes
    }

    const BLOCK: [u32; 6] = [7, 0x40ff_fffe, 0x0001_1000, 90, 0x1234_5678, 0x8000];

    #[test]
    fn a_compound_is_read_whole() {
        let mut bytes = packet(1, 201, &[[1].as_slice(), &BLOCK].concat());
        bytes.extend(packet(15, 206, &[1, 0, u32::from_be_bytes(*b"REMB"), 0x0106_ddd0, 7]));
        bytes.extend(packet(15, 205, &[1, 7, 0, 0]));
        bytes.extend(packet(1, 206, &[1, 7]));
        bytes.extend(packet(2, 203, &[1, 9]));
        let all = read(&bytes);
        assert_eq!(all.sender, Some(1));
        assert!(all.packets && all.report && all.feedback && !all.is_empty());
        let block = all.blocks[0];
        assert_eq!((block.ssrc, block.fraction_lost, block.lost), (7, 0x40, -2));
        assert_eq!((block.highest, block.jitter), (0x0001_1000, 90));
        assert_eq!((block.last_report, block.delay), (0x1234_5678, 0x8000));
        // 1 << 18 | 0x2ddd0, shifted by one.
        assert_eq!(all.remb, Some(0x2_ddd0 << 1));
        assert_eq!(all.byes, [1, 9]);
    }

    #[test]
    fn a_sender_report_holds_its_blocks_after_its_own_figures() {
        let bytes =
            packet(1, 200, &[[1, 0xaaaa_bbbb, 0xcccc_dddd, 3, 4, 5].as_slice(), &BLOCK].concat());
        let all = read(&bytes);
        assert_eq!((all.report, all.blocks.len(), all.blocks[0].ssrc), (true, 1, 7));
        assert_eq!(sent_report(&bytes), Some(0xbbbb_cccc));
        assert_eq!(sent_report(&packet(0, 201, &[1])), None);
    }

    #[test]
    fn what_is_cut_off_or_foreign_is_not_heard() {
        assert!(read(&[]).is_empty());
        assert!(read(&packet(1, 201, &[1, 7])[..8]).is_empty());
        assert!(read(&packet(1, 20, &[1, 7])).is_empty(), "no RTCP");
        assert!(read(&[0x16, 201, 0, 0]).is_empty(), "DTLS");
        // A block that is promised and not there: the report is one all the same.
        let promised = read(&packet(3, 201, &[1, 7]));
        assert!(promised.report && promised.blocks.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let all = read(&bytes);
            prop_assert!(all.blocks.len() <= MOST_BLOCKS && all.byes.len() <= MOST_BYES);
            let _ = sent_report(&bytes);
        }
    }
}
