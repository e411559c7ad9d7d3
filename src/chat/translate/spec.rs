//! What a show file says of translation (`[translation]`), checked.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{base::SecretRef, chat::language::Language};

/// Translation of the chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranslationSpec {
    /// The host's language.
    pub to: Language,
    /// The service; without one the phrase tables translate what they know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
}

/// A translation service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// What it speaks.
    pub kind: Kind,
    /// The address its paths are put behind: `http://127.0.0.1:5000`, `https://HOST/v1`. It holds no secret.
    pub url: Url,
    /// The model; OpenAI-compatible services need one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretRef>,
}

/// What a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// LibreTranslate: `POST /translate`.
    Libretranslate,
    /// An OpenAI-compatible service: `POST /chat/completions`.
    Openai,
}
