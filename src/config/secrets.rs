//! Reads a secret at the moment of its use. What it read, and what it could not, is never in a message.

use std::{fs, path::Path};

use super::{Failure, Unreadable, read_file};
use crate::base::{Secret, SecretRef};

/// The greatest secret, in bytes: a token, not a file by mistake.
const MAX_SECRET: u64 = 64 * 1024;

/// Fetches the secret a reference names: the whole of a variable, or the first line of a file, without
/// the line's end.
///
/// # Errors
/// When there is none, when it is empty, or when it cannot go into an HTTP header.
pub fn read_secret(reference: &SecretRef) -> Result<Secret, Failure> {
    let (text, place) = match reference {
        SecretRef::Env(name) => (variable(name)?, format!("the environment variable {name}")),
        SecretRef::File(path) => (first_line(Path::new(path))?, format!("the secret file {path}")),
    };
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() {
        return Err(Failure::new(format!("{place} is empty: put the secret there, and try again")));
    }
    if secret.chars().any(char::is_control) {
        return Err(Failure::new(format!(
            "{place} holds a line break or another control character: a secret is one line"
        )));
    }
    Ok(Secret::new(secret))
}

/// What the operator should know of where a secret is kept: a file others may read.
pub fn secret_warning(reference: &SecretRef) -> Option<String> {
    let SecretRef::File(path) = reference else { return None };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
        (mode & 0o177 != 0).then(|| {
            format!(
                "the secret file {path} has mode {mode:04o}, wider than 0600: others may read it. \
                 Run: chmod 600 {path}"
            )
        })
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

fn variable(name: &str) -> Result<String, Failure> {
    match std::env::var(name) {
        Ok(text) => Ok(text),
        Err(std::env::VarError::NotPresent) => Err(Failure::new(format!(
            "the environment variable {name} is not set: export {name} in the shell that starts hawker"
        ))),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::new(format!(
            "the environment variable {name} is not UTF-8: set it again to the secret as text"
        ))),
    }
}

fn first_line(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let failed = |why: String, todo: &str| {
        Failure::new(format!("the secret file {shown} cannot be read: {why}. {todo}"))
    };
    let bytes = read_file(path, MAX_SECRET).map_err(|why| {
        let todo = match &why {
            Unreadable::Io(_) => "Check the path and who may read it",
            Unreadable::Directory | Unreadable::Special(_) => "Name a regular file",
            Unreadable::TooLarge(_) => "Name a file of one line",
        };
        failed(why.to_string(), todo)
    })?;
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    // The error of `from_utf8` holds the bytes; it goes no further.
    String::from_utf8(line.to_vec())
        .map_err(|_| failed("it is not UTF-8".into(), "Save the secret as text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dir: &tempfile::TempDir, name: &str, text: &[u8]) -> SecretRef {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        SecretRef::File(path.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_first_line_is_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        let secret = read_secret(&file(&dir, "a", b"s3cr3t\r\nnot this\n")).unwrap();
        assert_eq!(secret.expose(), "s3cr3t");
    }

    #[test]
    fn failures_name_the_place_and_never_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        for text in [&b""[..], b"\ns3cr3t", b"s3cr3t\x07", b"s3cr3t\xff"] {
            let failure = read_secret(&file(&dir, "a", text)).unwrap_err().to_string();
            assert!(failure.contains("secret file") && !failure.contains("s3cr3t"), "{failure}");
        }
        let unset = SecretRef::Env("HAWKER_NO_SUCH_VARIABLE".into());
        assert!(read_secret(&unset).unwrap_err().to_string().contains("HAWKER_NO_SUCH_VARIABLE"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_others_may_read_is_warned_of() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let reference = file(&dir, "a", b"s");
        let mode = |mode| {
            fs::set_permissions(dir.path().join("a"), fs::Permissions::from_mode(mode)).unwrap();
            secret_warning(&reference)
        };
        assert!(mode(0o644).unwrap().contains("chmod 600"));
        assert_eq!(mode(0o600), None);
    }
}
