//! Text out of HTML, by a tokenizer that follows the WHATWG rules. Nothing of the markup is left; the names of emote
//! pictures stay as text.

use html5gum::{DefaultEmitter, Token, Tokenizer};

use crate::chat::emotes::Reported;

/// Elements that begin a new line in a browser; here a blank stands for it.
const BLOCKS: [&[u8]; 12] =
    [b"br", b"p", b"div", b"li", b"ul", b"ol", b"tr", b"td", b"hr", b"h1", b"h2", b"blockquote"];
/// Elements whose content a browser does not show.
const HIDDEN: [&[u8]; 8] =
    [b"script", b"style", b"template", b"noscript", b"iframe", b"noembed", b"noframes", b"title"];
/// How many characters of a text are read; what follows is beyond what a message keeps.
const MOST: usize = 16_384;

/// What HTML says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plain {
    /// The text, with the alternative texts of pictures in their places.
    pub text: String,
    /// Those pictures, as characters of the text.
    pub emotes: Vec<Reported>,
}

/// The text of a piece of HTML. A picture with an event handler is no emote: it is left out with its text.
pub fn text(html: &str) -> Plain {
    let mut emitter = DefaultEmitter::default();
    // As in a browser, the content of `script` is no markup.
    emitter.naively_switch_states(true);
    let mut out = Plain::default();
    let mut count = 0;
    let mut hidden: Option<Vec<u8>> = None;
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::String(text) if hidden.is_none() => {
                add(&mut out.text, &mut count, &String::from_utf8_lossy(&text));
            }
            Token::StartTag(tag) if hidden.is_none() => {
                let name: &[u8] = &tag.name;
                if HIDDEN.contains(&name) && !tag.self_closing {
                    hidden = Some(name.to_vec());
                } else if BLOCKS.contains(&name) {
                    add(&mut out.text, &mut count, " ");
                } else if name == b"img" && !tag.attributes.keys().any(|key| key.starts_with(b"on"))
                {
                    let alt = tag.attributes.get(&b"alt"[..]);
                    let alt = alt.map(|alt| String::from_utf8_lossy(alt).trim().to_owned());
                    let Some(alt) = alt.filter(|alt| !alt.is_empty()) else { continue };
                    let first = count;
                    add(&mut out.text, &mut count, &alt);
                    if let Some(last) = count.checked_sub(1).filter(|last| *last >= first) {
                        out.emotes.push(Reported { first, last, id: alt });
                    }
                }
            }
            Token::EndTag(tag) => {
                let name: &[u8] = &tag.name;
                if hidden.as_deref() == Some(name) {
                    hidden = None;
                } else if hidden.is_none() && BLOCKS.contains(&name) {
                    add(&mut out.text, &mut count, " ");
                }
            }
            _ => {}
        }
        if count >= MOST {
            break;
        }
    }
    out
}

fn add(out: &mut String, count: &mut usize, text: &str) {
    for c in text.chars().take(MOST.saturating_sub(*count)) {
        out.push(c);
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_is_gone_and_what_is_shown_stays() {
        for (html, want) in [
            ("size M &amp; red?", "size M & red?"),
            ("1 < 2 &lt;b&gt; &#x1F600; &nbsp;&copy", "1 < 2 <b> 😀 \u{a0}©"),
            ("<b onclick=x()>a</b><i>b", "ab"),
            ("a<br>b<p>c</p>d", "a b c d"),
            ("a<script>alert('<b>')</script>b<style>c{}</style>d", "abd"),
            ("a<script>never closed", "a"),
            ("a<!-- <img src=x alt=no> -->b", "ab"),
            ("<svg/onload=alert(1)>a</svg>", "a"),
            ("<img src='//h/k.png' alt='Kappa'> hi", "Kappa hi"),
            ("<IMG ALT=':heart:'/>", ":heart:"),
            ("size <img src=x alt=':heart:' onerror=y>", "size "),
            ("<a href=\"javascript:x\">link</a>", "link"),
            ("\"><img src=x", "\">"),
            ("&lt;script&gt;", "<script>"),
            ("<![CDATA[x]]>y</", "y</"),
        ] {
            assert_eq!(text(html).text, want, "{html}");
        }
    }

    #[test]
    fn emotes_are_where_they_stand() {
        let plain = text("hi 😀 <img alt=\"Kappa\"><img alt=\"\"> <img alt=\"LUL\">");
        assert_eq!(plain.text, "hi 😀 Kappa LUL");
        let found: Vec<_> = plain.emotes.iter().map(|e| (e.first, e.last, e.id.as_str())).collect();
        assert_eq!(found, [(5, 9, "Kappa"), (11, 13, "LUL")]);
    }

    #[test]
    fn a_megabyte_is_cut() {
        assert_eq!(text(&"<b>x</b>".repeat(200_000)).text.len(), MOST);
        assert!(text(&"<".repeat(1 << 20)).text.len() <= MOST);
    }

    proptest! {
        /// Text that was escaped comes back whole, and no tag of a hostile frame around it does.
        #[test]
        fn escaped_text_comes_back(said in "[ -~é你😀]{0,40}") {
            let escaped = said.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            prop_assert_eq!(text(&format!("<span class=\"x\">{escaped}</span>")).text, said);
        }

        #[test]
        fn any_text_is_read(html in "\\PC{0,60}|(<[a-z/!&;'\"= -]{0,9}>?){0,20}") {
            let plain = text(&html);
            let count = plain.text.chars().count();
            prop_assert!(plain.emotes.iter().all(|e| e.first <= e.last && e.last < count));
        }
    }
}
