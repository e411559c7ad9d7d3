//! RTMPS: to a server whose certificate the machine's authorities vouch for, and to no other.

use std::{fs, path::Path, process::Stdio};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_native_tls::{TlsAcceptor, native_tls};

use crate::{
    KEY, assert_good,
    hawker_process::{Place, Show},
    of,
    played::play,
    process::{run, tool},
    servers::Nginx,
    show,
};

/// A key, and a certificate for this machine that is its own authority.
fn certificate(folder: &Path) {
    let mut openssl = tool("openssl");
    openssl.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '));
    openssl.args("-subj /CN=localhost -addext subjectAltName=DNS:localhost".split(' '));
    openssl.args("-keyout key.pem -out ca.pem".split(' ')).current_dir(folder);
    let said = run(&mut openssl, 20);
    assert!(folder.join("ca.pem").exists(), "{said:?}");
}

/// TLS before a server without it; the port.
async fn door(folder: &Path, to: u16) -> u16 {
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let identity = native_tls::Identity::from_pkcs8(&read("ca.pem"), &read("key.pem")).unwrap();
    let acceptor = TlsAcceptor::from(native_tls::TlsAcceptor::new(identity).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                // Whoever ends it, it has ended.
                let _ = copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    port
}

/// hawker on a machine that trusts this authority alone: the others' place is taken in its own view of the files.
fn start_trusting(place: &Place, ca: &Path, args: &[&str]) -> Show {
    let hawker = place.hawker(args);
    let mut command = tool("unshare");
    if !rustix::process::getuid().is_root() {
        command.arg("--map-root-user");
    }
    let take = "mount --bind \"$0\" /etc/ssl/certs/ca-certificates.crt && exec \"$@\"";
    command.args(["--mount", "sh", "-c", take]).arg(ca).arg(hawker.get_program());
    command.args(hawker.get_args()).args(["--headless", "--events", "-"]).stdin(Stdio::null());
    for (name, value) in hawker.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Show::start(command.env("STREAM_KEY", KEY))
}

#[test]
fn rtmps_reaches_a_server_that_the_machine_trusts_and_no_other() {
    let place = Place::new();
    certificate(&place.path("."));
    let nginx = Nginx::start(&place.path("nginx"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let port = runtime.block_on(door(&place.path("."), nginx.port));
    let file = show(
        &place,
        &format!(
            "[[output]]\nid = \"tv\"\nto = \"rtmps://localhost:{port}/live\"\nkey = \"env:STREAM_KEY\"\n"
        ),
    );
    let mut show = place.start_with(&["live", &file, "--for", "8s"], |c| c.env("STREAM_KEY", KEY));
    let failed = show.event_that("a refusal", 20, of("tv", "output-failed"));
    let reason = failed["reason"].as_str().unwrap().to_lowercase();
    assert!(reason.contains("certificate"), "{reason}");
    show.ended(30);
    assert_eq!(nginx.files(), Vec::<std::path::PathBuf>::new(), "something was published");

    let ca = place.path("ca.pem");
    let mut show = start_trusting(&place, &ca, &["live", &file, "--for", "7s"]);
    show.event_that("on air", 20, of("tv", "output-live"));
    assert_eq!(show.ended(30), 0, "{}", show.told());
    let files = nginx.files();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_good("RTMPS", &play(&files[0]), 4.0);
}
