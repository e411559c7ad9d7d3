//! A request to a platform's HTTP API as a value. The host, the token and the encoding are the adapter's.

use std::borrow::Cow;

use serde_json::Value;

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates.
    Post,
    /// Removes.
    Delete,
}

/// A request, to be sent to the platform's host.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path from the root of the host.
    pub path: Cow<'static, str>,
    /// Query parameters, not encoded yet.
    pub query: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Option<Value>,
}

impl Request {
    /// A request without query and body.
    pub fn new(method: Method, path: impl Into<Cow<'static, str>>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None }
    }

    /// With one more query parameter.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// Why no request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Without an identifier a platform might remove everything.
    #[error("a request that removes needs an identifier")]
    NoId,
    /// The text is empty once it is made one line.
    #[error("the text is empty")]
    Empty,
}

/// The identifier, or a refusal where it is empty.
pub(super) fn given(id: &str) -> Result<String, Refusal> {
    if id.is_empty() { Err(Refusal::NoId) } else { Ok(id.to_owned()) }
}

/// The beginning of a text that has at most `most` characters (code points), in whole graphemes, as one line; and
/// how many bytes of `text` that is.
pub(super) fn one_line(text: &str, most: usize) -> Result<(String, usize), Refusal> {
    use unicode_segmentation::UnicodeSegmentation;
    let mut count = 0;
    let kept = text
        .grapheme_indices(true)
        .take_while(|(_, grapheme)| {
            count += grapheme.chars().count();
            count <= most
        })
        .last()
        .map_or(0, |(at, grapheme)| at + grapheme.len());
    let line: String = text
        .get(..kept)
        .unwrap_or_default()
        .chars()
        .map(|c| if matches!(c, '\r' | '\n' | '\0') { ' ' } else { c })
        .collect();
    if super::Text::new(&line).is_empty() { Err(Refusal::Empty) } else { Ok((line, kept)) }
}
