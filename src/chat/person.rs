//! Who wrote a message, as one value that is the same for all messages of one account: for claims, votes, rules and
//! history. It joins no accounts across platforms.

use serde::{Deserialize, Serialize};

use super::{Author, Message, Platform, UserId};
use crate::base::SourceId;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", untagged)]
pub enum Person {
    /// The platform names the account; it is the same in all sources of that platform.
    Account {
        /// The platform.
        platform: Platform,
        /// Its identifier there.
        id: UserId,
    },
    /// Only a name is known, so it counts within one source.
    Named {
        /// The source.
        source: SourceId,
        /// The login name, else the name shown, in lower case.
        name: Box<str>,
    },
}

impl Person {
    /// Who wrote `message`; `None` where the platform withholds both name and identifier.
    pub fn of(message: &Message) -> Option<Self> {
        Self::from(&message.source, &message.platform, &message.author)
    }

    /// The account of an author.
    pub fn from(source: &SourceId, platform: &Platform, author: &Author) -> Option<Self> {
        match &author.id {
            Some(id) if *platform != Platform::UNKNOWN => {
                Some(Self::Account { platform: platform.clone(), id: id.clone() })
            }
            Some(id) => Some(Self::Named { source: source.clone(), name: id.as_str().into() }),
            None => {
                let name = login(author);
                (!name.is_empty())
                    .then(|| Self::Named { source: source.clone(), name: name.into() })
            }
        }
    }
}

/// The name by which a platform's removals call an author: the login name, else the name shown, in lower case.
pub fn login(author: &Author) -> String {
    author.login.as_ref().unwrap_or(&author.name).as_str().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Text;

    #[test]
    fn an_account_is_the_same_in_two_sources_and_a_name_is_not() {
        let (a, b): (SourceId, SourceId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let id =
            Author { id: Some(UserId::new("7")), name: Text::name("Lan"), ..Author::default() };
        let name = Author { name: Text::name("Lan"), ..Author::default() };
        let of =
            |source: &SourceId, author: &Author| Person::from(source, &Platform::TWITCH, author);
        assert_eq!(of(&a, &id), of(&b, &id));
        assert_ne!(of(&a, &name), of(&b, &name));
        let loud = Author { name: Text::name("LAN"), ..Author::default() };
        assert_eq!(of(&a, &name), of(&a, &loud));
        let nobody = Author::default();
        assert_eq!(of(&a, &nobody), None);
        let elsewhere = Person::from(&a, &Platform::UNKNOWN, &id);
        assert_ne!(
            elsewhere,
            Person::from(&b, &Platform::UNKNOWN, &id),
            "two bridges may count alike"
        );
    }
}
