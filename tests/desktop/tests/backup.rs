//! A back-up taken while the server works, laid out elsewhere, is that server.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Result, ensure};
use gc_desktop_tests::{Server, programs};
use serde_json::json;

fn run(arguments: &[&str], archive: (&str, &Path), data: &Path) -> Result<Output> {
    let mut command = Command::new(programs("guruconnect-server", "GC_SERVER")?);
    Ok(command.args(arguments).arg(archive.0).arg(archive.1).arg("--data").arg(data).output()?)
}

#[test]
fn taken_while_it_works() -> Result<()> {
    let server = Server::start()?;
    let data = server.folder().join("data");
    let archive = server.folder().join("guruconnect.backup");
    let login = server.login(&server.admin)?;
    let (_, before) = server.code(&login, "control")?;

    // Others go on writing meanwhile.
    let made = std::thread::scope(|scope| -> Result<Output> {
        let writing = scope.spawn(|| (0..20).try_for_each(|_| server.code(&login, "view").map(drop)));
        let made = run(&["backup"], ("--output", &archive), &data);
        writing.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        made
    })?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&archive)?);
    ensure!(mode & 0o077 == 0, "others can read the back-up: {mode:o}");
    // Nothing is written over, neither a back-up nor a server.
    ensure!(!run(&["backup"], ("--output", &archive), &data)?.status.success(), "a back-up was written over");
    ensure!(!run(&["restore"], ("--input", &archive), &data)?.status.success(), "a server was written over");

    let fresh = server.folder().join("fresh");
    let restored = run(&["restore"], ("--input", &archive), &fresh)?;
    ensure!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    ensure!(
        std::fs::read(fresh.join("identity.key"))? == std::fs::read(data.join("identity.key"))?,
        "another identity"
    );
    let again = server.restored(&fresh)?;
    let login = again.login(&server.admin)?;
    ensure!(again.session(&login, &before)?["state"] == "waiting", "the session is not there");
    again.post("/api/codes", Some(&login), &json!({ "access": "view" }))?;
    Ok(())
}

#[test]
fn what_is_no_back_up_is_refused() -> Result<()> {
    let server = Server::start()?;
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("archive");
    let data = server.folder().join("data");
    ensure!(run(&["backup"], ("--output", &archive), &data)?.status.success());
    let whole = std::fs::read(&archive)?;
    for (what, bytes) in
        [("nothing", &whole[..0]), ("half of one", &whole[..whole.len() / 2]), ("words", b"hello".as_slice())]
    {
        std::fs::write(&archive, bytes)?;
        let target = folder.path().join("target");
        let output = run(&["restore"], ("--input", &archive), &target)?;
        ensure!(!output.status.success(), "{what} was restored");
        ensure!(!target.exists(), "{what} left something behind");
        ensure!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{what}");
    }
    Ok(())
}
