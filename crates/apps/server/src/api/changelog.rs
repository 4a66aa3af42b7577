//! What changed from version to version: the file that lies beside the sources.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::shapes::List;

const FILE: &str = include_str!("../../../../../CHANGELOG.md");

/// One version, and what it brought.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Release {
    /// The version, or `Unreleased`.
    version: String,
    /// The day it came out, where it has.
    #[schema(format = Date)]
    date: Option<String>,
    /// In Markdown, an entry each.
    changes: Vec<String>,
}

/// Every version, newest first.
#[utoipa::path(get, path = "/api/changelog", operation_id = "changelog", tag = "operation",
    security(()),
    responses((status = 200, body = List<Release>, description = "All of them.")))]
pub(crate) async fn list() -> Json<List<Release>> {
    Json(List { items: releases(FILE), next: None })
}

/// A heading such as `## 1.2.0 - 2026-11-24` for each version, and points below it.
fn releases(text: &str) -> Vec<Release> {
    let mut releases: Vec<Release> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let (version, date) = match heading.split_once(" - ") {
                Some((version, date)) => (version, Some(date.trim().to_owned())),
                None => (heading, None),
            };
            releases.push(Release { version: version.trim().to_owned(), date, changes: Vec::new() });
            continue;
        }
        let Some(release) = releases.last_mut() else { continue };
        if let Some(change) = line.strip_prefix("- ") {
            release.changes.push(change.trim().to_owned());
        } else if let (Some(change), more) = (release.changes.last_mut(), line.trim())
            && !more.is_empty()
        {
            change.push(' ');
            change.push_str(more);
        }
    }
    releases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_their_changes() {
        let text =
            "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-12-01\n\n- One thing\n  over two lines.\n- Another.\n";
        let release = |version: &str, date: Option<&str>, changes: &[&str]| Release {
            version: version.into(),
            date: date.map(Into::into),
            changes: changes.iter().map(|change| (*change).to_owned()).collect(),
        };
        let expected = [
            release("Unreleased", None, &[]),
            release("0.2.0", Some("2026-12-01"), &["One thing over two lines.", "Another."]),
        ];
        assert_eq!(releases(text), expected);
        assert!(!releases(FILE).is_empty());
    }
}
