//! Outlets fed by hand: frames of chosen sizes, as the encoder would give them when it steps, without a program.

use std::sync::Arc;

use gst::prelude::*;
use hawker::media::fanout::{Encoded, Fanout, Sound};

/// Runs a pipeline to its end; what came out at `out`, with times from `from_ns` on, `every_ns` apart.
fn made(description: &str, from_ns: u64, every_ns: u64) -> Vec<Encoded> {
    let text = format!("{description} ! appsink name=out sync=false");
    let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
    let out = pipeline.by_name("out").and_downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut all = Vec::new();
    while let Ok(sample) = out.pull_sample() {
        let mut buffer = sample.buffer_owned().unwrap();
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let time = gst::ClockTime::from_nseconds(from_ns + all.len() as u64 * every_ns);
        let own = buffer.make_mut();
        own.set_pts(time);
        own.set_dts(time);
        all.push(Encoded { key, ..Encoded::sound(buffer) });
    }
    pipeline.set_state(gst::State::Null).unwrap();
    all
}

/// Hands over pictures of these sizes, two seconds of each, with sound, faster than they play.
pub fn feed(fanout: &Arc<Fanout>, sizes: &[(u32, u32)]) {
    const FRAME_NS: u64 = 1_000_000_000 / 30;
    let second_ns = 1_000_000_000_u64;
    let pictures: Vec<Encoded> = sizes
        .iter()
        .zip(0_u64..)
        .flat_map(|((width, height), n)| {
            let text = format!(
                "videotestsrc num-buffers=60 pattern=ball ! video/x-raw,width={width},height={height},\
                 framerate=30/1 ! x264enc tune=zerolatency key-int-max=60 byte-stream=true ! \
                 video/x-h264,stream-format=byte-stream,alignment=au,profile=constrained-baseline"
            );
            // An hour into a show.
            made(&text, 3600 * second_ns + n * 60 * FRAME_NS, FRAME_NS)
        })
        .collect();
    let seconds = sizes.len() * 2;
    let tone = format!(
        "audiotestsrc num-buffers={} samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2",
        seconds * 50
    );
    let from_ns = 3600 * second_ns;
    let opus = made(&format!("{tone} ! opusenc"), from_ns, 20_000_000);
    let aac = made(
        &format!("{tone} ! audioconvert ! avenc_aac ! audio/mpeg,stream-format=raw"),
        from_ns,
        1024 * second_ns / 48_000,
    );
    let (mut opus, mut aac) = (opus.iter().peekable(), aac.iter().peekable());
    for picture in pictures {
        let until = picture.buffer.pts();
        while let Some(packet) = opus.next_if(|p| p.buffer.pts() <= until) {
            fanout.sound(Sound::Opus, packet);
        }
        while let Some(packet) = aac.next_if(|p| p.buffer.pts() <= until) {
            fanout.sound(Sound::Aac, packet);
        }
        fanout.video(&picture);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
