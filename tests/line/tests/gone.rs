//! What a line leaves behind: nothing, however it ends. In a process of its
//! own, so that no other test's line is counted.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic as the tests do")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gc_line::{Conditions, Line};

/// Threads of lines, devices and namespaces that this process has.
fn held() -> (usize, usize, usize) {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    let threads = threads.map(name).filter(|name| name.starts_with("line-")).count();
    let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets: Vec<String> =
        files.filter_map(|file| Some(std::fs::read_link(file.path()).ok()?.to_string_lossy().into_owned())).collect();
    let count = |word: &str| targets.iter().filter(|target| target.contains(word)).count();
    (threads, count("/dev/net/tun"), count("net:["))
}

#[test]
fn nothing_is_left() {
    // A thread that has ended is listed for a moment longer.
    let await_held = |expected| await_some(|| (held() == expected).then_some(()));
    let line = Line::even(Conditions::default()).unwrap();
    await_held((2, 2, 2));
    drop(line);
    await_held((0, 0, 0));

    // A panic at the other end of it goes on here, and clears up on its way.
    let panicked = std::panic::catch_unwind(|| {
        let line = Line::even(Conditions::default()).unwrap();
        line.a().run(|| panic!("on purpose")).unwrap();
    });
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"on purpose"));
    await_held((0, 0, 0));

    // A program that is killed with its line leaves no namespace with a
    // device in it: whoever stays in there sees the device go.
    let mut program = Command::new(env!("CARGO_BIN_EXE_line"));
    let mut program = program.args(["--", "sleep", "60"]).spawn().unwrap();
    let devices = |id: u32| std::fs::read_to_string(format!("/proc/{id}/net/dev")).unwrap_or_default();
    let sleeper = await_some(|| child_of(program.id(), "sleep"));
    await_some(|| devices(sleeper).contains("line:").then_some(()));
    program.kill().unwrap();
    program.wait().unwrap();
    await_some(|| (!devices(sleeper).contains("line:")).then_some(()));
    assert!(Command::new("kill").arg(sleeper.to_string()).status().unwrap().success());
}

#[test]
fn where_it_is_not_allowed_it_says_so() {
    for (without, words) in [("-sys_admin", "a network namespace"), ("-net_admin", "a TUN device")] {
        let output = Command::new("setpriv")
            .args(["--bounding-set", without, env!("CARGO_BIN_EXE_line"), "--", "true"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains("does not allow") && said.contains(words),
            "{without}: {said}"
        );
    }
}

/// The child that runs this program; others come and go.
fn child_of(parent: u32, name: &str) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let is_named = |id: &u32| std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|comm| comm.trim() == name);
    children.split_whitespace().filter_map(|id| id.parse().ok()).find(is_named)
}

/// Look until there is something; the system tells nobody.
fn await_some<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it does not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}
