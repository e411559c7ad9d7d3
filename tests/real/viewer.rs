//! One who watches a stage, in the test's own process.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use hawker::{
    link::whip::{Link, LinkOptions, WhipEvent, open},
    stage::{Watch, WatchOptions},
    whip::Role,
};

/// Watches a WHEP endpoint, figures only. The session lives as long as the test's process.
pub async fn watch(url: &str) -> Watch {
    watch_with(url, &WatchOptions::default()).await
}

async fn watch_with(url: &str, options: &WatchOptions) -> Watch {
    let link = Link::new(&LinkOptions::default()).unwrap();
    let (mut watch, offer) = Watch::new(options).unwrap();
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

/// One who writes down which of our frames came.
pub struct Counter {
    watch: Watch,
    numbers: Arc<Mutex<Vec<u64>>>,
}

impl Counter {
    /// Watches a WHEP endpoint.
    pub async fn start(url: &str) -> Self {
        let options = WatchOptions { frames: 1024, ..WatchOptions::default() };
        let mut watch = watch_with(url, &options).await;
        let mut frames = watch.frames().unwrap();
        let numbers = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&numbers);
        tokio::spawn(async move {
            while let Some(unit) = frames.recv().await {
                kept.lock().unwrap().extend(unit.frame_no);
            }
        });
        Self { watch, numbers }
    }

    /// The last frame that came, once one has come after that one.
    pub async fn after(&self, number: u64) -> u64 {
        let seen = async {
            loop {
                let last = self.numbers.lock().unwrap().last().copied();
                if let Some(last) = last.filter(|last| *last > number) {
                    return last;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.expect("a frame within 20 s")
    }

    /// Every frame that came, in the order of coming.
    pub async fn end(self) -> Vec<u64> {
        self.watch.stop().await;
        let numbers = self.numbers.lock().unwrap();
        numbers.clone()
    }
}
