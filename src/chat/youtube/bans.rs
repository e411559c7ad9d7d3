//! The identifiers under which YouTube keeps the bans that were set here: only they lift them.

use std::collections::VecDeque;

use crate::chat::UserId;

/// Bans that are remembered; the oldest goes first.
const MOST: usize = 1_000;

/// The bans and time-outs that were set, by user.
#[derive(Debug, Clone, Default)]
pub struct Bans(VecDeque<(UserId, String)>);

impl Bans {
    /// This ban keeps this user out. An earlier one of the same user is forgotten: YouTube replaces it.
    pub fn keep(&mut self, user: &UserId, ban: &str) {
        self.forget(user);
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((user.clone(), ban.to_owned()));
    }

    /// The ban of a user.
    pub fn of(&self, user: &UserId) -> Option<&str> {
        self.0.iter().find(|(of, _)| of == user).map(|(_, ban)| ban.as_str())
    }

    /// The user's ban is no more.
    pub fn forget(&mut self, user: &UserId) {
        self.0.retain(|(of, _)| of != user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ban_of_a_user_is_kept_and_the_number_is_bounded() {
        let mut bans = Bans::default();
        let user = |n: usize| UserId::new(&format!("u{n}"));
        bans.keep(&user(0), "first");
        bans.keep(&user(0), "second");
        assert_eq!(bans.of(&user(0)), Some("second"));
        for n in 1..=MOST {
            bans.keep(&user(n), "b");
        }
        assert_eq!((bans.0.len(), bans.of(&user(0)), bans.of(&user(1))), (MOST, None, Some("b")));
        bans.forget(&user(1));
        assert_eq!(bans.of(&user(1)), None);
    }
}
