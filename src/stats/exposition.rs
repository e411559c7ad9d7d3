//! Figures as Prometheus reads them: the text exposition format, version 0.0.4. It knows the form and none of
//! the figures.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::Write;

use crate::base::text::plain;

/// What the text is called in HTTP.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows, until it begins anew.
    Counter,
    /// Quantiles of what was seen lately.
    Summary,
}

/// A text that grows family by family.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    family: &'static str,
}

impl Exposition {
    /// Begins a family; `help` is one line.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> &mut Self {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Summary => "summary",
        };
        self.family = name;
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self
    }

    /// One figure of the family; one that was not measured is left out.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: Option<f64>) -> &mut Self {
        let Some(value) = value.filter(|v| v.is_finite()) else { return self };
        self.text.push_str(self.family);
        for (n, (name, text)) in labels.iter().enumerate() {
            self.text.push(if n == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{name}=\"");
            for c in plain(text).chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
        self
    }

    /// The whole text.
    pub fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_gaps_left_out() {
        let mut page = Exposition::default();
        page.family("a_total", Kind::Counter, "Counts.")
            .sample(&[("of", "x\"y\\z\nw\u{202e}"), ("b", "é")], Some(3.0))
            .sample(&[], Some(0.25))
            .sample(&[], None)
            .sample(&[], Some(f64::NAN));
        assert_eq!(
            page.into_text(),
            "# HELP a_total Counts.\n# TYPE a_total counter\n\
             a_total{of=\"x\\\"y\\\\z w\",b=\"é\"} 3\na_total 0.25\n"
        );
    }
}
