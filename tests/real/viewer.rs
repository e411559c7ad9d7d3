//! One who watches a stage, in the test's own process.

use hawker::{
    link::whip::{Link, LinkOptions, WhipEvent, open},
    stage::{Watch, WatchOptions},
    whip::Role,
};

/// Watches a WHEP endpoint. The session lives as long as the test's process.
pub async fn watch(url: &str) -> Watch {
    let link = Link::new(&LinkOptions::default()).unwrap();
    let (mut watch, offer) = Watch::new(&WatchOptions::default()).unwrap();
    let mut talk = open(&link, url.parse().unwrap(), None, offer, Role::Whep);
    while let Some(event) = talk.events.recv().await {
        if let WhipEvent::Answer(sdp) = event {
            watch.answer(&sdp).unwrap();
            // Dropping the conversation would end the session.
            tokio::spawn(async move {
                let mut talk = talk;
                while talk.events.recv().await.is_some() {}
            });
            return watch;
        }
    }
    panic!("the stage gave no answer");
}
