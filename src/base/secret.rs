//! Secrets by reference. A show file names where a secret is; only the moment of use reads it, and
//! neither the reference's target nor the secret can be printed by accident.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A secret in hand: a bearer token. `Debug` and `Display` show only that it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret. It is remembered, so that it can be kept out of what this process writes
    /// ([`super::mask::masked`]).
    pub fn new(value: impl Into<String>) -> Self {
        let value = value.into();
        super::mask::remember(&value);
        Self(value)
    }

    /// The secret itself, to be put on the wire and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether that is it, without telling by its time how much of it was right. An empty secret is nobody's.
    pub fn is(&self, given: &[u8]) -> bool {
        let wanted = self.0.as_bytes();
        let mut differ = u8::from(wanted.len() != given.len());
        for (i, byte) in given.iter().enumerate() {
            // A longer guess goes on against the last byte, so that its time depends on itself alone.
            let against = wanted.get(i).or(wanted.last()).copied().unwrap_or(0);
            differ |= std::hint::black_box(byte ^ against);
        }
        std::hint::black_box(differ) == 0 && !wanted.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Where a secret is kept: `env:NAME` or `file:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file whose first line is the secret.
    File(String),
}

/// The text is not a reference to a secret. It may be the secret itself, so it is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret is given by reference, never by value: write \"env:NAME\" for an environment \
     variable or \"file:PATH\" for a file's first line"
)]
pub struct NotAReference;

impl FromStr for SecretRef {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            _ => Err(NotAReference),
        }
    }
}

impl TryFrom<String> for SecretRef {
    type Error = NotAReference;

    fn try_from(text: String) -> Result<Self, NotAReference> {
        text.parse()
    }
}

impl From<SecretRef> for String {
    fn from(reference: SecretRef) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_compared_whole() {
        let wanted = Secret::new("s3cret");
        assert!(wanted.is(b"s3cret"));
        for wrong in ["", "s", "s3cre", "s3crett", "S3cret"] {
            assert!(!wanted.is(wrong.as_bytes()), "{wrong}");
        }
        assert!(!Secret::new("").is(b""));
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("s3cr3t");
        assert!(!format!("{secret:?} {secret}").contains("s3cr3t"));
        let error = "s3cr3t".parse::<SecretRef>().unwrap_err();
        assert!(!error.to_string().contains("s3cr3t"));
    }

    #[test]
    fn references_round_trip() {
        for text in ["env:TOKEN", "file:/run/secrets/token"] {
            assert_eq!(text.parse::<SecretRef>().unwrap().to_string(), text);
        }
    }
}
