//! The corpus: every good show loads, and what is said of every bad one is written down, word for word.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use hawker::config::{self, Dirs};

fn shows(folder: &str) -> Vec<PathBuf> {
    let mut shows: Vec<PathBuf> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    shows.sort();
    assert!(!shows.is_empty(), "no shows in {folder}");
    shows
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn every_good_show_loads() {
    let root = tempfile::tempdir().unwrap();
    let dirs = Dirs::below(root.path());
    let good = shows("tests/shows/good");
    let examples = shows("presets/shows");
    assert_eq!(examples.len(), config::EXAMPLES.len(), "an example is not embedded");
    for path in good.iter().chain(&examples) {
        let show = config::load_show(path, &dirs).unwrap_or_else(|problems| panic!("{problems}"));
        for scene in &show.scenes {
            let composition = show.compose(scene);
            assert_eq!(composition.layers.len(), scene.layers.len(), "{}", path.display());
            for layer in &scene.layers {
                assert!(show.input(&layer.input).unwrap().kind.has_picture());
            }
        }
    }
}

#[test]
fn every_bad_show_is_told_what_is_wrong() {
    let root = tempfile::tempdir().unwrap();
    let dirs = Dirs::below(root.path());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("shows/bad");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in shows("tests/shows/bad") {
            let text = fs::read_to_string(&path).unwrap();
            let origin = format!("{}.toml", name(&path));
            let problems = config::parse_show(&text, &origin, path.parent().unwrap(), &dirs)
                .expect_err(&format!("{} should have problems", path.display()));
            let shown = problems.to_string();
            // The corpus writes every secret so that it can be found again.
            assert!(!shown.contains("hu5h"), "{shown}");
            insta::assert_snapshot!(name(&path), shown);
        }
    });
}

#[test]
fn the_schema_accepts_what_loads() {
    // Read by the form the schema is made of: what loads must also be what editors are told.
    for path in shows("tests/shows/good").iter().chain(&shows("presets/shows")) {
        let text = fs::read_to_string(path).unwrap();
        toml::from_str::<config::schema::ShowForm>(&text)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}
