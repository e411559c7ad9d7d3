//! Text that wants to break the screen, and more of it than anybody can read.

use super::*;

/// Text that tries to leave its row, to move the cursor, or to hide.
pub(super) fn hostile() -> Vec<String> {
    vec![
        "\x1b[2J\x1b[1;1H\x1b]0;title\x07 gone".into(),
        "\x1bP+q544e\x1b\\ \u{9b}31m \u{9d}52;c;AAAA\u{9c}".into(),
        "a\rb\nc\td\u{8}\u{7f}\0".into(),
        "\u{202e}txet desrever\u{202c} \u{2066}x\u{2069} \u{200f}".into(),
        format!("z{} a{}", "\u{301}".repeat(500), "\u{20dd}".repeat(300)),
        "春季大促".repeat(60),
        "ｗｉｄｅ　ｌｅｔｔｅｒｓ".repeat(9),
        "👨🏻\u{200d}👩🏽\u{200d}👧🏼\u{200d}👦🏿".repeat(30),
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}🇻🇳🇹🇭1\u{fe0f}\u{20e3}".repeat(12),
        "لا لا لا ﷽ لا".repeat(12),
        "\u{1100}\u{1161}\u{11a8}".repeat(50),
        "क्ष्म्य ที่ שּׁ".repeat(20),
        "\u{200b}\u{200d}\u{feff}\u{ad}\u{2028}\u{2029}".repeat(20),
        "\u{fdfd}\u{12031}\u{2e3b}".repeat(30),
        "W".repeat(1_000_000),
        "👩\u{200d}".repeat(250_000),
        "<script>alert(1)</script> Ignore all previous instructions".into(),
        String::new(),
        " \u{301} \u{fe0f}".into(),
        "▸▸▸ ^ TW  Lan: forged".into(),
    ]
}

/// Every row is as wide as the screen, and no cell holds what a terminal would obey.
pub(super) fn assert_harmless(buf: &Buffer, what: &str) {
    for y in 0..buf.area.height {
        let mut x = 0;
        while x < buf.area.width {
            let symbol = buf[(x, y)].symbol();
            assert!(!symbol.chars().any(char::is_control), "{what}: {symbol:?}");
            let turns = ['\u{200e}', '\u{200f}', '\u{61c}', '\u{2028}', '\u{2029}'];
            let turns = |c: char| {
                matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') || turns.contains(&c)
            };
            assert!(!symbol.chars().any(turns), "{what}: {symbol:?}");
            x += width(symbol).max(1);
        }
        assert_eq!(x, buf.area.width, "{what}: row {y} is as wide as the screen");
    }
}

#[test]
fn hostile_text_stays_in_its_cells() {
    for (n, text) in hostile().iter().enumerate() {
        let mut fed = Fed::new();
        fed.says("Bo", "before");
        fed.ms += 1_000;
        let mut evil = message(50, fed.ms, text, text);
        evil.author.id = Some(UserId::new("evil"));
        evil.author.login = Some(Text::name(text));
        evil.author.badges = vec![Badge::Member];
        evil.channel = Some(Text::name(text));
        evil.lang = Some(Text::name(text));
        let currency = Text::name(text);
        if n % 2 == 0 {
            evil.kind = Kind::Paid { amount: Amount { micros: u64::MAX, currency } };
        }
        fed.told(evil, Finds::default(), None);
        fed.says("Bo", "after");
        let why = text.clone();
        fed.pane.on_sources(Arc::new(vec![state("tw", Status::Failed { why }, None, u64::MAX)]));
        for size in [(80, 24), (160, 50), (24, 8), (41, 13)] {
            let (w, h) = size;
            let what = format!("text {n} at {w}x{h}");
            assert_harmless(&fed.drawn(w, h), &what);
            fed.press(&[KeyCode::Up, KeyCode::Up, KeyCode::Char('t'), KeyCode::Char('h')]);
            assert_harmless(&fed.drawn(w, h), &what);
            fed.press(&[KeyCode::Enter]);
            assert_harmless(&fed.drawn(w, h), &what);
            fed.press(&[KeyCode::Esc, KeyCode::Char('t'), KeyCode::Char('/')]);
            fed.pane.paste(text);
            assert_harmless(&fed.drawn(w, h), &what);
            fed.press(&[KeyCode::Esc, KeyCode::End]);
        }
        let screen = fed.screen(160, 50);
        assert!(screen.contains("Bo: before") && screen.contains("Bo: after"), "{n}: {screen}");
    }
}

#[test]
fn nothing_is_drawn_outside_of_the_area() {
    for text in hostile() {
        let mut fed = Fed::new();
        fed.says(&text, &text);
        let area = Rect::new(7, 3, 41, 14);
        fed.pane.resized(area.width, area.height);
        let now = fed.now();
        let mut terminal = Terminal::new(TestBackend::new(60, 20)).unwrap();
        terminal.draw(|frame| view::draw(frame, area, &fed.pane, now)).unwrap();
        let buf = terminal.backend().buffer();
        for (n, cell) in buf.content().iter().enumerate() {
            let (x, y) = (n as u16 % 60, n as u16 / 60);
            if !area.contains((x, y).into()) {
                assert_eq!(cell.symbol(), " ", "{x},{y}");
            }
        }
    }
}

/// Run it with `--nocapture` to see what a burst costs; nothing is asserted of the time.
#[test]
fn a_burst_of_2000_lines_a_second_is_held() {
    let mut fed = Fed::new();
    fed.drawn(160, 50);
    let (mut taking, mut drawing, mut worst) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (seconds, mut id) = (10_u64, 0);
    for frame in 0..seconds * 20 {
        fed.ms += 50;
        let began = std::time::Instant::now();
        for n in 0..100 {
            id += 1;
            let text = format!("line {id} with a few words in it, and {} more", n * frame);
            let message = message(id, fed.ms, &format!("viewer {}", id % 500), &text);
            fed.number += 1;
            let finds = if n % 10 == 0 { complains(Complaint::Lag) } else { Finds::default() };
            let update = Update::Message(Box::new(message));
            let told =
                Told { number: fed.number, source: source("tw"), update, language: None, finds };
            let now = fed.now();
            fed.pane.take(&told, now);
        }
        taking += began.elapsed();
        let began = std::time::Instant::now();
        fed.pane.turn(fed.now());
        fed.drawn(160, 50);
        drawing += began.elapsed();
        worst = worst.max(began.elapsed());
    }
    let frames = (seconds * 20) as u32;
    println!(
        "taken: {:?} a line; drawn: {:?} a frame, at most {worst:?}; {:.2} % of a core",
        taking / id as u32,
        drawing / frames,
        (taking + drawing).as_secs_f64() / seconds as f64 * 100.0
    );
    assert_eq!((fed.pane.room.len(), fed.pane.missed), (5_000, 0));
    assert!(fed.seen().last().unwrap().starts_with(&format!("line {id} ")));
}
