//! Rules: each kind of hit, exemptions, the dry run.

use proptest::prelude::*;

use super::*;
use crate::chat::{Badge, Text, sample::line};

fn lower(text: &str) -> String {
    text.to_lowercase()
}

fn words(words: &[&str], within_words: bool) -> RulesConfig {
    let list = WordList {
        name: "bad".into(),
        lang: None,
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        within_words,
        action: Action::Delete,
    };
    RulesConfig { words: vec![list], ..RulesConfig::default() }
}

fn judge(rules: &mut Rules, message: &Message) -> Vec<Reason> {
    rules.judge(message, &lower(message.text.as_str())).into_iter().map(|hit| hit.reason).collect()
}

fn hits(config: &RulesConfig, text: &str) -> bool {
    let mut rules = Rules::new(config.clone(), &lower).unwrap();
    !judge(&mut rules, &line("a", "1", 0, "lan", text)).is_empty()
}

#[test]
fn words_are_found_whole_within_and_spelt_out() {
    let config = words(&["Scam", "fake goods", "假货", "หลอก"], false);
    for bad in [
        "SCAM!",
        "a scam",
        "buy fake goods here",
        "这是假货吗",
        "เขาหลอกเรา",
        "s c a m",
        "s.c-a_m now",
    ] {
        assert!(hits(&config, bad), "{bad}");
    }
    for good in ["scampi", "fakegoods", "goods fake", "a b c", "", "假 货"] {
        assert!(!hits(&config, good), "{good}");
    }
    assert!(hits(&words(&["scam"], true), "scampi"));
}

#[test]
fn a_list_is_for_its_language_and_for_lines_of_an_unknown_one() {
    let mut config = words(&["die"], false);
    config.words[0].lang = Some("en".into());
    let mut rules = Rules::new(config, &lower).unwrap();
    let of = |lang: Option<&str>| Message {
        lang: lang.map(Text::name),
        ..line("a", "1", 0, "lan", "die Hose")
    };
    assert!(judge(&mut rules, &of(Some("de"))).is_empty());
    assert_eq!(judge(&mut rules, &of(Some("en-US"))).len(), 1);
    assert_eq!(judge(&mut rules, &of(None)).len(), 1);
}

#[test]
fn hosts_are_found_in_all_their_dress() {
    for (text, expected) in [
        ("see https://Shop.Example.com/a?b", vec!["shop.example.com"]),
        ("https://youtube.com@evil.top/x", vec!["evil.top"]),
        ("http:\\\\evil.top", vec!["evil.top"]),
        ("www.evil.it", vec!["www.evil.it"]),
        ("go to evil.com now", vec!["evil.com"]),
        ("evil。com", vec!["evil.com"]),
        ("推荐taobao.com吧", vec!["taobao.com"]),
        ("t.me/evil", vec!["t.me"]),
        ("(bit.ly/3x),a.shop", vec!["bit.ly", "a.shop"]),
        ("https://a.com:8080/b.com", vec!["a.com"]),
        ("https://a.com/?to=https://evil.top", vec!["a.com", "evil.top"]),
        ("evil.top:http://a.com", vec!["evil.top", "a.com"]),
        ("аpple.com", vec!["аpple.com"]),
        ("3.5 kg, 199.000đ ...ok.yes", vec![]),
        ("wait.so nice.in fact", vec![]),
        ("A12.5 x2 v1.2", vec![]),
        ("a//b http:// ://", vec![]),
    ] {
        assert_eq!(hosts(text), expected, "{text}");
    }
}

#[test]
fn allowed_hosts_cover_what_is_below_them_only() {
    let links =
        LinkRule { allow: vec!["Shop.com".into(), "youtube.com".into()], action: Action::Hide };
    let config = RulesConfig { links: Some(links), ..RulesConfig::default() };
    for good in ["shop.com", "https://www.shop.com/a", "youtube.com/watch", "no link"] {
        assert!(!hits(&config, good), "{good}");
    }
    for bad in
        ["evilshop.com", "shop.com.evil.top", "https://shop.com@evil.top", "shop.com evil.top"]
    {
        assert!(hits(&config, bad), "{bad}");
    }
}

#[test]
fn flood_counts_an_accounts_lines_by_platform_time() {
    let flood = FloodRule { lines: 3, within_s: 10, action: Action::TimeOut(60) };
    let config = RulesConfig { flood: Some(flood), ..RulesConfig::default() };
    let mut rules = Rules::new(config, &lower).unwrap();
    for (n, ms) in [0_u64, 3_000, 6_000].into_iter().enumerate() {
        assert!(judge(&mut rules, &line("a", &n.to_string(), ms, "lan", "x")).is_empty());
        assert!(judge(&mut rules, &line("a", &n.to_string(), ms, "bo", "x")).is_empty());
    }
    let fourth = line("a", "4", 9_000, "lan", "y");
    assert_eq!(judge(&mut rules, &fourth), [Reason::Flood { lines: 4, within_s: 10 }]);
    assert!(judge(&mut rules, &line("a", "5", 20_000, "lan", "y")).is_empty());
    // In another source the same account is the same.
    let other = [21_000, 22_000, 23_000].map(|ms| line("b", &ms.to_string(), ms, "lan", "z"));
    assert_eq!(other.map(|m| judge(&mut rules, &m).len()), [0, 0, 1]);
}

#[test]
fn repeats_and_capitals() {
    let config = RulesConfig {
        repeats: Some(RepeatRule { times: 3, within_s: 60, action: Action::Hide }),
        caps: Some(CapsRule { percent: 70, letters: 8, action: Action::Hold }),
        ..RulesConfig::default()
    };
    let mut rules = Rules::new(config, &lower).unwrap();
    let texts = ["buy me", "other", "Buy me", "BUY me"];
    let broken: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| judge(&mut rules, &line("a", &n.to_string(), n as u64, "lan", text)))
        .collect();
    assert_eq!(broken, [vec![], vec![], vec![], vec![Reason::Repeat { times: 3 }]]);
    // 9 of 13 letters: 69 %.
    assert!(judge(&mut rules, &line("a", "9", 0, "bo", "WHY IS IT SO late")).is_empty());
    assert_eq!(
        judge(&mut rules, &line("a", "10", 0, "bo", "WHY IS IT SO LATE")),
        [Reason::Caps { percent: 100 }]
    );
    assert!(judge(&mut rules, &line("a", "11", 0, "bo", "SP12 XL")).is_empty(), "order codes");
    assert!(judge(&mut rules, &line("a", "12", 0, "bo", "为什么这么晚呢朋友们")).is_empty());
}

#[test]
fn newcomers_by_badge_and_by_what_was_seen() {
    let rule = NewcomerRule { lines: 2, without_badge: false, action: Action::Hold };
    let mut config = RulesConfig { newcomers: Some(rule), ..RulesConfig::default() };
    let mut rules = Rules::new(config.clone(), &lower).unwrap();
    let mut first = line("a", "1", 0, "lan", "hi");
    assert!(judge(&mut rules, &first).is_empty());
    first.author.badges = vec![Badge::First];
    assert_eq!(judge(&mut rules, &first), [Reason::Newcomer { nth: 1 }]);
    if let Some(rule) = &mut config.newcomers {
        rule.without_badge = true;
    }
    let mut rules = Rules::new(config, &lower).unwrap();
    let counts = [1, 2, 3].map(|n| judge(&mut rules, &line("a", "1", n, "bo", "hi")).len());
    assert_eq!(counts, [1, 1, 0]);
}

#[test]
fn moderators_the_owner_and_we_ourselves_are_exempt() {
    let mut rules = Rules::new(words(&["scam"], false), &lower).unwrap();
    for badge in [Badge::Owner, Badge::Moderator] {
        let mut message = line("a", "1", 0, "mod", "no scam here");
        message.author.badges = vec![badge];
        assert!(judge(&mut rules, &message).is_empty());
    }
    assert!(judge(&mut rules, &Message { own: true, ..line("a", "1", 0, "x", "scam") }).is_empty());
    let mut member = line("a", "1", 0, "m", "scam");
    member.author.badges = vec![Badge::Member];
    assert_eq!(judge(&mut rules, &member).len(), 1);
}

#[test]
fn backlog_is_hidden_and_nobody_punished_for_it() {
    let mut config = words(&["scam"], false);
    config.words[0].action = Action::Ban;
    let mut rules = Rules::new(config, &lower).unwrap();
    let message = line("a", "1", 0, "x", "scam");
    assert_eq!(strictest(&rules.judge(&message, "scam")), Some(Action::Ban));
    let old = Message { backlog: true, ..message };
    assert_eq!(strictest(&rules.judge(&old, "scam")), Some(Action::Hide));
    assert_eq!(strictest(&[]), None);
    assert!(Action::Ban > Action::TimeOut(9) && Action::TimeOut(1) > Action::Delete);
}

#[test]
fn a_dry_run_finds_what_the_show_would_have_met() {
    let messages = [
        line("a", "1", 0, "x", "hi"),
        line("a", "2", 1, "y", "scam"),
        line("a", "3", 2, "x", "ok"),
    ];
    let config = words(&["scam"], false);
    let found: Vec<_> = dry_run(config, &lower, messages.iter())
        .unwrap()
        .map(|(message, hits)| (message.id.as_str().to_owned(), hits.len()))
        .collect();
    assert_eq!(found, [("2".to_owned(), 1)]);
}

#[test]
fn a_configuration_is_read_and_its_faults_are_named() {
    let json = r#"{"words":[{"name":"bad","lang":"vi","words":["lừa đảo"],"action":{"time-out":600}}],
        "links":{"allow":["shop.com"],"action":"delete"},
        "flood":{"lines":5,"within-s":10,"action":"hold"},"exempt":["owner"]}"#;
    let good: RulesConfig = serde_json::from_str(json).unwrap();
    assert_eq!(good.check(), Ok(()));
    assert_eq!(good.words[0].action, Action::TimeOut(600));
    assert!(serde_json::from_str::<RulesConfig>(r#"{"word":[]}"#).is_err(), "unknown keys");
    let fault = |change: &dyn Fn(&mut RulesConfig)| {
        let mut config = good.clone();
        change(&mut config);
        Rules::new(config, &|text| text.replace('!', "")).unwrap_err()
    };
    assert_eq!(fault(&|c| c.words[0].words.clear()), Invalid::NoWords("bad".into()));
    assert!(matches!(fault(&|c| c.words[0].words.push(" !".into())), Invalid::EmptyWord { .. }));
    assert_eq!(fault(&|c| c.words.push(c.words[0].clone())), Invalid::SameName("bad".into()));
    for host in ["https://shop.com", "shop", "", "a..b", "-a.b"] {
        let links = LinkRule { allow: vec![host.into()], action: Action::Hide };
        assert_eq!(fault(&|c| c.links = Some(links.clone())), Invalid::NotAHost(host.into()));
    }
    let range = |change: &dyn Fn(&mut RulesConfig)| match fault(change) {
        Invalid::OutOfRange { key, .. } => key,
        other => panic!("{other}"),
    };
    assert_eq!(range(&|c| c.words[0].action = Action::TimeOut(0)), "action.time-out");
    assert_eq!(range(&|c| c.flood.as_mut().unwrap().lines = 0), "flood.lines");
    assert_eq!(range(&|c| c.flood.as_mut().unwrap().within_s = 3_601), "flood.within-s");
    let many = |c: &mut RulesConfig| c.words[0].words = vec!["x".into(); 20_001];
    assert_eq!(fault(&many), Invalid::TooManyWords(20_001));
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in ".*", pieces in prop::collection::vec(
        prop::sample::select(vec!["http", ":", "//", "/", "@", ".", "evil", "com", "。", "推", "s c a m", "-", " "]),
        0..30)) {
        let config = RulesConfig {
            links: Some(LinkRule { allow: vec![], action: Action::Hide }),
            caps: Some(CapsRule { percent: 50, letters: 1, action: Action::Hide }),
            ..words(&["scam", "a b"], false)
        };
        let mut rules = Rules::new(config, &lower).unwrap();
        for text in [text, pieces.concat()] {
            judge(&mut rules, &line("a", "1", 0, "lan", &text));
            for host in hosts(&text) {
                prop_assert!(!host.contains(['/', '@', ' ']), "{}", host);
            }
        }
    }

    #[test]
    fn the_trie_finds_what_a_plain_search_finds(
        list in prop::collection::vec("[ab]{1,4}", 1..6),
        text in "[ab ]{0,20}",
    ) {
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        let expected = text.split(' ').any(|word| list.contains(&word));
        let spelt = text.split(' ').filter(|w| w.len() == 1).count() >= 3;
        let found = hits(&words(&list, false), &text);
        prop_assert!(found == expected || (spelt && found), "{:?} in {:?}", list, text);
        let anywhere = list.iter().any(|word| text.contains(word));
        prop_assert!(hits(&words(&list, true), &text) == anywhere || spelt);
    }
}
