//! Rules taken out, one at a time: the test that stands for each has to turn
//! red. A rule whose test stays green is not tested.

mod table;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::codegen;
use table::TABLE;

/// One rule, how it is taken out, and what notices.
struct Rule {
    /// The invariant's number in the security model.
    invariant: u8,
    /// What no longer holds.
    without: &'static str,
    file: &'static str,
    /// Stands once in the file.
    find: &'static str,
    replace: &'static str,
    /// [`SERVER`] or [`UNITS`], and which of those tests have to turn red.
    tests: &'static [&'static str],
}

/// The tests of the server from outside.
const SERVER: &str = "--test=server";
/// The crates' own.
const UNITS: &str = "--lib";
/// Always the whole workspace: what is built for a part of it has other
/// features, and is built anew.
const WORKSPACE: [&str; 5] = ["--locked", "--quiet", "--workspace", "--exclude", "gc-web-viewer"];

/// Every rule still stands where the table says. Quick: part of the tidy check.
pub(crate) fn check(root: &Path, broken: &mut Vec<String>) -> Result<()> {
    for rule in TABLE {
        let text = std::fs::read_to_string(root.join(rule.file)).with_context(|| rule.file.to_owned())?;
        let count = text.matches(rule.find).count();
        if count != 1 {
            broken.push(format!("{} holds the rule to take out ({}) {count} times", rule.file, rule.without));
        }
    }
    Ok(())
}

/// Take out each rule whose description contains `filter`, in a work tree of
/// its own, and run its tests.
pub(crate) fn run(folder: &Path, filter: &str) -> Result<()> {
    let tree = WorkTree::new(folder)?;
    let (mut green, mut count) = (Vec::new(), 0);
    // With every rule in its place all of them pass, or red would say nothing.
    let chosen = || TABLE.iter().filter(|rule| rule.without.contains(filter));
    for tests in chosen().map(|rule| rule.tests).collect::<BTreeSet<_>>() {
        ensure!(tree.test(tests)? == Verdict::Green, "cargo test {} is not green as it stands", tests.join(" "));
    }
    for rule in chosen() {
        count += 1;
        let begun = Instant::now();
        let verdict = tree.try_without(rule)?;
        println!("{:>2}  {verdict:?}  {:>4} s  {}", rule.invariant, begun.elapsed().as_secs(), rule.without);
        if !matches!(verdict, Verdict::Red) {
            green.push(rule.without);
        }
    }
    ensure!(count > 0, "no rule is described so");
    ensure!(green.is_empty(), "not noticed: {}", green.join("; "));
    println!("{count} rules taken out, each was noticed");
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The tests failed, as they must.
    Red,
    /// The tests passed: they prove nothing.
    Green,
    /// Nothing ran, or it does not compile.
    Nothing,
}

/// A checkout of the last commit beside the real one.
struct WorkTree {
    path: PathBuf,
}

impl WorkTree {
    fn new(path: &Path) -> Result<Self> {
        let root = codegen::root();
        // One that an interrupted run has left is as good.
        if path.exists() {
            git(path, &["checkout", "--quiet", "--force", "--detach", &head(&root)?])?;
        } else {
            let target = path.to_str().context("a folder with a strange name")?;
            git(&root, &["worktree", "prune"])?;
            git(&root, &["worktree", "add", "--quiet", "--detach", target, "HEAD"])?;
        }
        std::fs::create_dir_all(path.join("web/dist"))?;
        Ok(Self { path: path.to_owned() })
    }

    fn try_without(&self, rule: &Rule) -> Result<Verdict> {
        let file = self.path.join(rule.file);
        let text = std::fs::read_to_string(&file)?;
        ensure!(text.matches(rule.find).count() == 1, "{} does not hold {:?} once", rule.file, rule.find);
        std::fs::write(&file, text.replacen(rule.find, rule.replace, 1))?;
        let verdict = self.test(rule.tests);
        std::fs::write(&file, text)?;
        verdict
    }

    fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.arg(command).args(WORKSPACE).current_dir(&self.path);
        cargo
    }

    /// Run these tests as the tree stands.
    fn test(&self, tests: &[&str]) -> Result<Verdict> {
        let Some((which, filters)) = tests.split_first() else { bail!("a rule has no tests") };
        // What the tests start is built too.
        let built = self.cargo("build").arg("--bins").output().context("cargo does not start")?;
        if !built.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&built.stderr));
            return Ok(Verdict::Nothing);
        }
        let output = self.cargo("test").arg(which).arg("--").args(filters).output().context("cargo does not start")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let ran = said.lines().filter(|line| line.starts_with("test result:"));
        // Without a test that ran, a failure is one of the compiler.
        let some_ran = ran.clone().any(|line| !line.contains(" 0 passed; 0 failed"));
        Ok(match (some_ran, output.status.success()) {
            (true, false) => Verdict::Red,
            (true, true) => Verdict::Green,
            (false, _) => {
                eprintln!("{said}{}", String::from_utf8_lossy(&output.stderr));
                Verdict::Nothing
            }
        })
    }
}

impl Drop for WorkTree {
    fn drop(&mut self) {
        let Some(path) = self.path.to_str() else { return };
        if let Err(error) = git(&codegen::root(), &["worktree", "remove", "--force", path]) {
            eprintln!("{error:#}");
        }
    }
}

fn head(root: &Path) -> Result<String> {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let status = Command::new("git").args(arguments).current_dir(folder).status().context("git does not start")?;
    if !status.success() {
        bail!("git {} failed", arguments.join(" "));
    }
    Ok(())
}
