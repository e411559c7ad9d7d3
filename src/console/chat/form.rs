//! What is typed in one line about claims, items and polls.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    edit::Edit,
    keys::Pressed,
    state::{Over, Pane},
};
use crate::{
    base::SourceId,
    chat::{MessageId, Text, claims::ItemCode, control::Request},
    console::{
        text::{clip, wrap},
        view::{dialog::boxed, row::Row},
    },
};

/// Longest text, in graphemes.
const MOST: usize = 400;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// A claim of the person who wrote that message.
    Claim { chat: SourceId, message: MessageId, name: String },
    /// A claim by hand.
    Enter,
    /// An item that is opened.
    Item,
    /// How many of that item there are.
    Stock(ItemCode),
    /// The choices of a poll.
    Poll,
}

/// A line that is typed, and what was wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    asked: Asked,
    edit: Edit,
    wrong: Option<String>,
}

fn quantity(word: Option<&str>) -> Result<u32, String> {
    let Some(word) = word else { return Ok(1) };
    let digits = word.strip_prefix(['x', '+']).unwrap_or(word);
    digits.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("'{word}' is no quantity"))
}

fn stock(word: Option<&str>) -> Result<Option<u32>, String> {
    word.map(|word| word.parse().map_err(|_| format!("'{word}' is no whole number"))).transpose()
}

impl Form {
    fn request(&self) -> Result<Request, String> {
        let text = self.edit.text().trim();
        let mut words = text.split_whitespace();
        let item = |word: Option<&str>| {
            let word = word.ok_or("an item's code is missing")?;
            ItemCode::new(word).map_err(|why| why.to_string())
        };
        Ok(match &self.asked {
            Asked::Claim { chat, message, .. } => {
                let (chat, message) = (chat.clone(), message.clone());
                let (item, quantity) = (item(words.next())?, quantity(words.next())?);
                Request::Claim { chat, message, item, quantity }
            }
            Asked::Enter => {
                let (item, quantity) = (item(words.next())?, quantity(words.next())?);
                let name = words.collect::<Vec<_>>().join(" ");
                if name.is_empty() {
                    return Err("the name is missing: item, quantity, name".into());
                }
                Request::EnterClaim { item, quantity, name: Text::name(&name) }
            }
            Asked::Item => {
                let (item, stock) = (item(words.next())?, stock(words.next())?);
                Request::OpenItem { item, stock }
            }
            Asked::Stock(item) => {
                Request::SetStock { item: item.clone(), stock: stock(words.next())? }
            }
            Asked::Poll if text.is_empty() => return Err("there are no choices".into()),
            Asked::Poll => Request::OpenPoll { choices: text.to_owned() },
        })
    }

    /// What is asked for, and how it is written.
    fn words(&self) -> (&'static str, String, &'static str) {
        match &self.asked {
            Asked::Claim { name, .. } => {
                ("claim", format!("What does {} claim?", clip(name, 32)), "A12 2: item, quantity")
            }
            Asked::Enter => {
                ("claim", "Whose claim of what?".into(), "A12 2 Lan: item, quantity, name")
            }
            Asked::Item => {
                ("open item", "Which item, and how many?".into(), "A12 10; A12 alone has no limit")
            }
            Asked::Stock(item) => (
                "stock",
                format!("How many of {item} are there in all?"),
                "a number; nothing is without a limit",
            ),
            Asked::Poll => (
                "poll",
                "Which choices?".into(),
                "red; blue; or red=red,1; blue=blue,2 with words to vote by",
            ),
        }
    }
}

impl Pane {
    /// Asks for a line of text.
    pub(super) fn form(&mut self, asked: Asked, text: &str) {
        let mut edit = Edit::longer(MOST);
        edit.insert(text);
        self.over = Over::Form(Form { asked, edit, wrong: None });
    }

    /// Takes the selected message for a claim.
    pub(super) fn claim(&mut self) {
        let item =
            self.control.featured.as_ref().map(|item| format!("{item} ")).unwrap_or_default();
        if self.selected.is_none() {
            return self.form(Asked::Enter, &item);
        }
        let Some((message, _)) = self.selected_message() else { return };
        let (chat, id) = (message.source.clone(), message.id.clone());
        let name = super::list::name(&message).to_owned();
        self.form(Asked::Claim { chat, message: id, name }, &item);
    }

    /// A key of the line that is typed.
    pub(super) fn formed(&mut self, key: &KeyEvent) -> Pressed {
        let Over::Form(form) = &mut self.over else { return Pressed::Ignored };
        match key.code {
            KeyCode::Esc => self.over = Over::Nothing,
            KeyCode::Enter => match form.request() {
                Ok(request) => return self.ask(request),
                Err(why) => form.wrong = Some(why),
            },
            _ => {
                form.edit.press(key);
                form.wrong = None;
            }
        }
        Pressed::Taken
    }

    pub(super) fn pasted_in_form(&mut self, text: &str) {
        if let Over::Form(form) = &mut self.over {
            form.edit.insert(text);
        }
    }
}

/// Draws it over the pane.
pub(super) fn draw(pane: &Pane, form: &Form, area: Rect, buf: &mut Buffer) {
    let palette = &pane.palette;
    let columns = area.width.saturating_sub(2).min(72);
    let (title, question, how) = form.words();
    let how = wrap(how, columns.saturating_sub(4));
    let inside = boxed(palette, area, (columns, 6 + how.len() as u16), title, palette.key, buf);
    Row::new(buf, inside, 0).put(&question, palette.selected);
    let mut y = 1;
    for line in &how {
        Row::new(buf, inside, y).put(line, palette.dim);
        y += 1;
    }
    let mut row = Row::new(buf, inside, y);
    row.badge("TYPING", 8, palette.alarm).gap(1);
    super::view::typed(&form.edit, palette, &mut row);
    if let Some(why) = &form.wrong {
        Row::new(buf, inside, y + 1).put(why, palette.warn);
    }
    Row::new(buf, inside, y + 2).put("enter: do it   esc: no   ctrl-p panic", palette.key);
}
