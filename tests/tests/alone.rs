//! Two servers where there is room for one: in a data folder, on a database.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gc_tests::{PrivatePostgres, Process, eventually};
use serde_json::Value;

/// Long enough for a machine that is busy with other tests; the figure is
/// printed.
const UP: Duration = Duration::from_secs(10);

/// The program with these arguments, on the database of this URL.
fn program<A: AsRef<OsStr>>(arguments: &[A], url: &str) -> Result<Command> {
    let mut command = Command::new(gc_tests::program()?);
    command.args(arguments).env("DATABASE_URL", url);
    Ok(command)
}

/// How the program ends, and what it says.
fn refused<A: AsRef<OsStr>>(arguments: &[A], url: &str) -> Result<String> {
    let output = program(arguments, url)?.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1), "{:?}: {said}", output.status);
    Ok(said)
}

/// A server on this folder and database.
fn serve(folder: &Path) -> Vec<&OsStr> {
    let folder = folder.as_os_str();
    vec![OsStr::new("serve"), OsStr::new("--listen"), OsStr::new("127.0.0.1:0"), OsStr::new("--data"), folder]
}

/// Another server that was let in. It ends with its owner.
struct Other(Child);

impl Other {
    fn start(folder: &Path, url: &str) -> Result<Self> {
        let mut other = Self(program(&serve(folder), url)?.stdout(Stdio::piped()).spawn()?);
        let lines = BufReader::new(other.0.stdout.take().context("no output")?).lines();
        let ready = lines.map_while(Result::ok).any(|line| line.starts_with("ready: "));
        ensure!(ready, "it ended before it was ready");
        Ok(other)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may be gone already.
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<_> = self.0.wait();
    }
}

#[tokio::test]
async fn one_folder_has_one_server() -> Result<()> {
    let database = PrivatePostgres::start()?;
    // A URL in a file, as secrets come in containers.
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), format!("{}\n", database.url()))?;
    let by_file = [OsStr::new("--database-url-file"), file.path().as_os_str()];
    for mut server in [Process::start().await?, Process::start_with_database(&database.url()).await?] {
        let (session, mut agent) = server.live("control").await?;
        let folder = server.data().display().to_string();
        let migrate = [OsStr::new("migrate"), OsStr::new("--data"), server.data().as_os_str()];
        for arguments in [&serve(server.data())[..], &migrate] {
            for options in [&by_file[..], &[]] {
                let said = refused(&[arguments, options].concat(), "")?;
                ensure!(said.contains("another server runs on"), "{said}");
                ensure!(said.contains(&folder), "it does not say where: {said}");
            }
        }
        let input = OsStr::new("--input");
        let restore = [OsStr::new("restore"), input, file.path().as_os_str(), migrate[1], migrate[2]];
        let said = refused(&restore, "")?;
        ensure!(said.contains(&format!("{folder} is not empty: restore into a new folder")), "{said}");
        agent.settle(1).await?;
        server.state(&session, "live").await?;
        // A dead server holds no folder.
        server.kill()?;
        server.start_again()?;
        let rows: Value = server.admin.http.get("/api/sessions").await?.expect(200)?;
        ensure!(rows["items"][0]["id"] == session.as_str(), "{rows}");
    }
    Ok(())
}

#[tokio::test]
async fn one_database_has_one_server() -> Result<()> {
    let database = PrivatePostgres::start()?;
    let url = database.url();
    let mut server = Process::start_with_database(&url).await?;
    let (session, mut agent) = server.live("control").await?;
    let elsewhere = tempfile::tempdir()?;
    let migrate = [OsStr::new("migrate"), OsStr::new("--data"), elsewhere.path().as_os_str()];
    for arguments in [&serve(elsewhere.path())[..], &migrate] {
        let said = refused(arguments, &url)?;
        ensure!(said.contains("another server runs on this PostgreSQL database"), "{said}");
    }
    agent.settle(1).await?;
    server.state(&session, "live").await?;

    // A dead server holds no database.
    server.kill()?;
    let took = server.start_again()?;
    println!("again after {took:?}");
    ensure!(took < UP, "{took:?}");
    server.kill()?;
    let begun = Instant::now();
    let other = Other::start(elsewhere.path(), &url)?;
    println!("another after {:?}", begun.elapsed());
    ensure!(begun.elapsed() < UP, "{:?}", begun.elapsed());
    ensure!(server.start_again().is_err(), "two servers on one database");
    ensure!(server.log().contains("another server runs on this PostgreSQL database"), "{}", server.log());
    drop(other);
    server.start_again()?;
    // Nor does one that was brought to an end.
    server.terminate()?;
    ensure!(server.exited(UP).await?.success());
    ensure!(program(&migrate, &url)?.status()?.success());
    Ok(())
}

async fn held_again(server: &Process) -> Result<()> {
    eventually("holding the database again", || async {
        Ok(server.log().contains("this server holds its database again").then_some(()))
    })
    .await
}

#[tokio::test]
async fn the_database_restarts() -> Result<()> {
    let mut database = PrivatePostgres::start()?;
    let url = database.url();
    let server = Process::start_with_database(&url).await?;
    let (session, mut agent) = server.live("control").await?;
    database.kill()?;
    database.start_again()?;
    held_again(&server).await?;
    let elsewhere = tempfile::tempdir()?;
    let said = refused(&serve(elsewhere.path()), &url)?;
    ensure!(said.contains("another server runs on this PostgreSQL database"), "{said}");
    agent.settle(1).await?;
    server.state(&session, "live").await
}

/// While the first was not there to see it.
#[tokio::test]
async fn another_server_takes_the_database() -> Result<()> {
    let mut database = PrivatePostgres::start()?;
    let url = database.url();
    let mut server = Process::start_with_database(&url).await?;
    let (_, mut agent) = server.live("control").await?;
    server.freeze(true)?;
    database.kill()?;
    database.start_again()?;
    let elsewhere = tempfile::tempdir()?;
    let _other = Other::start(elsewhere.path(), &url)?;
    server.freeze(false)?;
    let goodbye = agent.ended().await?.expect(1001)?;
    ensure!(goodbye.may_retry, "{goodbye:?}");
    let status = server.exited(Duration::from_secs(20)).await?;
    ensure!(status.code() == Some(1), "{status:?}");
    ensure!(server.log().contains("another server has taken the database"), "{}", server.log());
    Ok(())
}

/// A line that broke for the server and not for the database is no other server.
#[tokio::test]
async fn what_is_left_of_a_broken_line() -> Result<()> {
    let database = PrivatePostgres::start()?;
    let url = database.url();
    let mut server = Process::start_with_database(&url).await?;
    let (session, _agent) = server.live("view").await?;
    let statement = "SELECT pid FROM pg_locks WHERE locktype = 'advisory'";
    let output = Command::new("psql").args(["--no-psqlrc", "-tAc", statement, &url]).output()?;
    let holder = String::from_utf8(output.stdout)?.trim().to_owned();
    let signal = |name: &str| Command::new("kill").args([name, &holder]).status();
    ensure!(signal("-STOP")?.success(), "nobody holds the database: {holder:?}");
    let lost = eventually("finding what is left of the line", || async {
        Ok(server.log().contains("a session that was lost still holds the database").then_some(()))
    })
    .await;
    ensure!(signal("-CONT")?.success());
    lost?;
    held_again(&server).await?;
    server.state(&session, "live").await?;
    ensure!(server.exited(Duration::ZERO).await.is_err(), "it ended");
    Ok(())
}
