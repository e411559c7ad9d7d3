//! Names of inputs, scenes and outputs: short, typeable, and safe in a file name or a log line.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Longest name, in characters.
pub const MAX_NAME: usize = 32;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty.
    #[error("the name is empty: use 1-{MAX_NAME} of a-z, 0-9, '-' and '_'")]
    Empty,
    /// The name is longer than [`MAX_NAME`].
    #[error("the name '{0}' is longer than {MAX_NAME} characters")]
    TooLong(String),
    /// The name holds a character that is not allowed.
    #[error("the name '{0}' holds {1:?}: use only a-z, 0-9, '-' and '_'")]
    BadChar(String, char),
}

fn checked(name: &str) -> Result<Arc<str>, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.chars().count() > MAX_NAME {
        return Err(NameError::TooLong(name.chars().take(MAX_NAME).collect::<String>() + "…"));
    }
    match name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '_')) {
        Some(c) => Err(NameError::BadChar(name.to_owned(), c)),
        None => Ok(name.into()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                checked(name).map(Self)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(name: String) -> Result<Self, NameError> {
                name.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name!(
    /// An input: camera, screen, file, guest.
    InputId
);
name!(
    /// A scene of the show.
    SceneId
);
name!(
    /// An output: where the program goes.
    OutputId
);
name!(
    /// A monitor: one who watches as a viewer does.
    MonitorId
);
name!(
    /// An alarm: a rule over a figure.
    AlarmId
);
name!(
    /// A chat source: one `[[chat]]` of a show.
    SourceId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_typeable() {
        assert!("cam-1".parse::<InputId>().is_ok());
        assert_eq!("".parse::<InputId>(), Err(NameError::Empty));
        assert!(matches!("Cam".parse::<SceneId>(), Err(NameError::BadChar(_, 'C'))));
        assert!(matches!("x".repeat(33).parse::<OutputId>(), Err(NameError::TooLong(_))));
    }
}
