//! From a key to a step. Nothing is carried out here.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{Planner, state::Dialog};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::console) enum Step {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    WeekBack,
    WeekOn,
    NextShow,
    LastShow,
    Now,
    Add,
    Earlier,
    Later,
    DayBack,
    DayOn,
    Longer,
    Shorter,
    Hosts,
    Markets,
    Lock,
    Remove,
    Undo,
    Redo,
    Propose,
    Swap,
    Take,
    Drop,
    /// Another market's heat: the next, or the one before.
    Market(bool),
    Notes,
    Save,
    Help,
    Space,
    Leave,
}

/// A row of the help, and of the keys at the bottom.
pub(super) struct Key {
    /// As the help shows the keys.
    pub shown: &'static str,
    /// What they do.
    pub doc: &'static str,
}

const fn key(shown: &'static str, doc: &'static str) -> Key {
    Key { shown, doc }
}

/// What the keys do.
pub(super) const KEYS: &[Key] = &[
    key("↑ ↓", "half an hour up or down; pgup and pgdn three hours"),
    key("← →", "a day back or on; [ and ] a week"),
    key("tab", "the next show; shift-tab the one before; . the next on air"),
    key("a", "add a show here, with the host and the markets that bring most"),
    key("K J", "the show half an hour earlier, later (also shift and ↑ ↓)"),
    key("H L", "the show a day earlier, later (also shift and ← →)"),
    key("+ -", "longer, shorter: the plan's next length"),
    key("h", "another host, with what each would bring and what is in the way"),
    key("m", "other markets: space takes or leaves one, l lets it lead, enter does it"),
    key("l", "lock the show, or unlock it: proposals leave locked shows as they are"),
    key("x", "take the show away"),
    key("u U", "take back, do again"),
    key("f", "find a proposal around the locked shows; edit on while it is computed"),
    key("y n", "take the proposal, or drop it; tab looks at the one or the other"),
    key("v V", "the heat of the next market, of the one before; of all together"),
    key("e", "everything to know: broken rules (!), clocks (⇅), sale days (★)"),
    key("S", "save: the plan is accepted, `hawker plan show` prints it (also ctrl-s)"),
    key("? esc", "this help; esc closes what is open, q leaves"),
    key(
        "worth",
        "viewer hours, by the markets' weights; what follows, or comes again that day, counts less",
    ),
];

/// What a key asks for now; `None` when it means nothing.
pub(in crate::console) fn step(planner: &Planner, key: &KeyEvent) -> Option<Step> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let shift = key.modifiers.contains(KeyModifiers::SHIFT);
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    let comparing = planner.proposal.is_some() && planner.dialog.is_none();
    Some(match key.code {
        KeyCode::Char('s') if ctrl => Step::Save,
        KeyCode::Char('r') if ctrl => Step::Redo,
        KeyCode::Char('c') if ctrl => Step::Leave,
        KeyCode::Char(_) if ctrl => return None,
        KeyCode::Up if shift => Step::Earlier,
        KeyCode::Down if shift => Step::Later,
        KeyCode::Left if shift => Step::DayBack,
        KeyCode::Right if shift => Step::DayOn,
        KeyCode::Up | KeyCode::Char('k') => Step::Up,
        KeyCode::Down | KeyCode::Char('j') => Step::Down,
        KeyCode::Left => Step::Left,
        KeyCode::Right => Step::Right,
        KeyCode::PageUp => Step::PageUp,
        KeyCode::PageDown => Step::PageDown,
        KeyCode::Tab | KeyCode::BackTab if comparing => Step::Swap,
        KeyCode::BackTab => Step::LastShow,
        KeyCode::Tab => Step::NextShow,
        KeyCode::Enter => Step::Take,
        KeyCode::Esc => match planner.dialog {
            None if planner.proposal.is_none() && planner.computing.is_none() => Step::Leave,
            _ => Step::Drop,
        },
        KeyCode::Delete => Step::Remove,
        KeyCode::Char(c) => return letter(planner, c),
        _ => return None,
    })
}

fn letter(planner: &Planner, c: char) -> Option<Step> {
    if let Some(Dialog::Leaving) = planner.dialog {
        return match c {
            's' | 'S' => Some(Step::Save),
            'd' => Some(Step::Remove),
            'n' => Some(Step::Drop),
            _ => None,
        };
    }
    Some(match c {
        '[' => Step::WeekBack,
        ']' => Step::WeekOn,
        '.' => Step::Now,
        'a' => Step::Add,
        'K' => Step::Earlier,
        'J' => Step::Later,
        'H' => Step::DayBack,
        'L' => Step::DayOn,
        '+' | '=' => Step::Longer,
        '-' | '_' => Step::Shorter,
        'h' => Step::Hosts,
        'm' => Step::Markets,
        'l' => Step::Lock,
        'x' => Step::Remove,
        'u' => Step::Undo,
        'U' => Step::Redo,
        'f' => Step::Propose,
        'y' => Step::Take,
        'n' => Step::Drop,
        'v' => Step::Market(true),
        'V' => Step::Market(false),
        'e' => Step::Notes,
        'S' => Step::Save,
        '?' => Step::Help,
        ' ' => Step::Space,
        'q' if planner.dialog.is_some() => Step::Drop,
        'q' => Step::Leave,
        _ => return None,
    })
}
