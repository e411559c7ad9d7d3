//! How far the request on a connection has come, and the bodies that say so as they pass.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use super::Bounds;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Its first request's head.
    First,
    /// The rest of a request's body.
    Body,
    /// Another request.
    Idle,
    /// The answer.
    Answer,
}

/// How far a connection has come.
#[derive(Debug)]
pub struct Progress(Mutex<(Phase, Instant, Instant)>);

impl Progress {
    /// A connection that has just been opened.
    pub fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new((Phase::First, now, now)))
    }

    /// From now on it waits for that.
    pub fn enter(&self, phase: Phase) {
        let now = Instant::now();
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, _, asked) = *progress;
        // The deadline of a request runs from the end of its head, whatever happens to it on the way.
        let asked = match (before, phase) {
            (Phase::First | Phase::Idle, _) | (_, Phase::Idle) => now,
            _ => asked,
        };
        *progress = (phase, now, asked);
    }

    /// When it will have taken too long.
    pub fn overdue_at(&self, bounds: &Bounds) -> Instant {
        let (phase, since, asked) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match phase {
            Phase::First | Phase::Idle => since + bounds.head,
            Phase::Body | Phase::Answer => asked + bounds.request,
        }
    }

    /// What it waits for from the client, and since when; `None` while it is being answered. The least is the first
    /// to go.
    pub fn unfinished(&self) -> Option<(Phase, Instant)> {
        let (phase, since, _) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (phase != Phase::Answer).then_some((phase, since))
    }
}

/// A body that says when it has passed.
#[derive(Debug)]
pub struct Counted<B> {
    body: B,
    progress: Arc<Progress>,
    then: Phase,
    said: bool,
}

impl Counted<hyper::body::Incoming> {
    /// The body of a request: once it is here, the answer is waited for.
    pub fn incoming(body: hyper::body::Incoming, progress: &Arc<Progress>) -> Self {
        let mut counted =
            Self { body, progress: Arc::clone(progress), then: Phase::Answer, said: false };
        if counted.body.is_end_stream() {
            counted.say();
        }
        counted
    }
}

impl Counted<Body> {
    /// The body of an answer: once it is written or given up, the next request is waited for.
    pub fn outgoing(body: Body, progress: &Arc<Progress>) -> Self {
        Self { body, progress: Arc::clone(progress), then: Phase::Idle, said: false }
    }
}

impl<B> Counted<B> {
    fn say(&mut self) {
        if !std::mem::replace(&mut self.said, true) {
            self.progress.enter(self.then);
        }
    }
}

impl<B> Drop for Counted<B> {
    fn drop(&mut self) {
        // A request's body that is dropped early is followed by its answer, which says so itself.
        if self.then == Phase::Idle {
            self.say();
        }
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.say();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
