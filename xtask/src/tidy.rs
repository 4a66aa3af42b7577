//! The house's rules that a compiler does not check.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use crate::{codegen, takeout};

const LONGEST_FILE: usize = 1000;

/// Check everything; the error names each broken rule.
pub(crate) fn check() -> Result<()> {
    let root = codegen::root();
    let mut broken = Vec::new();
    dependency_direction(&root, &mut broken)?;
    file_sizes(&root, &mut broken)?;
    generated_files(&root, &mut broken)?;
    takeout::check(&root, &mut broken)?;
    if broken.is_empty() {
        println!("tidy: dependency direction, file sizes, generated files and rules to take out are as they should be");
        return Ok(());
    }
    for line in &broken {
        eprintln!("tidy: {line}");
    }
    bail!("{} rules broken", broken.len())
}

/// Lower layers know nothing of upper ones; applications nothing of each other.
fn dependency_direction(root: &Path, broken: &mut Vec<String>) -> Result<()> {
    let mut layers = Vec::new();
    for (rank, layer) in ["core", "adapters", "apps"].into_iter().enumerate() {
        for entry in std::fs::read_dir(root.join("crates").join(layer))? {
            let manifest = entry?.path().join("Cargo.toml");
            let text = std::fs::read_to_string(&manifest)?;
            let name = text
                .lines()
                .find_map(|line| line.strip_prefix("name = "))
                .map(|name| name.trim_matches('"').to_owned());
            let Some(name) = name else { bail!("{} has no name", manifest.display()) };
            layers.push((name, rank, text));
        }
    }
    ensure!(layers.len() > 5, "no crates found to check");
    for (name, rank, text) in &layers {
        for (other, other_rank, _) in &layers {
            let names_it = text
                .lines()
                .any(|line| line.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with(['.', ' ', '='])));
            if !names_it || name == other {
                continue;
            }
            if other_rank > rank || (*rank == 2 && *other_rank == 2) {
                broken.push(format!("{name} must not depend on {other}"));
            }
        }
        if *rank == 0 {
            for banned in ["tokio", "axum", "sea-orm", "windows", "x11rb"] {
                if text.lines().any(|line| line.starts_with(&format!("{banned} ="))) {
                    broken.push(format!("{name} is core and must not depend on {banned}"));
                }
            }
        }
        if name != "gc-protocol" && text.lines().any(|line| line.starts_with("prost =")) {
            broken.push(format!("{name} names prost; only gc-protocol may"));
        }
    }
    Ok(())
}

fn file_sizes(root: &Path, broken: &mut Vec<String>) -> Result<()> {
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "tests", "web/src"] {
        collect(&root.join(folder), &mut files)?;
    }
    ensure!(files.len() > 20, "no files found to check");
    for file in files {
        let lines = std::fs::read_to_string(&file)?.lines().count();
        if lines > LONGEST_FILE {
            broken.push(format!("{} has {lines} lines, more than {LONGEST_FILE}", file.display()));
        }
    }
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !["generated", "node_modules", "target", "wasm", "dist"].contains(&name) {
                collect(&path, files)?;
            }
        } else if name != "schema.d.ts" && [".rs", ".ts", ".tsx"].iter().any(|ending| name.ends_with(ending)) {
            files.push(path);
        }
    }
    Ok(())
}

fn generated_files(root: &Path, broken: &mut Vec<String>) -> Result<()> {
    let fresh = std::env::temp_dir().join(format!("gc-codegen-{}", std::process::id()));
    codegen::generate(&fresh)?;
    let name = "guruconnect.v2.rs";
    let now = std::fs::read(root.join(codegen::GENERATED).join(name)).unwrap_or_default();
    let want = std::fs::read(fresh.join(name))?;
    std::fs::remove_dir_all(&fresh)?;
    if now != want {
        broken.push("generated message types are stale; run cargo xtask codegen".to_owned());
    }
    Ok(())
}
