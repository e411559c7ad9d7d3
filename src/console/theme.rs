//! Colours by meaning. The views name a meaning (`program`, `warn`, `dim`), never a colour, so a theme is one
//! table, and a terminal without colours is one more theme. Colour never says anything alone: there is always
//! a word or a mark beside it.

use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};

/// The console's colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// For a terminal with a dark ground.
    #[default]
    Dark,
    /// For a terminal with a light ground.
    Light,
    /// No colours: bold, dim, underlined, reversed.
    Mono,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Self; 3] = [Self::Dark, Self::Light, Self::Mono];

    /// As written on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
        }
    }
}

impl FromStr for Theme {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|t| t.name() == text)
            .ok_or_else(|| format!("'{text}' is no theme: use dark, light or mono"))
    }
}

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// 24 bits.
    True,
    /// The 256 of xterm.
    Cube,
    /// None.
    Mono,
}

impl Depth {
    /// What the environment says: `COLORTERM` for 24 bits, `TERM` for the rest.
    pub(super) fn detect(colorterm: Option<&str>, term: Option<&str>) -> Self {
        match (colorterm, term) {
            (Some("truecolor" | "24bit"), _) => Self::True,
            (_, Some(term)) if term.contains("direct") => Self::True,
            (_, Some("dumb" | "vt100" | "vt102" | "vt220")) => Self::Mono,
            _ => Self::Cube,
        }
    }

    /// A colour as near as the terminal has it.
    pub(super) fn colour(self, r: u8, g: u8, b: u8) -> Color {
        match self {
            Self::True => Color::Rgb(r, g, b),
            Self::Cube => Color::Indexed(cube(r, g, b)),
            Self::Mono => Color::Reset,
        }
    }
}

/// The nearest of xterm's 6x6x6 cube (16-231) and its 24 greys (232-255). The cube's steps are 0, 95, 135,
/// 175, 215, 255; the greys are 8 + 10 n.
pub(super) fn cube(r: u8, g: u8, b: u8) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let step = |v: u8| match v {
        0..48 => 0_u8,
        48..115 => 1,
        v => (v - 35) / 40,
    };
    let distance = |x: u8, y: u8, z: u8| {
        let d = |a: u8, b: u8| (i32::from(a) - i32::from(b)).pow(2);
        d(x, r) + d(y, g) + d(z, b)
    };
    let (cr, cg, cb) = (step(r), step(g), step(b));
    let grey = ((u16::from(r) + u16::from(g) + u16::from(b)) / 3).saturating_sub(3) / 10;
    let grey = grey.min(23) as u8;
    let level = 8 + 10 * grey;
    let in_cube = distance(STEPS[usize::from(cr)], STEPS[usize::from(cg)], STEPS[usize::from(cb)]);
    if distance(level, level, level) < in_cube { 232 + grey } else { 16 + 36 * cr + 6 * cg + cb }
}

/// Styles by meaning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    /// How many colours there are to draw a picture with.
    pub depth: Depth,
    /// Plain text.
    pub text: Style,
    /// What is there to be looked up, not to be noticed.
    pub dim: Style,
    /// A section's name.
    pub heading: Style,
    /// Lines.
    pub rule: Style,
    /// A key to press.
    pub key: Style,
    /// As it should be.
    pub good: Style,
    /// Look here soon.
    pub warn: Style,
    /// Look here now.
    pub bad: Style,
    /// What the hand is on.
    pub selected: Style,
    /// Badge: on program, on air.
    pub program: Style,
    /// Badge: on preview.
    pub preview: Style,
    /// Badge: rehearsal.
    pub rehearsal: Style,
    /// Badge: off.
    pub off: Style,
    /// Badge: something is wrong.
    pub alarm: Style,
    /// How much is expected of an hour, from nothing to the most.
    pub heat: [Style; 5],
    /// Platforms of a chat, told apart; the name of the platform stands there too.
    pub platforms: [Style; 6],
}

impl Palette {
    /// As this terminal can show it, by its environment. `NO_COLOR` is honoured whatever the theme.
    pub(super) fn of_terminal(theme: Theme) -> Self {
        let var = |name| std::env::var(name).ok();
        let no_color = var("NO_COLOR").is_some_and(|v| !v.is_empty());
        let theme = if no_color { Theme::Mono } else { theme };
        Self::new(theme, Depth::detect(var("COLORTERM").as_deref(), var("TERM").as_deref()))
    }

    pub(super) fn new(theme: Theme, depth: Depth) -> Self {
        if theme == Theme::Mono || depth == Depth::Mono {
            return Self::mono();
        }
        let c = |(r, g, b): (u8, u8, u8)| depth.colour(r, g, b);
        let fg = |rgb| Style::new().fg(c(rgb));
        let badge =
            |ground, ink| Style::new().bg(c(ground)).fg(c(ink)).add_modifier(Modifier::BOLD);
        let white = (255, 255, 255);
        let dark = theme == Theme::Dark;
        let either = |on_dark, on_light| if dark { on_dark } else { on_light };
        Self {
            depth,
            text: Style::new(),
            dim: fg(either((138, 142, 154), (104, 108, 120))),
            heading: fg(either((150, 172, 204), (52, 76, 120))).add_modifier(Modifier::BOLD),
            rule: fg(either((72, 76, 88), (190, 193, 202))),
            key: fg(either((128, 182, 250), (18, 86, 186))).add_modifier(Modifier::BOLD),
            good: fg(either((112, 200, 124), (18, 116, 48))),
            warn: fg(either((236, 190, 84), (150, 92, 0))),
            bad: fg(either((244, 104, 98), (186, 20, 30))).add_modifier(Modifier::BOLD),
            selected: fg(either((255, 255, 255), (0, 0, 0))).add_modifier(Modifier::BOLD),
            program: badge((198, 38, 44), white),
            preview: badge((26, 128, 62), white),
            rehearsal: badge((54, 84, 158), white),
            off: badge((78, 82, 94), white),
            alarm: badge((236, 190, 84), (24, 20, 8)),
            heat: [
                ((60, 64, 76), (214, 216, 222)),
                ((72, 84, 112), (190, 196, 210)),
                ((92, 92, 120), (196, 178, 160)),
                ((132, 104, 96), (206, 160, 112)),
                ((176, 124, 64), (206, 136, 60)),
            ]
            .map(|(on_dark, on_light)| fg(either(on_dark, on_light))),
            platforms: [
                ((178, 148, 255), (104, 58, 190)),
                ((255, 128, 120), (190, 30, 30)),
                ((118, 214, 120), (24, 120, 40)),
                ((118, 172, 255), (24, 84, 190)),
                ((255, 164, 92), (176, 84, 0)),
                ((104, 208, 208), (0, 112, 118)),
            ]
            .map(|(on_dark, on_light)| fg(either(on_dark, on_light))),
        }
    }

    fn mono() -> Self {
        let with = |m| Style::new().add_modifier(m);
        Self {
            depth: Depth::Mono,
            text: Style::new(),
            dim: with(Modifier::DIM),
            heading: with(Modifier::BOLD),
            rule: with(Modifier::DIM),
            key: with(Modifier::BOLD),
            good: Style::new(),
            warn: with(Modifier::BOLD),
            bad: with(Modifier::BOLD.union(Modifier::UNDERLINED)),
            selected: with(Modifier::BOLD),
            program: with(Modifier::REVERSED.union(Modifier::BOLD)),
            preview: with(Modifier::UNDERLINED.union(Modifier::BOLD)),
            rehearsal: with(Modifier::REVERSED),
            off: with(Modifier::REVERSED.union(Modifier::DIM)),
            alarm: with(Modifier::REVERSED.union(Modifier::BOLD)),
            heat: [with(Modifier::DIM); 5],
            platforms: [Style::new(); 6],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cube_is_met_where_it_is_exact() {
        assert_eq!(cube(0, 0, 0), 16);
        assert_eq!(cube(255, 255, 255), 231);
        assert_eq!(cube(255, 0, 0), 196);
        assert_eq!(cube(95, 135, 175), 67);
        assert_eq!(cube(128, 128, 128), 244);
    }

    #[test]
    fn the_environment_is_believed() {
        assert_eq!(Depth::detect(Some("truecolor"), Some("xterm")), Depth::True);
        assert_eq!(Depth::detect(None, Some("xterm-256color")), Depth::Cube);
        assert_eq!(Depth::detect(Some(""), Some("vt100")), Depth::Mono);
        assert!("blue".parse::<Theme>().unwrap_err().contains("dark, light or mono"));
        assert_eq!("mono".parse(), Ok(Theme::Mono));
    }
}
