//! A small show for tests: two inputs, two scenes, one or two WHIP outputs.

use hawker::{
    base::{InputId, OutputId, SceneId},
    show::{OutputSpec, ShowSpec, Target, WhipSpec},
};

pub fn input(name: &str) -> InputId {
    name.parse().unwrap()
}

pub fn scene(name: &str) -> SceneId {
    name.parse().unwrap()
}

pub fn output(name: &str) -> OutputId {
    name.parse().unwrap()
}

pub fn spec(outputs: &[&str]) -> ShowSpec {
    let layout = serde_json::json!({"slots": [[0.0, 0.0, 1.0, 1.0]]});
    let canvas = serde_json::json!({"width": 1280, "height": 720, "fps": 30});
    let scenes: Vec<_> = ["table", "close"]
        .iter()
        .zip(["cam", "film"])
        .map(|(id, input)| {
            serde_json::json!({
                "id": id, "title": id, "key": null, "layout_name": "full", "layout": layout,
                "layers": [{"input": input, "fit": "cover"}], "hears": "layers",
            })
        })
        .collect();
    let inputs: Vec<_> = ["cam", "film"]
        .iter()
        .map(|id| {
            serde_json::json!({
                "id": id, "kind": {"kind": "test", "pattern": "ball", "tone_hz": 440},
                "gain": 0.0, "muted": false,
            })
        })
        .collect();
    let whip = WhipSpec::to("http://127.0.0.1:9/whip".parse().unwrap(), None);
    let outputs: Vec<_> =
        outputs.iter().map(|id| OutputSpec::new(output(id), Target::Whip(whip.clone()))).collect();
    serde_json::from_value(serde_json::json!({
        "title": "Tea", "inputs": inputs, "scenes": scenes, "outputs": outputs,
        "profile": {
            "name": "lively", "canvas": canvas, "codec": "h264", "effort": "veryfast",
            "max_kbps": 2500, "start_kbps": 2000, "min_kbps": 300, "audio_kbps": 64,
            "keyframe_ms": 2000, "latency_target_ms": 300,
            "ladder": [{"canvas": canvas, "from_kbps": 300}],
        },
    }))
    .unwrap()
}
