//! The table that is printed: a figure, its limit, how they compare and what was promised.

use std::fmt;

/// What is promised about a figure.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// Nothing; the figure is there to be known.
    None,
    /// The figure is at least this share of its limit.
    RatioAtLeast(f64),
    /// The figure is at most so many times its limit.
    RatioAtMost(f64),
    /// The figure itself is at most this.
    AtMost(f64),
    /// The figure itself is less than this.
    Below(f64),
}

/// One figure.
pub(crate) struct Row {
    /// `a` to `m`.
    pub(crate) part: char,
    /// What was measured.
    pub(crate) figure: String,
    /// In what.
    pub(crate) unit: &'static str,
    /// The figure.
    pub(crate) value: f64,
    /// The same of that which does nothing of ours.
    pub(crate) limit: Option<f64>,
    /// What is promised.
    pub(crate) bound: Bound,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.limit.filter(|limit| *limit > 0.0).map(|limit| self.value / limit)
    }

    /// Whether the promise is kept; `None` when there is none.
    fn kept(&self) -> Option<bool> {
        match self.bound {
            Bound::None => None,
            Bound::RatioAtLeast(least) => Some(self.ratio().is_some_and(|ratio| ratio >= least)),
            Bound::RatioAtMost(most) => Some(self.ratio().is_some_and(|ratio| ratio <= most)),
            Bound::AtMost(most) => Some(self.value <= most),
            Bound::Below(limit) => Some(self.value < limit),
        }
    }

    fn cells(&self) -> [String; 7] {
        let bound = match self.bound {
            Bound::None => String::new(),
            Bound::RatioAtLeast(least) => format!("ratio >= {least}"),
            Bound::RatioAtMost(most) => format!("ratio <= {most}"),
            Bound::AtMost(most) => format!("<= {most}"),
            Bound::Below(limit) => format!("< {limit}"),
        };
        let verdict = match self.kept() {
            None => "",
            Some(true) => "ok",
            Some(false) => "missed",
        };
        [
            format!("({})", self.part),
            self.figure.clone(),
            format!("{} {}", number(self.value), self.unit),
            self.limit.map(|limit| format!("{} {}", number(limit), self.unit)).unwrap_or_default(),
            self.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            bound,
            verdict.to_owned(),
        ]
    }
}

/// Three digits that input, and no fewer than stand before the point.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// All figures of a run.
#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    /// Adds a figure.
    pub(crate) fn add(&mut self, row: Row) {
        self.0.push(row);
    }

    /// Whether a bound was missed.
    pub(crate) fn missed(&self) -> bool {
        self.0.iter().any(|row| row.kept() == Some(false))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: [&str; 7] = ["part", "figure", "value", "limit", "ratio", "bound", "verdict"];
        let mut lines = vec![HEAD.map(str::to_owned)];
        let mut rows: Vec<_> = self.0.iter().collect();
        rows.sort_by_key(|row| row.part);
        lines.extend(rows.into_iter().map(Row::cells));
        let widths: [usize; 7] = std::array::from_fn(|column| {
            lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
        });
        for (index, line) in lines.iter().enumerate() {
            for (column, cell) in line.iter().enumerate() {
                // Numbers stand under each other.
                if (2..=4).contains(&column) {
                    write!(f, "| {cell:>width$} ", width = widths[column])?;
                } else {
                    write!(f, "| {cell:<width$} ", width = widths[column])?;
                }
            }
            writeln!(f, "|")?;
            if index == 0 {
                writeln!(f, "{}|", widths.map(|width| format!("|{}", "-".repeat(width + 2))).concat())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: f64, limit: Option<f64>, bound: Bound) -> Row {
        Row { part: 'a', figure: "speed".into(), unit: "/s", value, limit, bound }
    }

    #[test]
    fn a_missed_bound_is_told() {
        assert_eq!(row(79.0, Some(100.0), Bound::RatioAtLeast(0.8)).kept(), Some(false));
        assert_eq!(row(80.0, Some(100.0), Bound::RatioAtLeast(0.8)).kept(), Some(true));
        assert_eq!(row(80.0, None, Bound::RatioAtLeast(0.8)).kept(), Some(false), "not measured is not kept");
        assert_eq!(row(150.0, Some(100.0), Bound::RatioAtMost(1.5)).kept(), Some(true));
        assert_eq!(row(151.0, Some(100.0), Bound::RatioAtMost(1.5)).kept(), Some(false));
        assert_eq!(row(7.0, None, Bound::AtMost(7.0)).kept(), Some(true));
        assert_eq!(row(48.0, None, Bound::Below(48.0)).kept(), Some(false));
        assert_eq!(row(48.0, None, Bound::None).kept(), None);
        let mut table = Table::default();
        table.add(row(1.0, Some(2.0), Bound::None));
        assert!(!table.missed());
        table.add(row(1.0, None, Bound::AtMost(0.0)));
        assert!(table.missed());
        assert!(table.to_string().contains("missed"), "{table}");
    }
}
