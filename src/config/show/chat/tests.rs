//! Tests of `[[chat]]`: each kind with its keys, and what is wrong said at its key.

use std::path::Path;

use super::*;
use crate::{
    chat::spec::Bridge,
    config::{Dirs, diagnostics::Diagnostics, show::parse_show},
};

fn read(chat: &str) -> Result<Vec<ChatSpec>, Diagnostics> {
    let show = "title = \"t\"\n[[input]]\nid = \"a\"\nkind = \"test\"\n[[scene]]\nid = \"s\"\nlayers = [\"a\"]\n";
    let dirs = Dirs::below(Path::new("/dev/null"));
    let show = parse_show(&format!("{show}{chat}"), "show.toml", Path::new("/nowhere"), &dirs)?;
    Ok(show.chats)
}

fn source(kind: &str, keys: &str) -> String {
    format!("[[chat]]\nid = \"{kind}\"\nkind = \"{kind}\"\n{keys}\n")
}

#[test]
fn each_kind_is_read_with_its_keys() {
    let text = [
        source("twitch", "channels = [\"shop\"]\ntoken = \"env:TW\"\nclient-id = \"abc1\""),
        source("bridge", "bridge = \"social-stream\"\nsession = \"env:SSN\""),
        source("webhook", "listen = \"127.0.0.1:8099\"\nplatform = \"Zalo\""),
        source("kick", "listen = \"[::1]:8100\"\npath = \"/a-b\"\npublic-key = \"file:kick.pem\""),
        source("facebook", "video = \"123\"\ntoken = \"env:FB\""),
        source(
            "shopee",
            "live = 5\npartner = 7\nshop = 9000000000\nkey = \"env:KEY\"\ntoken = \"file:token\"",
        ),
    ];
    let chats = read(&text.concat()).unwrap();
    let kinds: Vec<&str> = chats.iter().map(|spec| spec.service.kind()).collect();
    assert_eq!(kinds, ["twitch", "bridge", "webhook", "kick", "facebook", "shopee"]);
    for spec in &chats {
        assert_eq!(spec.service.route().kind().name(), spec.service.kind());
        let round = serde_json::from_value(serde_json::to_value(spec).unwrap()).unwrap();
        assert_eq!(*spec, round);
    }
    let Service::Bridge { bridge, server, transport, path, .. } = &chats[1].service else {
        panic!("{chats:?}")
    };
    assert_eq!((*bridge, *transport, path.as_str()), (Bridge::SocialStream, Transport::Tcp, "/"));
    assert_eq!(server.to_string(), "127.0.0.1:3000");
    let Service::Kick { public_key, path, .. } = &chats[3].service else { panic!("{chats:?}") };
    assert_eq!((public_key.as_path(), path.as_str()), (Path::new("/nowhere/kick.pem"), "/a-b"));
}

#[test]
fn who_writes_is_read_and_changes_what_the_source_can_do() {
    use crate::chat::{capability::Route, spec::KICK};
    let youtube = "video = \"v\"\nkey = \"env:KEY\"\naccount = \"file:token\"";
    let kick = "listen = \"[::1]:8100\"\npublic-key = \"file:kick.pem\"\ntoken = \"env:KICK\"\nchannel = 42";
    let chats = read(&(source("youtube", youtube) + &source("kick", kick))).unwrap();
    let routes: Vec<Route> = chats.iter().map(|spec| spec.service.route()).collect();
    assert_eq!(routes, [Route::YoutubeAccount, Route::KickAccount]);
    for spec in &chats {
        let round = serde_json::from_value(serde_json::to_value(spec).unwrap()).unwrap();
        assert_eq!(*spec, round);
    }
    let Service::Youtube { account: Some(account), .. } = &chats[0].service else { panic!() };
    assert_eq!(account.to_string(), "file:/nowhere/token");
    let Service::Kick { account: Some(account), .. } = &chats[1].service else { panic!() };
    assert_eq!((account.channel, account.api.as_str()), (42, format!("{KICK}/").as_str()));
    // Without an account they are read, and what was kept of such a show before can still be loaded.
    let plain = source("youtube", "video = \"v\"\nkey = \"env:KEY\"");
    let plain = &read(&plain).unwrap()[0];
    assert_eq!(plain.service.route(), Route::YoutubeKey);
    assert!(!serde_json::to_string(plain).unwrap().contains("account"));
}

#[test]
fn what_is_wrong_is_said_once_and_shows_no_secret() {
    let ours = "channels = [\"shop\"]\ntoken = \"env:A\"";
    let with = |more: &str| format!("{ours}\n{more}");
    for (keys, wanted) in [
        ("channels = [\"shop\"]\ntoken = \"s3cr3t\"\nclient-id = \"abc\"".to_owned(), "token"),
        (ours.to_owned(), "Client ID of the application"),
        (with("client-id = \"a b\""), "no Client ID"),
        ("channels = [\"shop\"]\nclient-id = \"abc\"".to_owned(), "no token it belongs to"),
        ("channels = [\"shop\"]\neventsub = \"wss://a.example/\"".to_owned(), "no token"),
        (with("client-id = \"abc\"\nserver = \"127.0.0.1:1\""), "not read by IRC"),
        (with("client-id = \"abc\"\napi = \"http://a.example\""), "secret"),
        (with("client-id = \"abc\"\neventsub = \"ws://10.0.0.1/ws\""), "encrypted WebSocket"),
    ] {
        let wrong = read(&source("twitch", &keys)).unwrap_err();
        let text = format!("{wrong:?}");
        assert!(wrong.len() == 1 && text.contains(wanted), "{keys}: {text}");
        assert!(!wrong.to_string().contains("s3cr3t"), "{keys}: {wrong}");
    }
    for (kind, keys, wanted) in [
        ("bridge", "", "bridge"),
        ("bridge", "bridge = \"restream\"", "token"),
        ("bridge", "bridge = \"social-stream\"\nsession = \"s3cr3t\"", "session"),
        ("bridge", "bridge = \"streamer-bot\"\ntoken = \"env:A\"", "takes no token"),
        ("bridge", "bridge = \"streamer-bot\"\nurl = \"ws://10.0.0.1:8080\"", "plain text"),
        ("bridge", "bridge = \"streamer-bot\"\nurl = \"wss://a.example/?t=s3cr3t\"", "secret"),
        ("webhook", "", "listen"),
        ("webhook", "listen = \"0.0.0.0:8099\"", "anybody"),
        ("webhook", "listen = \"127.0.0.1:0\"", "no address with a port"),
        ("webhook", "listen = \"127.0.0.1:8099\"\npath = \"/{a}\"", "no path"),
        ("kick", "listen = \"127.0.0.1:8099\"", "public-key"),
        ("kick", "listen = \"127.0.0.1:8099\"\npublic-key = \"k.pem\"", "names no file"),
        ("kick", "listen = \"127.0.0.1:1\"\npublic-key = \"file:k\"\nchannel = 42", "chat:write"),
        ("kick", "listen = \"127.0.0.1:1\"\npublic-key = \"file:k\"\ntoken = \"env:K\"", "channel"),
        (
            "kick",
            "listen = \"127.0.0.1:1\"\npublic-key = \"file:k\"\ntoken = \"s3cr3t\"\nchannel = 4",
            "token",
        ),
        (
            "kick",
            "listen = \"127.0.0.1:1\"\npublic-key = \"file:k\"\ntoken = \"env:K\"\nchannel = 4\napi = \"http://a.example\"",
            "no address a secret",
        ),
        ("youtube", "video = \"v\"\nkey = \"env:K\"\naccount = \"s3cr3t\"", "account"),
        ("facebook", "video = \"https://fb.example/1\"\ntoken = \"env:FB\"", "no live video"),
        ("facebook", "video = \"1\"\ntoken = \"s3cr3t\"", "token"),
        ("facebook", "video = \"1\"\ntoken = \"env:FB\"\napi = \"http://a.example\"", "secret"),
        ("shopee", "live = 5\npartner = 7\nshop = 0\nkey = \"env:K\"\ntoken = \"env:T\"", "shop"),
        ("kick", "listen = \"127.0.0.1:1\"\npublic-key = \"file:k\"\nurl = \"wss://a\"", "bridge"),
    ] {
        let wrong = read(&source(kind, keys)).unwrap_err();
        let text = format!("{wrong:?}");
        assert!(wrong.len() == 1 && text.contains(wanted), "{kind} {keys}: {text}");
        assert!(!wrong.to_string().contains("s3cr3t"), "{kind} {keys}: {wrong}");
    }
}

#[test]
fn an_account_of_twitch_may_have_stand_ins_on_this_machine() {
    use crate::chat::capability::Route;
    let keys = "channels = [\"#Shop\"]\ntoken = \"file:tw.token\"\nclient-id = \"abc1\"\n\
                api = \"http://127.0.0.1:8080\"\neventsub = \"ws://[::1]:8080/ws\"";
    let chats = read(&source("twitch", keys)).unwrap();
    assert_eq!(chats[0].service.route(), Route::TwitchToken);
    let Service::Twitch { account: Some(account), .. } = &chats[0].service else { panic!() };
    assert_eq!(account.token.to_string(), "file:/nowhere/tw.token");
    assert_eq!(account.eventsub.as_ref().unwrap().as_str(), "ws://[::1]:8080/ws");
    let chats = read(&source("twitch", "channels = [\"shop\"]")).unwrap();
    assert_eq!(chats[0].service.route(), Route::TwitchAnonymous);
}

#[test]
fn two_sources_cannot_listen_at_one_place() {
    let webhook = source("webhook", "listen = \"127.0.0.1:8099\"");
    let kick = source("kick", "listen = \"127.0.0.1:8099\"\npublic-key = \"file:k.pem\"");
    let wrong = read(&(webhook + &kick)).unwrap_err();
    assert!(wrong.to_string().contains("both listen on 127.0.0.1:8099"), "{wrong}");
}

#[test]
fn each_source_says_how_long_its_lines_stay_in_the_store() {
    let lines = |id: &str, keep: &str| {
        format!("[[chat]]\nid = \"{id}\"\nkind = \"lines\"\npath = \"x\"\n{keep}\n")
    };
    let text = [lines("a", ""), lines("b", "keep-days = 0"), lines("c", "keep-days = 400")];
    let kept: Vec<u32> = read(&text.concat()).unwrap().iter().map(|spec| spec.keep_days).collect();
    assert_eq!(kept, [KEEP_DAYS, 0, 400]);
    for wrong in ["-1", "3661", "\"30d\""] {
        let told = read(&lines("a", &format!("keep-days = {wrong}"))).unwrap_err().to_string();
        assert!(told.contains("keep-days"), "{wrong}: {told}");
    }
}
