//! Words and lines that stand on what is recorded: texts that every Debian
//! system has.

use std::path::Path;

use anyhow::{Context, Result};

/// Licences, to be read as prose.
const PROSE: [&str; 3] = ["GPL-3", "Apache-2.0", "MPL-2.0"];
/// Where programs in source stand.
const CODE: [&str; 2] = ["/usr/share/perl/5.36", "/usr/lib/x86_64-linux-gnu/perl-base"];

/// Prose and source code.
pub(super) struct Text {
    prose: Vec<String>,
    code: Vec<String>,
}

impl Text {
    pub(super) fn read() -> Result<Self> {
        let mut prose = Vec::new();
        for name in PROSE {
            let path = Path::new("/usr/share/common-licenses").join(name);
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            prose.extend(text.split_whitespace().map(str::to_owned));
        }
        let mut code = Vec::new();
        for folder in CODE {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
            paths.retain(|path| path.extension().is_some_and(|extension| extension == "pm"));
            paths.sort();
            for path in paths.iter().take(20) {
                let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
                let mut is_manual = false;
                for line in text.lines().take_while(|line| *line != "__END__") {
                    // Manuals stand between the code, from a `=` to a `=cut`.
                    is_manual |= line.starts_with('=');
                    if !is_manual {
                        code.push(line.replace('\t', "    "));
                    }
                    is_manual &= !line.starts_with("=cut");
                }
            }
        }
        anyhow::ensure!(code.len() > 500, "this system has no perl, whose modules are shown as source code");
        Ok(Self { prose, code })
    }

    /// So many words from somewhere.
    pub(super) fn words(&self, chance: &mut fastrand::Rng, count: usize) -> String {
        let start = chance.usize(0..self.prose.len().saturating_sub(count).max(1));
        self.prose.get(start..start + count).unwrap_or_default().join(" ")
    }

    /// So many lines of code from somewhere.
    pub(super) fn lines(&self, chance: &mut fastrand::Rng, count: usize) -> String {
        let start = chance.usize(0..self.code.len().saturating_sub(count).max(1));
        self.code.get(start..start + count).unwrap_or_default().join("\n")
    }
}

/// As it may stand in a page.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
