//! The table that is printed and kept.

use std::fmt::Write;

use dev_kit::load::Figures;

use super::aims::Aim;

/// One measurement.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) connections: usize,
    pub(super) figures: Figures,
    /// Processor time of the service per answer.
    pub(super) processor_us: f64,
    pub(super) floor: Option<f64>,
    pub(super) aim: Option<Aim>,
}

/// Memory of one process.
pub(super) struct Size {
    pub(super) name: &'static str,
    pub(super) now_kib: u64,
    pub(super) peak_kib: u64,
    pub(super) aim_mb: u64,
}

/// Anything else that was measured once.
pub(super) struct Figure {
    pub(super) name: String,
    /// With its unit.
    pub(super) value: String,
    /// What is aimed at, and the ratio to it; the aim is met from 1 on.
    pub(super) aim: Option<(&'static str, f64)>,
}

/// Two ways to the same, beside one another.
pub(super) struct Compared {
    pub(super) name: &'static str,
    pub(super) this: String,
    pub(super) that: String,
    /// What comes of the comparison.
    pub(super) figure: String,
    pub(super) aim: String,
    /// The figure as a part of what it may be: one or less meets the aim.
    pub(super) of_aim: f64,
}

pub(super) struct Table {
    name: String,
    notes: Vec<String>,
    lines: Vec<Line>,
    compared: Vec<Compared>,
    sizes: Vec<Size>,
    figures: Vec<Figure>,
}

impl Table {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            notes: Vec::new(),
            lines: Vec::new(),
            compared: Vec::new(),
            sizes: Vec::new(),
            figures: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Adds a line, and prints it for whoever waits.
    pub(super) fn line(&mut self, line: Line) {
        println!("  {:<58} {:>3}  {:>8.0}/s", line.name, line.connections, line.figures.per_second);
        self.lines.push(line);
    }

    /// Adds a comparison, and prints it for whoever waits.
    pub(super) fn compare(&mut self, compared: Compared) {
        println!("  {:<72} {}", compared.name, compared.figure);
        self.compared.push(compared);
    }

    pub(super) fn size(&mut self, size: Size) {
        self.sizes.push(size);
    }

    /// Adds a figure, and prints it for whoever waits.
    pub(super) fn figure(&mut self, figure: Figure) {
        println!("  {:<58} {}", figure.name, figure.value);
        self.figures.push(figure);
    }

    pub(super) fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n\n", self.name);
        for note in &self.notes {
            text.push_str(&format!("{note}\n"));
        }
        let head =
            ["", "connections", "per second", "p50 ms", "p95 ms", "CPU µs", "bytes", "of floor", "aim", ""];
        text.push_str(&section(&head, self.lines.iter().map(row)));
        let head = ["this; that", "this", "that", "compared", "aim", ""];
        text.push_str(&section(&head, self.compared.iter().map(compared_row)));
        let head = ["resident memory", "after the run", "peak", "aim", ""];
        text.push_str(&section(&head, self.sizes.iter().map(size_row)));
        let head = ["measured once", "", "aim", ""];
        text.push_str(&section(&head, self.figures.iter().map(figure_row)));
        text
    }
}

/// A table with that head; nothing without rows.
fn section(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut all = vec![head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>()];
    all.extend(rows);
    if all.len() > 1 { laid_out(&all) } else { String::new() }
}

fn compared_row(compared: &Compared) -> Vec<String> {
    let Compared { name, this, that, figure, aim, of_aim } = compared;
    let verdict = verdict(*of_aim <= 1.0, *of_aim);
    vec![(*name).to_owned(), this.clone(), that.clone(), figure.clone(), aim.clone(), verdict]
}

fn row(line: &Line) -> Vec<String> {
    let Figures { per_second, p50, p95, answer_bytes, .. } = line.figures;
    let ms = |time: std::time::Duration| format!("{:.2}", time.as_secs_f64() * 1000.0);
    let floor = line.floor.map(|floor| format!("{:.2}", per_second / floor)).unwrap_or_default();
    let (aim, verdict) = line.aim.map(|aim| judged(&line.figures, aim)).unwrap_or_default();
    vec![
        line.name.clone(),
        line.connections.to_string(),
        format!("{per_second:.0}"),
        ms(p50),
        ms(p95),
        format!("{:.0}", line.processor_us),
        answer_bytes.to_string(),
        floor,
        aim,
        verdict,
    ]
}

fn judged(figures: &Figures, aim: Aim) -> (String, String) {
    let mut text = format!("≥ {:.0}/s", aim.per_second);
    let mut met = figures.per_second >= aim.per_second;
    if let Some(p95) = aim.p95 {
        text.push_str(&format!(", p95 ≤ {} ms", p95.as_millis()));
        met &= figures.p95 <= p95;
    }
    (text, verdict(met, figures.per_second / aim.per_second))
}

fn size_row(size: &Size) -> Vec<String> {
    let mb = |kib: u64| kib as f64 * 1024.0 / 1e6;
    let ratio = mb(size.now_kib) / size.aim_mb as f64;
    vec![
        size.name.to_owned(),
        format!("{:.0} MB", mb(size.now_kib)),
        format!("{:.0} MB", mb(size.peak_kib)),
        format!("≤ {} MB", size.aim_mb),
        verdict(ratio <= 1.0, ratio),
    ]
}

fn figure_row(figure: &Figure) -> Vec<String> {
    let (aim, verdict) = match figure.aim {
        Some((aim, ratio)) => (aim.to_owned(), verdict(ratio >= 1.0, ratio)),
        None => Default::default(),
    };
    vec![figure.name.clone(), figure.value.clone(), aim, verdict]
}

fn verdict(met: bool, ratio: f64) -> String {
    format!("{} ({ratio:.2} of the aim)", if met { "met" } else { "MISSED" })
}

/// A Markdown table that can also be read as it stands. The first row is the head; but for the first column,
/// everything is right-aligned.
fn laid_out(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
            .max(3)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::from("\n");
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a String does not fail.
            let _written = if column == 0 {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let rule = "-".repeat(*width);
                text.push_str(&if column == 0 {
                    format!("| {rule} ")
                } else {
                    format!("| {}: ", &rule.replacen('-', "", 1))
                });
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn line(per_second: f64, p95_ms: u64) -> Line {
        let figures = Figures {
            answers: 100,
            all_answers: 110,
            per_second,
            p50: Duration::from_micros(1500),
            p95: Duration::from_millis(p95_ms),
            answer_bytes: 1234,
        };
        let aim = Some(super::super::aims::READING);
        Line { name: "list".into(), connections: 8, figures, processor_us: 99.6, floor: Some(10_000.0), aim }
    }

    #[test]
    fn an_aim_is_met_only_with_rate_and_time() {
        assert_eq!(row(&line(4000.0, 15)).last().unwrap(), "met (2.00 of the aim)");
        assert_eq!(row(&line(4000.0, 16)).last().unwrap(), "MISSED (2.00 of the aim)");
        assert_eq!(row(&line(1500.0, 3)).last().unwrap(), "MISSED (0.75 of the aim)");
    }

    #[test]
    fn figures_stand_beside_the_floor() {
        let cells = row(&line(2500.0, 3));
        assert_eq!(cells[..8], ["list", "8", "2500", "1.50", "3.00", "100", "1234", "0.25"]);
    }

    #[test]
    fn what_may_be_at_most_so_much_is_met_below_it() {
        let compared = |of_aim| Compared {
            name: "look-up",
            this: "p95 12.00 ms".into(),
            that: "p95 11.00 ms".into(),
            figure: "1.00 ms more".into(),
            aim: "≤ 2 ms more".into(),
            of_aim,
        };
        assert_eq!(compared_row(&compared(0.5)).last().unwrap(), "met (0.50 of the aim)");
        assert_eq!(compared_row(&compared(1.5)).last().unwrap(), "MISSED (1.50 of the aim)");
    }

    #[test]
    fn the_table_is_markdown_in_even_columns() {
        let rows = vec![vec!["".to_owned(), "aim".to_owned()], vec!["list".to_owned(), "≥ 5".to_owned()]];
        assert_eq!(laid_out(&rows), "\n|      | aim |\n| ---- | --: |\n| list | ≥ 5 |\n");
    }
}
