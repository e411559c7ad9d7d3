//! Lines that claim nothing although they hold a claim: it is denied, past, or made on a condition.

use super::words::{ALONE, ALREADY, ANY_CLAIM, BLOCK, CONDITION, DONE, NEGATION, Part, Read};

/// Parts between a word that denies and the claim.
const REACH: usize = 3;
/// "Already want A12" wants it now.
const DESIRES: &[&str] =
    &["mau", "nak", "nk", "saya nak", "sy nk", "want", "i want", "need", "i need", "pengen"];

impl Read {
    /// Whether its words say that nothing is ordered.
    pub(super) fn is_blocked(&self) -> bool {
        self.is_denied()
            || self
                .parts
                .iter()
                .any(|part| matches!(part, Part::Word(bits, _) if bits & BLOCK != 0))
    }

    /// Whether the claim is denied, past, or conditional.
    pub(super) fn is_denied(&self) -> bool {
        let is_claim = |part: &Part| matches!(part, Part::Word(bits, _) if bits & ANY_CLAIM != 0);
        let first_code = self.parts.iter().position(|part| matches!(part, Part::Code(_)));
        self.parts.iter().enumerate().any(|(n, part)| {
            let Part::Word(bits, _) = part else { return false };
            let condition = bits & CONDITION != 0 && first_code.is_none_or(|code| n < code);
            condition
                || (bits & NEGATION != 0 && self.claims_after(n, false))
                || (bits & ALREADY != 0 && self.claims_after(n, true))
                || (bits & DONE != 0
                    && self
                        .parts
                        .iter()
                        .take(n)
                        .any(|part| is_claim(part) || matches!(part, Part::Quantity(_, false)))
                    && !self.parts.get(n + 1).is_some_and(|next| {
                        is_claim(next)
                            || matches!(next, Part::Code(_) | Part::Number(_) | Part::Quantity(..))
                    }))
        })
    }

    /// Whether a claim follows soon, before a comma or a number.
    fn claims_after(&self, n: usize, past: bool) -> bool {
        let near = self.parts.iter().skip(n + 1).take(REACH);
        let near = near.map_while(|part| match part {
            Part::Word(bits, word) => Some((*bits, word.as_str())),
            Part::Code(_) if past => Some((0, "")),
            _ => None,
        });
        let claim = near.into_iter().find(|(bits, _)| bits & (ANY_CLAIM | ALONE) != 0);
        claim.is_some_and(|(_, word)| !(past && DESIRES.contains(&word)))
    }
}
