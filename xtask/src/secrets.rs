//! The search for secrets in everything that a run of the tests showed.

mod forms;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use aho_corasick::{AhoCorasick, MatchKind};
use anyhow::{Context, Result, bail, ensure};
use gc_record::{Kind, OUTPUTS, Output, SECRETS};

use forms::Form;

/// Places told in one go; a leak that shows everywhere needs no more.
const MOST_TOLD: usize = 40;

/// A secret and the output that shows it on purpose.
type Secret = (Kind, String, Option<Output>);

/// What a piece of text gives away.
struct Piece {
    kind: Kind,
    form: Form,
    /// Which planted secret it is of.
    planted: Option<usize>,
}

/// Search everything that was recorded below `folder`. Where only some tests
/// were run (`partial`), some kinds and outputs may be missing.
pub(crate) fn search(folder: &Path, partial: bool) -> Result<()> {
    let secrets = read_secrets(&folder.join(SECRETS))?;
    let (pieces, texts) = pieces(&secrets);
    let all = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&texts).context("too many secrets")?;
    let mut places = BTreeSet::new();
    let mut planted: HashSet<usize> = HashSet::new();
    let mut sizes: BTreeMap<Output, u64> = BTreeMap::new();
    for entry in std::fs::read_dir(folder.join(OUTPUTS))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let output = name.split('.').next().and_then(Output::from_name);
        let output = output.with_context(|| format!("{name} is no output that is known"))?;
        let text = std::fs::read(&path)?;
        *sizes.entry(output).or_default() += text.len() as u64;
        for found in all.find_overlapping_iter(&text) {
            let Some(piece) = pieces.get(found.pattern().as_usize()) else { continue };
            match piece.planted {
                // Elsewhere it is no harm.
                Some(number) => {
                    if secrets.get(number).is_some_and(|secret| secret.2 == Some(output)) {
                        planted.insert(number);
                    }
                }
                _ if piece.form.is_by_chance(&text, found.start(), found.end()) => {}
                _ => {
                    let line = text.iter().take(found.start()).filter(|byte| **byte == b'\n').count() + 1;
                    places.insert((name.clone(), line, piece.kind.as_str(), piece.form.as_str()));
                }
            }
        }
    }
    for (name, line, kind, form) in places.iter().take(MOST_TOLD) {
        eprintln!("{}:{line}: a {kind} shows, {form}", folder.join(OUTPUTS).join(name).display());
    }
    ensure!(places.is_empty(), "secrets show in {} places", places.len());
    let missed = secrets.iter().enumerate().filter(|(number, secret)| secret.2.is_some() && !planted.contains(number));
    let missed: Vec<_> = missed.filter_map(|(_, secret)| secret.2.map(Output::as_str)).collect();
    ensure!(missed.is_empty(), "secrets that were planted were not found: the search is blind for {missed:?}");
    tell(&secrets, &sizes, planted.len(), partial)
}

/// What was searched, and whether there was enough to search.
fn tell(secrets: &[Secret], sizes: &BTreeMap<Output, u64>, planted: usize, partial: bool) -> Result<()> {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for (kind, ..) in secrets {
        *counts.entry(*kind).or_default() += 1;
    }
    let counted = counts.iter().map(|(kind, count)| format!("{count} × {}", kind.as_str()));
    println!("secrets: {}", counted.collect::<Vec<_>>().join(", "));
    let sized = sizes.iter().map(|(output, size)| format!("{} {} KiB", output.as_str(), size.div_ceil(1024)));
    println!("outputs: {}", sized.collect::<Vec<_>>().join(", "));
    if !partial {
        let kinds = Kind::ALL.iter().filter(|kind| kind.is_in_use() && !counts.contains_key(kind)).map(|k| k.as_str());
        // Under Wine the agent's output does not always arrive: said, not asked for.
        let asked = Output::ALL.iter().filter(|output| **output != Output::AgentWindows);
        let outputs = asked.filter(|output| sizes.get(output).is_none_or(|size| *size == 0));
        let missing: Vec<_> = kinds.chain(outputs.map(|output| output.as_str())).collect();
        if !missing.is_empty() {
            bail!("the tests have recorded nothing of: {}", missing.join(", "));
        }
    }
    println!("secrets: none shows; {planted} that were planted were found");
    Ok(())
}

fn read_secrets(folder: &Path) -> Result<Vec<Secret>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("nothing was recorded in {}", folder.display()))? {
        let path = entry?.path();
        for line in std::fs::read_to_string(&path)?.lines() {
            let line: serde_json::Value =
                serde_json::from_str(line).with_context(|| format!("{} has a broken line", path.display()))?;
            let kind = line["kind"].as_str().and_then(Kind::from_name).context("a secret of an unknown kind")?;
            let text = line["text"].as_str().context("a secret without a text")?;
            found.insert((kind, text.to_owned(), line["shown_by"].as_str().and_then(Output::from_name)));
        }
    }
    ensure!(!found.is_empty(), "no secret was recorded in {}", folder.display());
    Ok(found.into_iter().collect())
}

/// What to look for, and what each of it means. What gives two secrets away
/// is looked for once.
fn pieces(secrets: &[Secret]) -> (Vec<Piece>, Vec<Vec<u8>>) {
    let mut known: HashMap<Vec<u8>, Piece> = HashMap::new();
    for (number, (kind, text, shown_by)) in secrets.iter().enumerate() {
        for (form, piece) in forms::of(*kind, text) {
            let planted = shown_by.map(|_| number);
            known.entry(piece).or_insert(Piece { kind: *kind, form, planted });
        }
    }
    for (kind, prefix) in forms::PREFIXES {
        let piece = Piece { kind: *kind, form: Form::Shape, planted: None };
        known.entry(prefix.as_bytes().to_vec()).or_insert(piece);
    }
    known.into_iter().map(|(text, piece)| (piece, text)).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Run(std::path::PathBuf);

    impl Run {
        fn new(name: &str, secrets: &[(Kind, &str, Option<Output>)], outputs: &[(&str, &[u8])]) -> Result<Self> {
            let folder = std::env::temp_dir().join(format!("gc-search-{}-{name}", std::process::id()));
            std::fs::create_dir_all(folder.join(SECRETS))?;
            std::fs::create_dir_all(folder.join(OUTPUTS))?;
            let line = |(kind, text, shown): &(Kind, &str, Option<Output>)| serde_json::json!({"kind": kind.as_str(), "text": text, "shown_by": shown.map(Output::as_str)});
            let lines: Vec<_> = secrets.iter().map(|secret| line(secret).to_string()).collect();
            std::fs::write(folder.join(SECRETS).join("1.jsonl"), lines.join("\n"))?;
            for (name, text) in outputs {
                std::fs::write(folder.join(OUTPUTS).join(name), text)?;
            }
            Ok(Self(folder))
        }

        fn outcome(&self) -> Result<()> {
            search(&self.0, true)
        }
    }

    impl Drop for Run {
        fn drop(&mut self) {
            let _: std::io::Result<()> = std::fs::remove_dir_all(&self.0);
        }
    }

    const LOGIN: &str = "lgn_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const CODE: &str = "ABC-DEF-GHJ";
    const PASSWORD: &str = "walnut \"harbour\" ladder/52";

    #[test]
    fn whatever_the_form() -> Result<()> {
        for (name, secret, shown) in [
            ("plain", (Kind::Login, LOGIN), format!("token={LOGIN}")),
            ("cut", (Kind::Login, LOGIN), format!("token={}…", &LOGIN[..28])),
            (
                "hex",
                (Kind::Login, LOGIN),
                "6c676e5f30313233343536373839616263646566".to_owned() + &"30313233343536373839616263646566".repeat(3),
            ),
            ("base64", (Kind::Password, PASSWORD), "eHdhbG51dCAiaGFyYm91ciIgbGFkZGVyLzUyeQ==".to_owned()),
            ("url", (Kind::Password, PASSWORD), "p=walnut%20%22harbour%22%20ladder%2f52".to_owned()),
            ("json", (Kind::Password, PASSWORD), r#"{"p":"walnut \"harbour\" ladder/52"}"#.to_owned()),
            ("typed", (Kind::SupportCode, CODE), "code abcdefghj".to_owned()),
            ("bytes", (Kind::SupportCode, CODE), format!("{:?}", CODE.as_bytes())),
            ("unknown", (Kind::SupportCode, CODE), format!("rsm_{}", &LOGIN[4..])),
        ] {
            let run = Run::new(name, &[(secret.0, secret.1, None)], &[("server.1.0.log", shown.as_bytes())])?;
            assert!(run.outcome().is_err(), "{name} is not found");
        }
        Ok(())
    }

    #[test]
    fn numbers_that_only_look_alike() -> Result<()> {
        for (name, shown, leaks) in [
            ("fraction", r#"{"timestamp":"2026-11-27T14:20:30.123456Z"}"#, false),
            ("longer", "took 1234567 ns", false),
            ("member", r#"{"otp":"123456"}"#, true),
            ("query", "otp=123456&x", true),
        ] {
            let run = Run::new(name, &[(Kind::OneTimeCode, "123456", None)], &[("server.1.0.log", shown.as_bytes())])?;
            assert_eq!(run.outcome().is_err(), leaks, "{name}");
        }
        Ok(())
    }

    #[test]
    fn what_is_planted_has_to_be_found_where_it_was() -> Result<()> {
        let planted = [(Kind::Planted, "PLANTED-7731", Some(Output::Server))];
        for (name, outputs, fine) in [
            ("there", [("server.1.0.log", "x PLANTED-7731 y")], true),
            ("nowhere", [("server.1.0.log", "x")], false),
            ("elsewhere", [("agent.1.0.log", "PLANTED-7731")], false),
        ] {
            let outputs = outputs.map(|(name, text)| (name, text.as_bytes()));
            assert_eq!(Run::new(name, &planted, &outputs)?.outcome().is_ok(), fine, "{name}");
        }
        Ok(())
    }

    #[test]
    fn a_run_that_recorded_little_fails() -> Result<()> {
        let run = Run::new("little", &[(Kind::Login, LOGIN, None)], &[("server.1.0.log", b"hello")])?;
        run.outcome()?;
        assert!(search(&run.0, false).is_err());
        Ok(())
    }
}
