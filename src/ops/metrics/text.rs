//! The [text format of Prometheus](https://prometheus.io/docs/instrumenting/exposition_formats/), version 0.0.4.

use std::fmt::{Display, Write as _};

use super::histogram::{Bounds, Histogram};

/// The kind of a family of series.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A number that grows until the process ends.
    Counter,
    /// A number that goes up and down.
    Gauge,
}

/// The text of a scrape.
#[derive(Debug, Default)]
pub struct Text(String);

/// A label and its value.
pub(super) type Label<'a> = (&'a str, &'a str);

impl Text {
    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.0
    }

    /// Begins a family: its name, its kind, and what it is in one line.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.begin(name, kind, help);
    }

    /// Adds a series to the family that was begun last.
    pub fn series(&mut self, name: &str, labels: &[Label<'_>], value: impl Display) {
        self.line(name, labels, None, value);
    }

    /// A family of one series without labels.
    pub fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.series(name, &[], value);
    }

    /// Begins a family of histograms.
    pub(super) fn histograms(&mut self, name: &str, help: &str) {
        self.begin(name, "histogram", help);
    }

    /// Adds a histogram to the family that was begun last, unless nothing was observed.
    pub(super) fn histogram(&mut self, name: &str, labels: &[Label<'_>], bounds: &Bounds, counted: &Histogram) {
        let (counts, all) = counted.cumulative(bounds);
        if all == 0 {
            return;
        }
        let bucket = format!("{name}_bucket");
        for (label, count) in bounds.labels.iter().zip(counts) {
            self.line(&bucket, labels, Some(("le", label)), count);
        }
        self.line(&bucket, labels, Some(("le", "+Inf")), all);
        self.line(&format!("{name}_sum"), labels, None, counted.sum(bounds));
        self.line(&format!("{name}_count"), labels, None, all);
    }

    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        // A text takes all that is written to it.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[Label<'_>], last: Option<Label<'_>>, value: impl Display) {
        self.0.push_str(name);
        for (at, (label, value)) in labels.iter().copied().chain(last).enumerate() {
            self.0.push(if at == 0 { '{' } else { ',' });
            self.0.push_str(label);
            self.0.push_str("=\"");
            escape(&mut self.0, value);
            self.0.push('"');
        }
        if !labels.is_empty() || last.is_some() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

fn escape(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_the_format_says() {
        let mut text = Text::default();
        text.single("a_total", Kind::Counter, "The as", 3);
        text.family("b", Kind::Gauge, "The bs");
        text.series("b", &[("name", "x\"\\\n"), ("other", "y")], 0.5);
        let expected = "# HELP a_total The as\n# TYPE a_total counter\na_total 3\n# HELP b The bs\n# TYPE b gauge\n\
                        b{name=\"x\\\"\\\\\\n\",other=\"y\"} 0.5\n";
        assert_eq!(text.finish(), expected);
    }
}
