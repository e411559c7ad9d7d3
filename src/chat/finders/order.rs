//! Orders: a code or a claim with a quantity, in the shapes in which viewers type them.

use super::{
    Order, Question,
    words::{
        ADDRESS, ALONE, ANY_CLAIM, BLOCK, COLOUR, COMMON, COUNTER, FILLER, FIRM, ITEM, MARKER,
        MODAL, MOST, NAME, OWN, PLACE, PLEASE, POLITE, Part, Read, THIS, is_latin,
    },
};

/// The greatest number after a code that is a quantity without one: beyond it are sizes of shoes and prices.
const MOST_BARE: u32 = 20;
/// Words of no list that may stand beside a claim without a quantity, and in a line that is only a code.
const UNKNOWN_BESIDE_CLAIM: usize = 2;
/// The same beside "mine" and its like, which hardly mean anything else: a name may follow.
const UNKNOWN_BESIDE_ITEM: usize = 3;
/// The same after "A12 2": names and places follow.
const UNKNOWN_AFTER_NUMBER: usize = 5;
/// Further words of no list beside a question about shipping or payment: they are a part of that question.
const UNKNOWN_IN_QUESTION: usize = 6;
/// Words after "to" and its like that are a place.
const MOST_OF_PLACE: usize = 4;
/// Words of a name.
const MOST_OF_NAME: usize = 3;
/// Words beside a clause that claims by itself: "mine, so happy".
const UNKNOWN_BESIDE_CLAUSE: usize = 5;
/// "Number 1 seller" is praise.
const PRAISED: &[&str] = &[
    "seller",
    "host",
    "shop",
    "store",
    "live",
    "boss",
    "fan",
    "admin",
    "idol",
    "tienda",
    "loja",
    "vendedora",
    "toko",
    "kedai",
];

impl Read {
    /// The orders of the line, and the items that it only names.
    pub(super) fn orders(
        &self,
        questions: &[Question],
        complaint: bool,
    ) -> (Vec<Order>, Vec<String>) {
        let named = self.codes();
        let has = |bit: u32| {
            self.parts.iter().any(|part| matches!(part, Part::Word(bits, _) if bits & bit != 0))
        };
        let plus = self.parts.iter().any(|part| matches!(part, Part::Quantity(_, true)));
        if has(BLOCK) && !(plus && !has(ANY_CLAIM) && !self.is_cancelled())
            || (complaint && !plus && (named.is_empty() || !has(ITEM | FIRM)))
            || self.is_denied()
        {
            return (Vec::new(), named);
        }
        let orders = if named.is_empty() {
            self.without_code(questions)
        } else {
            self.with_codes(questions)
        };
        let named =
            named.into_iter().filter(|code| orders.iter().all(|o| o.code.as_ref() != Some(code)));
        let named = named.collect();
        (orders, named)
    }

    /// Whether it claims in the form of a question.
    pub(super) fn is_polite(&self) -> bool {
        let claim = self.claim();
        claim & POLITE != 0 || (claim & MODAL != 0 && claim & ANY_CLAIM != 0)
    }

    /// "살 수 있나요" asks whether one can buy: for leave, and not for the stock.
    fn is_asked_in_korean(&self) -> bool {
        let is_hangul = |word: &str| word.starts_with(|c| matches!(c, '\u{ac00}'..='\u{d7a3}'));
        self.parts.iter().any(
            |part| matches!(part, Part::Word(bits, word) if bits & MODAL != 0 && is_hangul(word)),
        )
    }

    /// Whether a clause of the line claims what is on show, and says nothing else: "that's mine, finally". What
    /// stands beside it is short and holds no number.
    fn has_claiming_clause(&self) -> bool {
        const KNOWN: u32 = FILLER | PLEASE | ADDRESS | ANY_CLAIM | ALONE | OWN | THIS;
        let is_clause_end = |part: &Part| matches!(part, Part::Break);
        let is_other = |part: &Part| matches!(part, Part::Word(bits, _) if bits & KNOWN == 0);
        let claims = |clause: &[Part]| {
            let bits = clause.iter().fold(0, |all, part| match part {
                Part::Word(bits, _) => all | bits,
                _ => all,
            });
            let strong =
                bits & (ALONE | FIRM | OWN) != 0 || (bits & ANY_CLAIM != 0 && bits & THIS != 0);
            // "I'll take this dress": what is pointed at may be named.
            let named = usize::from(bits & FIRM != 0 && bits & THIS != 0);
            strong && clause.iter().filter(|part| is_other(part)).count() <= named
        };
        let plain = |part: &Part| matches!(part, Part::Word(..) | Part::Break);
        self.parts.iter().all(plain)
            && self.parts.iter().filter(|part| is_other(part)).count() <= UNKNOWN_BESIDE_CLAUSE
            && self.parts.split(is_clause_end).any(claims)
    }

    fn is_cancelled(&self) -> bool {
        // A "+1" beside a request to show something is an order; beside any other of these words it is not.
        self.parts.iter().any(|part| {
            matches!(part, Part::Word(bits, word) if bits & BLOCK != 0
                && !matches!(word.as_str(), "show" | "pakita" | "patingin" | "try" | "xem" | "coi" | "lihat" | "liat"))
        })
    }

    fn codes(&self) -> Vec<String> {
        let mut codes: Vec<String> = Vec::new();
        for part in &self.parts {
            if let Part::Code(code) = part
                && !codes.contains(code)
            {
                codes.push(code.clone());
            }
        }
        codes
    }

    /// Words that no list explains: others, and such as name a place.
    fn unknown(&self) -> (usize, usize) {
        const KNOWN: u32 = FILLER
            | PLEASE
            | ADDRESS
            | ANY_CLAIM
            | ALONE
            | COUNTER
            | MARKER
            | PLACE
            | OWN
            | MODAL
            | NAME;
        let (mut of_place, mut of_name) = (0, 0);
        let (mut unknown, mut places) = (0, 0);
        for part in &self.parts {
            match part {
                Part::Word(bits, _) if bits & NAME != 0 => of_name = MOST_OF_NAME,
                Part::Word(bits, _) if bits & PLACE != 0 => of_place = MOST_OF_PLACE,
                Part::Word(bits, _) if bits & KNOWN == 0 && of_name > 0 => of_name -= 1,
                Part::Word(bits, _) if bits & KNOWN == 0 => {
                    if of_place == 0 {
                        unknown += 1;
                    } else {
                        of_place -= 1;
                        places += 1;
                    }
                }
                Part::Junk => unknown += 1,
                _ => {}
            }
        }
        (unknown, places)
    }

    /// Whether a line opens with the code at `at` and a number beside it: only politeness and claims are before and
    /// between them.
    fn opens_with(&self, at: usize) -> bool {
        let is_number = |part: &Part| matches!(part, Part::Number(_) | Part::Spelt(_));
        let is_light = |part: &Part| match part {
            Part::Word(bits, _) => bits & (FILLER | PLEASE | ADDRESS | ANY_CLAIM | MARKER) != 0,
            Part::Variant => true,
            _ => false,
        };
        let mut before = self.parts.iter().take(at);
        let after = || self.parts.iter().skip(at + 1).find(|part| !is_light(part));
        before.clone().all(|part| is_light(part) || is_number(part))
            && (before.any(is_number) || after().is_some_and(is_number))
    }

    /// Whether it states that it orders: a claim, or a quantity with a sign or counter.
    pub(super) fn is_explicit(&self) -> bool {
        self.claim() & ANY_CLAIM != 0
            || self.parts.iter().any(|part| matches!(part, Part::Quantity(..)))
    }

    /// Whether it states a number: weaker than a quantity.
    pub(super) fn has_number(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Number(_) | Part::Spelt(_)))
    }

    /// "Number 1 seller".
    fn praises(&self, at: usize) -> bool {
        let is_praised = |part: Option<&Part>| matches!(part, Some(Part::Word(_, word)) if PRAISED.contains(&word.as_str()));
        let before = at.checked_sub(1).and_then(|before| self.parts.get(before));
        is_praised(self.parts.get(at + 1)) || is_praised(before)
    }

    fn claim(&self) -> u32 {
        self.parts.iter().fold(0, |all, part| match part {
            Part::Word(bits, _) => all | (bits & (ANY_CLAIM | ALONE | POLITE | OWN | MODAL)),
            _ => all,
        })
    }

    fn with_codes(&self, questions: &[Question]) -> Vec<Order> {
        let asked_for = [Question::Other, Question::Order];
        let polite = self.is_polite()
            && !questions.is_empty()
            && questions.iter().all(|question| {
                asked_for.contains(question)
                    || (*question == Question::Stock && self.is_asked_in_korean())
            });
        let shipping_or_payment = questions.iter().copied().any(is_aside);
        let doubts = if polite { Vec::new() } else { doubts(questions) };
        let bare = questions.is_empty() || polite;
        let questions = doubts.as_slice();
        let asks = |kinds: &[Question]| questions.iter().any(|question| kinds.contains(question));
        let claim = self.claim();
        let firm = claim & (ITEM | FIRM) != 0;
        let asks_of_item = asks(&[Question::Price, Question::Stock, Question::Size]);
        // "order A7 how?", "can I get A7?": polite orders are questions too, but of no kind.
        let how = asks(&[Question::Order]);
        let may_count = !asks_of_item && !how;
        let (unknown, places) = self.unknown();
        let in_question = if shipping_or_payment { UNKNOWN_IN_QUESTION } else { 0 };
        let claimed = claim & ANY_CLAIM != 0
            && unknown
                <= in_question
                    + if claim & ITEM != 0 { UNKNOWN_BESIDE_ITEM } else { UNKNOWN_BESIDE_CLAIM }
            && if firm {
                !how && !asks(&[Question::Stock, Question::Price])
            } else {
                questions.is_empty()
            };
        let bare = bare && unknown + places == 0 && claim & MODAL == 0;
        let mut orders = Vec::new();
        let mut taken = vec![false; self.parts.len()];
        for (n, part) in self.parts.iter().enumerate() {
            let Part::Code(code) = part else { continue };
            let found = self.quantity_of(n, &mut taken);
            let quantity = match found {
                Some((quantity, Stated::Plus)) => Some(quantity),
                Some((quantity, Stated::Sign)) if may_count => Some(quantity),
                Some((quantity, Stated::Number))
                    if may_count
                        && (questions.is_empty() || claimed || (firm && self.opens_with(n)))
                        && (claimed
                            || (firm && self.opens_with(n))
                            || unknown
                                <= if self.opens_with(n) {
                                    UNKNOWN_AFTER_NUMBER + in_question
                                } else {
                                    1
                                }) =>
                {
                    Some(quantity)
                }
                None if claimed || (bare && !(code == "1" && self.praises(n))) => Some(1),
                _ => None,
            };
            let known = |order: &Order| order.code.as_ref() == Some(code);
            if let Some(quantity) = quantity
                && !orders.iter().any(known)
            {
                orders.push(Order { code: Some(code.clone()), quantity });
            }
        }
        orders
    }

    /// The quantity that belongs to the code at `n`: after it, or before it.
    fn quantity_of(&self, n: usize, taken: &mut [bool]) -> Option<(u32, Stated)> {
        let mut beyond = 0;
        let mut number = None;
        for (at, part) in self.parts.iter().enumerate().skip(n + 1) {
            match part {
                Part::Quantity(quantity, plus) if !taken.get(at).copied().unwrap_or(true) => {
                    if let Some(taken) = taken.get_mut(at) {
                        *taken = true;
                    }
                    return Some((*quantity, if *plus { Stated::Plus } else { Stated::Sign }));
                }
                Part::Number(found) | Part::Spelt(found)
                    if number.is_none() && (1..=MOST_BARE).contains(found) =>
                {
                    number = Some((at, *found));
                }
                Part::Code(_) => break,
                Part::Break => beyond += 2,
                Part::Word(bits, _) if bits & (FILLER | PLEASE | ANY_CLAIM) != 0 => {}
                Part::Word(..) | Part::Junk => beyond += 1,
                _ => {}
            }
            if beyond > 3 {
                break;
            }
        }
        if let Some((at, found)) = number {
            if let Some(taken) = taken.get_mut(at) {
                *taken = true;
            }
            return Some((found, Stated::Number));
        }
        // Before it: "2x A5", "+1 A12", "2 A5", "2 pcs of A5".
        for (at, part) in self.parts.iter().enumerate().take(n).rev() {
            if taken.get(at).copied().unwrap_or(true) {
                break;
            }
            let stated = match part {
                Part::Quantity(quantity, plus) => {
                    (*quantity, if *plus { Stated::Plus } else { Stated::Sign })
                }
                Part::Number(found) | Part::Spelt(found) if (1..=MOST_BARE).contains(found) => {
                    (*found, Stated::Number)
                }
                Part::Word(bits, _) if bits & FILLER != 0 => continue,
                _ => break,
            };
            if let Some(taken) = taken.get_mut(at) {
                *taken = true;
            }
            return Some(stated);
        }
        None
    }

    fn without_code(&self, questions: &[Question]) -> Vec<Order> {
        let claim = self.claim();
        let firm = claim & (ITEM | FIRM) != 0;
        let mut numbers = Vec::new();
        let mut quantity = None;
        let mut plus_at = None;
        for (n, part) in self.parts.iter().enumerate() {
            match part {
                Part::Number(number) => numbers.push((n, *number, false)),
                Part::Spelt(number) => numbers.push((n, *number, true)),
                Part::Quantity(number, plus) if quantity.is_none() => {
                    quantity = Some(*number);
                    plus_at = plus.then_some(n);
                }
                _ => {}
            }
        }
        let order = |code: Option<String>, quantity: u32| vec![Order { code, quantity }];
        let typed: Vec<_> = numbers.iter().filter(|number| !number.2).collect();
        if let Some(at) = plus_at {
            // "12 +1", "lipstick +1", "+1".
            let quantity = quantity.unwrap_or(1);
            if let Some((n, number, _)) = typed.first()
                && *n < at
                && *number < 10_000
            {
                return order(Some(number.to_string()), quantity);
            }
            if let Some(keyword) = self.keyword(at) {
                return order(Some(keyword), quantity);
            }
            let (others, _) = self.unknown();
            return if others <= 1 || claim & ANY_CLAIM != 0 {
                order(None, quantity)
            } else {
                Vec::new()
            };
        }
        let other_question = !doubts(questions).is_empty();
        if other_question {
            return Vec::new();
        }
        let (unknown, places) = self.unknown();
        let alone = unknown + places == 0;
        // Words of a question about shipping are no others.
        let unknown = if questions.is_empty() {
            unknown
        } else {
            unknown.saturating_sub(UNKNOWN_IN_QUESTION)
        };
        if let Some(quantity) = quantity {
            let item =
                typed.first().filter(|_| claim & ITEM != 0).map(|number| number.1.to_string());
            return if (claim & ANY_CLAIM != 0 && unknown <= UNKNOWN_BESIDE_CLAIM) || alone {
                order(item, quantity)
            } else {
                Vec::new()
            };
        }
        if claim & ANY_CLAIM != 0 && unknown <= UNKNOWN_BESIDE_CLAIM {
            match (typed.as_slice(), claim & (ITEM | OWN) != 0) {
                // "mine 12", "mine 12 2", "chot 12 2".
                ([(_, item, _)], true) if *item < 10_000 => {
                    return order(Some(item.to_string()), 1);
                }
                ([(at, item, _), (after, number, _)], _)
                    if (1..=MOST).contains(number) && *item < 10_000 && *after == at + 1 =>
                {
                    return order(Some(item.to_string()), *number);
                }
                ([(_, number, _)], false)
                    if (1..=if firm { MOST } else { MOST_BARE }).contains(number) =>
                {
                    return order(None, *number);
                }
                ([], _) => {
                    if let Some((_, number, _)) = numbers.first()
                        && unknown <= 1
                    {
                        return order(None, *number);
                    }
                }
                _ => {}
            }
        }
        // "2 please"
        if let [(_, number, _)] = typed.as_slice()
            && unknown == 0
            && (1..=MOST_BARE).contains(number)
            && self
                .parts
                .iter()
                .any(|part| matches!(part, Part::Word(bits, _) if bits & PLEASE != 0))
            && questions.is_empty()
            && self.parts.len() <= 4
            && !self.parts.contains(&Part::Variant)
        {
            return order(None, *number);
        }
        if (claim & ALONE != 0 && alone && typed.is_empty())
            || (questions.is_empty() && self.has_claiming_clause())
        {
            return order(None, 1);
        }
        Vec::new()
    }

    /// The word before "+1", where it is not a word of everyday speech.
    fn keyword(&self, plus: usize) -> Option<String> {
        let before = self.parts.get(..plus)?;
        let start =
            before.iter().rposition(|part| !matches!(part, Part::Word(..))).map_or(0, |at| at + 1);
        let words: Vec<(u32, &str)> = before
            .get(start..)?
            .iter()
            .filter_map(|part| match part {
                Part::Word(bits, word) => Some((*bits, word.as_str())),
                _ => None,
            })
            .collect();
        let dropped = |bits: u32| {
            bits & (ANY_CLAIM | ALONE | ADDRESS | COUNTER) != 0
                || bits & COMMON != 0
                || (bits & (FILLER | COLOUR) == FILLER)
        };
        let kept: Vec<&str> =
            words.iter().filter(|(bits, _)| !dropped(*bits)).map(|(_, word)| *word).collect();
        let common = words.iter().any(|(bits, _)| bits & COMMON != 0);
        if kept.is_empty() || kept.len() > 3 || common {
            return None;
        }
        let latin = kept.iter().all(|word| is_latin(word));
        Some(kept.join(if latin { " " } else { "" }))
    }
}

const fn is_aside(question: Question) -> bool {
    matches!(question, Question::Shipping | Question::Payment)
}

/// The questions that cast doubt on an order. Beside one about shipping, "how much" is asked of the shipping.
fn doubts(questions: &[Question]) -> Vec<Question> {
    let aside = questions.iter().copied().any(is_aside);
    let casts_none =
        |question: Question| is_aside(question) || (aside && question == Question::Price);
    questions.iter().copied().filter(|question| !casts_none(*question)).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stated {
    Plus,
    Sign,
    Number,
}
