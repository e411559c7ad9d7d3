//! Rules as a show file or JSON states them: refused in one clear line, or they judge any line.

use hawker::{
    base::Now,
    chat::{
        Author, Badge, Message, MessageId, Platform, Text, UserId,
        normalise::{Folding, Normal},
        rules::{Rules, RulesConfig, strictest},
    },
};

const LINES: [&str; 6] = [
    "free money at bad.example.com",
    "s c a m",
    "A12 +1",
    "CHỐT ĐƠN NGAY",
    "สวัสดีค่ะ https://line.example/x",
    "",
];

/// The configuration, and after a line of `---` a text to judge.
pub fn rules(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (config, line) = text.split_once("\n---\n").unwrap_or((&text, ""));
    let by_toml: Option<RulesConfig> = toml::from_str(config).ok();
    let by_json: Option<RulesConfig> = serde_json::from_str(config).ok();
    let Some(config) = by_toml.or(by_json) else { return };
    let normalise = |text: &str| Normal::new(text, Folding::RULES).as_str().to_owned();
    let mut rules = match Rules::new(config, &normalise) {
        Ok(rules) => rules,
        // The faces show it through `base::text::plain`; here it is one sentence of bounded length.
        Err(why) => return assert!(!why.to_string().is_empty()),
    };
    for (n, said) in LINES.into_iter().chain([line]).cycle().take(28).enumerate() {
        let text = Text::new(said);
        let mut message = Message::new(
            MessageId::new(&format!("m{n}")),
            "tw".parse().expect("a name"),
            Platform::TWITCH,
            Now::test(n as u64 * 700).wall,
            Author {
                id: Some(UserId::new(if n % 3 == 0 { "u1" } else { "u2" })),
                name: Text::name("Lan"),
                login: None,
                badges: if n % 5 == 0 { vec![Badge::First] } else { Vec::new() },
            },
            text,
        );
        message.backlog = n % 7 == 0;
        let hits = rules.judge(&message, &normalise(message.text.as_str()));
        assert_eq!(strictest(&hits).is_some(), !hits.is_empty());
        for hit in &hits {
            assert_eq!(hit.message, message.id);
            use hawker::chat::rules::Action::{Ban, Delete, TimeOut};
            assert!(!message.backlog || !matches!(hit.action, Delete | TimeOut(_) | Ban));
        }
        message.own = true;
        assert!(rules.judge(&message, said).is_empty(), "the own account breaks no rule");
    }
}
