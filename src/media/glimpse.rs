//! The small picture of the program that a console draws. Made in a thread of its own, only while somebody
//! looks, at ten frames a second at most.

use std::sync::{
    Arc, Mutex,
    mpsc::{Receiver, SyncSender, sync_channel},
};

use tokio::sync::watch;

use super::{
    MediaError,
    compose::canvas_info,
    feed::lock,
    program::Glimpse,
    shrink::{Shrinker, within},
};
use crate::{base::Canvas, stats::Picture};

/// Makes pictures from glimpses.
pub struct Glimpses {
    size: Arc<Mutex<Option<(u16, u16)>>>,
    publish: watch::Sender<Option<Arc<Picture>>>,
}

impl Glimpses {
    /// Starts the thread. It ends when the returned sender is dropped.
    pub fn start(canvas: Canvas) -> Result<(Self, SyncSender<Glimpse>), MediaError> {
        let (sender, receiver) = sync_channel(1);
        let (publish, _) = watch::channel(None);
        let publish: watch::Sender<Option<Arc<Picture>>> = publish;
        let pictures = publish.clone();
        let size = Arc::new(Mutex::new(None));
        let wanted = Arc::clone(&size);
        let info = canvas_info(canvas)?;
        std::thread::Builder::new()
            .name("glimpse".into())
            .spawn(move || run(&info, &receiver, &wanted, &pictures))
            .map_err(|e| MediaError::lasting(format!("no thread for the picture: {e}")))?;
        Ok((Self { size, publish }, sender))
    }

    /// Pictures of that size from now on, in pixels; `None` for none.
    pub fn look(&self, size: Option<(u16, u16)>) {
        *lock(&self.size) = size.map(within);
        if size.is_none() {
            // Whoever looks next must not be shown an old picture.
            self.publish.send_replace(None);
        }
    }

    /// The newest picture.
    pub fn picture(&self) -> watch::Receiver<Option<Arc<Picture>>> {
        self.publish.subscribe()
    }
}

fn run(
    canvas: &gst_video::VideoInfo,
    glimpses: &Receiver<Glimpse>,
    wanted: &Mutex<Option<(u16, u16)>>,
    publish: &watch::Sender<Option<Arc<Picture>>>,
) {
    let mut shrinker = Shrinker::default();
    while let Ok(glimpse) = glimpses.recv() {
        let Some(size) = *lock(wanted) else {
            publish.send_replace(None);
            shrinker = Shrinker::default();
            continue;
        };
        if let Some(picture) = shrinker.shrink(glimpse.buffer, canvas, size) {
            publish.send_if_modified(|shown| {
                let moved = shown.as_deref() != Some(&picture);
                if moved {
                    *shown = Some(Arc::new(picture));
                }
                moved
            });
        }
    }
}
