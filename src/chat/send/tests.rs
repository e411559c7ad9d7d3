//! Outgoing lines: limits, pace, states, own lines once.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::*;
use crate::{
    base::SourceId,
    chat::sample::{line, source},
};

fn at(ms: u64) -> Moment {
    Moment::from_ms(ms)
}

fn own(source_name: &str, id: &str, text: &str) -> Message {
    Message { own: true, ..line(source_name, id, 0, "me", text) }
}

#[test]
fn nothing_outgoing_ends_a_line_or_begins_a_command() {
    let mut outbox = Outbox::new(Limits::TWITCH);
    outbox.say("hi\r\nQUIT :x\0 \u{202e}you", at(0)).unwrap();
    assert_eq!(outbox.take(at(0)).unwrap().1, "hi  QUIT :x you");
    assert_eq!(outbox.say("\r\n\0 ", at(0)), Err(Refusal::Empty));
    assert_eq!(outbox.say(" /ban lan", at(0)), Err(Refusal::Command('/')));
    assert!(Outbox::new(Limits::irc("#shop")).say("/me too", at(0)).is_ok());
}

#[test]
fn twitch_paces_are_kept_and_the_same_text_waits() {
    let mut outbox = Outbox::new(Limits::TWITCH);
    for n in 0..25 {
        outbox.say(&format!("line {n}"), at(0)).unwrap();
    }
    let sent = (0..30).filter(|_| outbox.take(at(0)).is_some()).count();
    assert_eq!((sent, outbox.queued(), outbox.next()), (19, 6, Some(at(31_000))));
    assert!(outbox.take(at(30_999)).is_none());
    assert!(outbox.take(at(31_000)).is_some());

    let mut outbox = Outbox::new(Limits::TWITCH_MODERATOR);
    let first = outbox.say("yes", at(0)).unwrap();
    let again = outbox.say("yes", at(0)).unwrap();
    let other = outbox.say("no", at(0)).unwrap();
    let order: Vec<_> = (0..3).filter_map(|_| outbox.take(at(10))).map(|(id, _)| id).collect();
    assert_eq!(order, [first[0], other[0]], "another line may pass");
    assert_eq!(outbox.next(), Some(at(31_010)));
    assert_eq!(outbox.take(at(31_010)).map(|(id, _)| id), Some(again[0]));
    assert_eq!(outbox.next(), None);
}

#[test]
fn a_line_goes_through_its_states() {
    let mut outbox = Outbox::new(Limits::KICK);
    let ids: Vec<_> = (0..4).map(|n| outbox.say(&n.to_string(), at(0)).unwrap()[0]).collect();
    let status = |outbox: &Outbox, n: usize| outbox.line(ids[n]).unwrap().status.clone();
    outbox.answered(ids[0], Answer::Taken(None), at(0));
    assert_eq!(status(&outbox, 0), Status::Queued, "no answer to what was not sent");
    for _ in 0..3 {
        outbox.take(at(1)).unwrap();
    }
    assert_eq!(status(&outbox, 0), Status::Sent);
    outbox.answered(ids[0], Answer::Taken(Some(MessageId::new("m"))), at(2));
    outbox.answered(
        ids[1],
        Answer::Dropped { code: Text::name("automod_held"), text: Text::name("held") },
        at(2),
    );
    outbox.answered(ids[2], Answer::Later(Duration::from_secs(5)), at(2));
    assert_eq!(status(&outbox, 0), Status::Confirmed);
    assert!(
        matches!(status(&outbox, 1), Status::Dropped { code, .. } if code.as_str() == "automod_held")
    );
    assert_eq!((status(&outbox, 2), outbox.next()), (Status::Queued, Some(at(5_002))));
    assert!(outbox.take(at(5_001)).is_none());
    assert_eq!(outbox.take(at(5_002)).map(|(id, _)| id), Some(ids[2]), "its place is kept");
    outbox.answered(ids[2], Answer::Failed(Failure::Network), at(5_003));
    assert_eq!(status(&outbox, 2), Status::Failed(Failure::Network));
    assert!(outbox.take(at(200_000)).is_none());
    assert_eq!(status(&outbox, 3), Status::Failed(Failure::Expired));
}

#[test]
fn a_queued_line_can_be_withdrawn_and_the_queue_is_bounded() {
    let mut outbox = Outbox::new(Limits::YOUTUBE);
    for n in 0..MOST_QUEUED {
        outbox.say(&n.to_string(), at(0)).unwrap();
    }
    assert_eq!(outbox.say("more", at(0)), Err(Refusal::Full));
    assert!(outbox.withdraw(LineId(1)) && !outbox.withdraw(LineId(1)));
    assert_eq!(outbox.take(at(0)).map(|(id, _)| id), Some(LineId(2)));
    let mut long = Outbox::new(Limits::irc("#x"));
    for n in 0..1_000 {
        long.say(&n.to_string(), at(n * 10_000)).unwrap();
        long.take(at(n * 10_000)).unwrap();
    }
    assert_eq!(long.lines().count(), MOST_KEPT);
}

#[test]
fn the_own_line_is_recognised_by_identifier_or_text_once() {
    let mut outbox = Outbox::new(Limits::KICK);
    let ids: Vec<_> = (0..3).map(|_| outbox.say("thank  you", at(0)).unwrap()[0]).collect();
    assert_eq!(outbox.echo(&own("a", "x", "thank you"), at(0)), None, "not sent yet");
    for _ in 0..3 {
        outbox.take(at(0)).unwrap();
    }
    outbox.answered(ids[1], Answer::Taken(Some(MessageId::new("m1"))), at(1));
    let strangers = line("a", "x", 0, "lan", "thank you");
    assert_eq!(outbox.echo(&strangers, at(1)), None);
    assert_eq!(outbox.echo(&own("a", "m1", "thank you"), at(1)), Some(ids[1]));
    assert_eq!(outbox.echo(&own("a", "m0", "thank you"), at(1)), Some(ids[0]));
    assert_eq!(outbox.line(ids[0]).unwrap().status, Status::Confirmed);
    assert_eq!(outbox.echo(&own("a", "m2", "thank you"), at(99_000)), None, "too late to be it");
}

#[test]
fn an_announcement_is_shown_once() {
    let (a, b, c): (SourceId, SourceId, SourceId) = (source("a"), source("b"), source("c"));
    let mut all = Outboxes::default();
    all.put(a.clone(), Outbox::new(Limits::TWITCH));
    all.put(b.clone(), Outbox::new(Limits::YOUTUBE));
    let long = format!("{} {}", "x".repeat(150), "y".repeat(100));
    let (id, told) = all.announce([&a, &b, &c].into_iter(), &long, at(0));
    let parts: Vec<_> = told.iter().map(|(_, lines)| lines.as_ref().unwrap().len()).collect();
    assert_eq!((parts, all.lines(id).len()), (vec![1, 2], 3));
    let sent: Vec<_> = [all.take(at(0)), all.take(at(0))].concat();
    assert_eq!(sent.len(), 3);
    let text = |n: usize| sent[n].2.clone();
    assert_eq!(all.own(&own("b", "1", &text(1)), at(1)), Own::First(id));
    assert_eq!(all.own(&own("a", "1", &text(0)), at(2)), Own::Again(id));
    assert_eq!(all.own(&own("b", "2", &text(2)), at(3)), Own::First(id), "its second part");
    assert_eq!(all.own(&own("b", "2", &text(2)), at(3)), Own::Again(id));
    assert_eq!(all.own(&own("a", "9", "from my telephone"), at(4)), Own::Elsewhere);
    assert_eq!(all.own(&own("c", "9", &long), at(4)), Own::Elsewhere);
}

#[test]
fn long_lines_are_parted_between_words_or_refused() {
    let limits = Limits { length: Length::Characters(10), long: Long::Split(3), ..Limits::KICK };
    let parts = |text: &str| split::split(text, &limits);
    assert_eq!(parts("one two three four").unwrap(), ["one two", "three four"]);
    assert_eq!(parts("abcdefghijklmno").unwrap(), ["abcdefghij", "klmno"]);
    let refusal = Refusal::TooLong { most: 10, bytes: false, parts: 3 };
    assert_eq!(parts(&"x".repeat(31)), Err(refusal));
    assert_eq!(refusal.to_string(), "the line is too long: at most 10 characters in 3 parts");
    let refuse = Limits { long: Long::Refuse, ..limits };
    assert!(split::split("one two three", &refuse).is_err());
    let family = "👨🏻\u{200d}👩🏽\u{200d}👧🏼\u{200d}👦🏿";
    assert!(parts(family).is_err(), "one grapheme of eleven characters");
    let bytes = Limits { length: Length::Bytes(50), ..limits };
    assert_eq!(split::split(&family.repeat(2), &bytes).unwrap(), [family, family]);
    assert_eq!(Limits::irc("#shop").length, Length::Bytes(386));
}

#[test]
fn snippets_and_mentions() {
    let value = |name: &str| match name {
        "name" => Some("{price} Lan".to_owned()),
        "price" => Some("9".to_owned()),
        _ => None,
    };
    assert_eq!(expand("Hi {name}: { price } {{x}}", &value).unwrap(), "Hi {price} Lan: 9 {x}");
    assert_eq!(expand("{who}", &value), Err(BadSnippet::Unknown("who".into())));
    for (bad, at) in [("a {", 2), ("a } b", 2), ("{na{me}", 0), ("ü {x", 3)] {
        assert_eq!(expand(bad, &value), Err(BadSnippet::Brace(at)), "{bad}");
    }
    let names = ["Lan", "lan", "Alan", "Bo", "lanh"];
    assert_eq!(complete("LA", names.into_iter(), 9), ["Lan", "lanh", "Alan"]);
    assert_eq!(complete("", names.into_iter(), 2), ["Lan", "Alan"]);
    let found = mention("hi @La", 6).unwrap();
    assert_eq!((found.range, found.prefix.as_str()), (4..6, "La"));
    for (text, cursor) in [("a@b", 3), ("@a b", 4), ("ü@", 1), ("@", 9), ("none", 4)] {
        assert_eq!(mention(text, cursor), None, "{text}");
    }
}

proptest! {
    #[test]
    fn parts_fit_and_nothing_is_lost(
        text in "[a-c é👩🏽\u{200d}]{1,120}",
        most in 1_usize..40,
        bytes in any::<bool>(),
    ) {
        let length = if bytes { Length::Bytes(most) } else { Length::Characters(most) };
        let limits = Limits { length, long: Long::Split(200), ..Limits::KICK };
        let clean = text::plain(&text);
        prop_assume!(!clean.trim().is_empty());
        match split::split(&clean, &limits) {
            Ok(parts) => {
                prop_assert!(parts.iter().all(|p| length.of(p) <= most && !p.trim().is_empty()));
                let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                prop_assert_eq!(solid(&parts.concat()), solid(&clean));
            }
            Err(_) => prop_assert!(clean.graphemes(true).any(|g| length.of(g) > most)),
        }
    }

    #[test]
    fn a_pace_is_never_exceeded(
        steps in prop::collection::vec((0..4_u8, 0..6_000_u64), 1..150)
    ) {
        let mut outbox = Outbox::new(Limits::YOUTUBE);
        let (mut now, mut sent, mut n) = (0, Vec::new(), 0);
        for (what, pause) in steps {
            now += pause;
            if what == 0 {
                n += 1;
                let _ = outbox.say(&n.to_string(), at(now));
            } else {
                let due = outbox.next();
                let taken = outbox.take(at(now));
                if taken.is_some() {
                    prop_assert!(due.is_some_and(|due| due <= at(now)));
                    sent.push(now);
                }
            }
        }
        for pace in Limits::YOUTUBE.paces {
            for window in sent.windows(pace.lines as usize + 1) {
                let (first, last) = (window[0], window[window.len() - 1]);
                prop_assert!(u128::from(last - first) >= pace.within.as_millis());
            }
        }
    }

    #[test]
    fn no_template_is_too_odd(template in "[{}a é]{0,30}") {
        let _ = expand(&template, &|name| Some(name.to_owned()));
        for cursor in 0..template.len() + 2 {
            let _ = mention(&template, cursor);
        }
    }
}
