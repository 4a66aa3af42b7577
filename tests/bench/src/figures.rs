//! Samples, and the rows that are made of them.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

/// Durations of one kind.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// One more.
    pub fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sample below which `part` of all lie, in milliseconds.
    #[must_use]
    pub fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let at = ((sorted.len() as f64 * part) as usize).min(last);
        sorted.get(at).map_or(f64::NAN, |took| (took.as_secs_f64() * 1e6).round() / 1000.0)
    }

    /// A row of the table.
    #[must_use]
    pub fn row(&self, name: &str) -> Value {
        json!({
            "row": name, "n": self.len(), "min": self.quantile(0.0), "p50": self.quantile(0.5),
            "p95": self.quantile(0.95), "p99": self.quantile(0.99), "max": self.quantile(1.0),
        })
    }
}

/// Rows, written as they come.
#[derive(Debug, Default)]
pub struct Rows {
    rows: Vec<Value>,
    file: Option<File>,
}

impl Rows {
    /// Rows that go into this file as well, one line each.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn into(file: Option<&Path>) -> Result<Self> {
        let file = file.map(|path| File::options().create(true).append(true).open(path)).transpose()?;
        Ok(Self { rows: Vec::new(), file })
    }

    /// One more.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, row: Value) -> Result<()> {
        if let Some(file) = &mut self.file {
            writeln!(file, "{row}")?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// All of them as a table: a column for each field that any has.
    #[must_use]
    pub fn table(&self) -> String {
        let mut columns: Vec<&String> = Vec::new();
        for key in self.rows.iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys) {
            if !columns.contains(&key) && key != "row" {
                columns.push(key);
            }
        }
        let cell = |row: &Value, key: &str| match &row[key] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let name_width = self.rows.iter().map(|row| cell(row, "row").len()).max().unwrap_or(0);
        let mut table = format!("{:name_width$}", "");
        for column in &columns {
            table += &format!(" {column:>10}");
        }
        for row in &self.rows {
            table += &format!("\n{:name_width$}", cell(row, "row"));
            for column in &columns {
                table += &format!(" {:>1$}", cell(row, column), column.len().max(10));
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let mut samples = Samples::default();
        for number in (1..=100).rev() {
            samples.add(Duration::from_millis(number));
        }
        let row = samples.row("x");
        for (key, expected) in
            [("n", 100.0), ("min", 1.0), ("p50", 51.0), ("p95", 96.0), ("p99", 100.0), ("max", 100.0)]
        {
            assert_eq!(row[key].as_f64(), Some(expected), "{key}");
        }
    }
}
