//! Rows of figures: for people as a table, for programs as JSON.

use std::time::Duration;

use serde_json::{Map, Value};

/// The middle and the ends of several runs, or of many samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// How many.
    pub n: usize,
    /// Smallest.
    pub min: f64,
    /// Half are below.
    pub p50: f64,
    /// 95 in a hundred are below.
    pub p95: f64,
    /// 99 in a hundred are below.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// Of these; `None` of nothing.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| sorted.get(((sorted.len() as f64 - 1.0) * part).round() as usize).copied();
        Some(Self { n: sorted.len(), min: at(0.0)?, p50: at(0.5)?, p95: at(0.95)?, p99: at(0.99)?, max: at(1.0)? })
    }

    /// Of times, in milliseconds.
    #[must_use]
    pub fn of_times(samples: &[Duration]) -> Option<Self> {
        Self::of(samples.iter().map(|time| time.as_secs_f64() * 1000.0))
    }
}

/// Named figures, in the order in which they were put in.
#[derive(Debug, Default)]
pub struct Figures {
    rows: Vec<(String, Vec<(String, f64)>)>,
}

impl Figures {
    /// Begin a row of this name.
    pub fn row(&mut self, name: &str) -> &mut Self {
        self.rows.push((name.to_owned(), Vec::new()));
        self
    }

    /// Put a figure into the last row, rounded to three places.
    pub fn put(&mut self, name: &str, value: f64) -> &mut Self {
        if let Some((_, cells)) = self.rows.last_mut() {
            cells.push((name.to_owned(), (value * 1000.0).round() / 1000.0));
        }
        self
    }

    /// Put a spread into the last row: its members behind `name`.
    pub fn spread(&mut self, name: &str, spread: Option<Spread>) -> &mut Self {
        let Some(spread) = spread else { return self };
        self.put(&format!("{name}_n"), spread.n as f64);
        let members =
            [("min", spread.min), ("p50", spread.p50), ("p95", spread.p95), ("p99", spread.p99), ("max", spread.max)];
        for (member, value) in members {
            self.put(&format!("{name}_{member}"), value);
        }
        self
    }

    /// A row a line.
    #[must_use]
    pub fn table(&self) -> String {
        let line = |(name, cells): &(String, Vec<(String, f64)>)| {
            let cells: Vec<String> = cells.iter().map(|(name, value)| format!("{name} {value}")).collect();
            format!("{name:<16} {}\n", cells.join("  "))
        };
        self.rows.iter().map(line).collect()
    }

    /// A list of objects.
    #[must_use]
    pub fn json(&self) -> Value {
        let object = |(name, cells): &(String, Vec<(String, f64)>)| {
            let mut object = Map::from_iter([("row".to_owned(), Value::from(name.as_str()))]);
            object.extend(cells.iter().map(|(name, value)| (name.clone(), Value::from(*value))));
            Value::Object(object)
        };
        self.rows.iter().map(object).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let spread = Spread::of((1..=101).map(f64::from)).unwrap();
        assert_eq!((spread.n, spread.min, spread.p50, spread.p95, spread.max), (101, 1.0, 51.0, 96.0, 101.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn rows() {
        let mut figures = Figures::default();
        figures.row("a").put("x", 1.23456);
        figures.row("b").spread("ms", Spread::of([2.0]));
        assert_eq!(figures.json()[0]["x"], 1.235);
        assert_eq!(figures.json()[1]["ms_p99"], 2.0);
        assert!(figures.table().contains("x 1.235"));
    }
}
