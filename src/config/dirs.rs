//! Where hawker keeps its files. It names folders; it makes none.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::Failure;

/// hawker's folders on this machine. They need not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// What the user writes: `config.toml`, `profiles/`, `layouts/`, `ingests/`, `markets/`.
    pub config: PathBuf,
    /// What hawker keeps: log, journal, sockets.
    pub state: PathBuf,
    /// What may be deleted at any time.
    pub cache: PathBuf,
}

impl Dirs {
    /// The folders of this user by the system's custom; `HAWKER_CONFIG_DIR`, `HAWKER_STATE_DIR` and
    /// `HAWKER_CACHE_DIR` override each.
    ///
    /// # Errors
    /// When the user has no home folder and a folder is not named by the environment.
    pub fn find() -> Result<Self, Failure> {
        Self::by(|name| std::env::var_os(name))
    }

    /// All three below one folder: for tests and for shows that must leave no trace elsewhere.
    pub fn below(root: &Path) -> Self {
        Self { config: root.join("config"), state: root.join("state"), cache: root.join("cache") }
    }

    fn by(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let custom = directories::ProjectDirs::from("", "", "hawker");
        let folder = |name: &str, usual: Option<PathBuf>| {
            let named = variable(name).filter(|v| !v.is_empty()).map(PathBuf::from);
            let folder = named.or(usual).ok_or_else(|| {
                Failure::new(format!(
                    "no folder for hawker's files: this user has no home folder. Set {name} to a \
                     folder of your own"
                ))
            })?;
            // The engine is a process of its own and may stand in another folder.
            std::path::absolute(&folder).map_err(|e| {
                Failure::new(format!("{name} cannot be made an absolute path: {e}. Set it to one"))
            })
        };
        let custom = custom.as_ref();
        Ok(Self {
            config: folder("HAWKER_CONFIG_DIR", custom.map(|d| d.config_dir().to_owned()))?,
            state: folder(
                "HAWKER_STATE_DIR",
                custom.map(|d| d.state_dir().unwrap_or_else(|| d.data_local_dir()).to_owned()),
            )?,
            cache: folder("HAWKER_CACHE_DIR", custom.map(|d| d.cache_dir().to_owned()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_overrides_each_folder() {
        let dirs = Dirs::by(|name| Some(format!("/x/{name}").into())).unwrap();
        assert_eq!(dirs.config, Path::new("/x/HAWKER_CONFIG_DIR"));
        assert_eq!(dirs.state, Path::new("/x/HAWKER_STATE_DIR"));
        assert_eq!(dirs.cache, Path::new("/x/HAWKER_CACHE_DIR"));
        let relative = Dirs::by(|_| Some("here".into())).unwrap();
        assert!(relative.state.is_absolute());
    }
}
